"""Pages of venues and devices."""

ADDRESSES = [
    "/studio/venues/",
    "/studio/venues/new",
    "/studio/venues/{venue}/",
    "/studio/venues/{venue}/new-device",
    "/studio/devices/{device}/",
]
