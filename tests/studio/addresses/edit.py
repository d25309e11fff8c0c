"""Pages of the area edit."""

ADDRESSES = [
    "/studio/entries/new",
    "/studio/entries/new?type=story",
    "/studio/entries/{entry}/",
    "/studio/entries/{entry}/?languages=fr,ja",
    "/studio/entries/{entry}/?languages=fr,ar",
    "/studio/entries/{entry}/delete",
]
