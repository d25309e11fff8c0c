"""Pages of the area media."""

ADDRESSES = [
    "/studio/media/",
    "/studio/media/?view=list&missing=ja",
    "/studio/media/?q=nothing-has-this-name",
    "/studio/media/{asset}/",
    "/studio/media/film-lumieres/",
    "/studio/media/film-lumieres/subtitles/fr",
    "/studio/media/film-lumieres/subtitles/ar",
]
