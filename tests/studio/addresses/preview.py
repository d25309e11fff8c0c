"""Pages of the area preview."""

ADDRESSES = ["/studio/packages/{package}/preview", "/studio/entries/{entry}/preview"]
