"""The desk."""

ADDRESSES = ["/studio/"]
