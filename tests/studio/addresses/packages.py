"""Pages of the area packages."""

ADDRESSES = [
    "/studio/packages/",
    "/studio/packages/new",
    "/studio/packages/{package}/",
    "/studio/packages/noir/",
]
