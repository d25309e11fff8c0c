"""Pages of the area entries."""

ADDRESSES = [
    "/studio/entries/",
    "/studio/entries/?state=missing&language=ja&order=title",
    "/studio/entries/?q=nothing-has-these-words",
    "/studio/entries/matrix",
    "/studio/entries/matrix?state=outdated",
]
