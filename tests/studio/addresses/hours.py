"""Pages of opening hours and calendars."""

ADDRESSES = [
    "/studio/venues/{venue}/hours",
    "/studio/devices/{device}/programme",
    "/studio/groups/{group}/programme",
]
