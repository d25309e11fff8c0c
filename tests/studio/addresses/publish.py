"""Pages of the area publish."""

ADDRESSES = [
    "/studio/packages/{package}/publish",
    "/studio/packages/{package}/publish/problems",
    "/studio/packages/{package}/publish/problems?language=ja",
    "/studio/packages/{package}/publish/changes",
    "/studio/packages/{package}/publish/compare",
    "/studio/packages/{package}/publish/restore/1",
]
