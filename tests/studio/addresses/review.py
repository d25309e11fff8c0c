"""Pages of reviews and history."""

ADDRESSES = [
    "/studio/entries/{entry}/review",
    "/studio/entries/{entry}/history",
    "/studio/entries/{entry}/history/1",
]
