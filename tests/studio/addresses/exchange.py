"""Pages of the area exchange."""

ADDRESSES = [
    "/studio/exchange/",
    "/studio/exchange/?entry={entry}&language=ja",
    "/studio/exchange/?package={package}&language=ar&format=xliff2&states=translated",
]
