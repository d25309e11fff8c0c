"""Small pictures of assets: which encoding fits, and what stands for what has no picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from content_api.media.models import Rendition

_SHAPES = {
    "image": "M12 44l14-16 10 11 6-7 10 12zM44 22a4 4 0 1 1-8 0 4 4 0 0 1 8 0z",
    "video": "M22 20v24l22-12z",
    "audio": "M26 42V20l18-4v22M26 42a5 5 0 1 1-10 0 5 5 0 0 1 10 0zM44 38a5 5 0 1 1-10 0"
    " 5 5 0 0 1 10 0z",
    "subtitles": "M14 20h36v24H14zM20 32h8M32 32h12M20 38h14M38 38h6",
    "document": "M20 14h16l8 8v28H20zM36 14v8h8M26 32h12M26 38h12",
}


def fitting(renditions: Sequence[Rendition], width: int) -> Rendition | None:
    """The narrowest picture of at least `width` pixels, else the widest there is."""
    pictures = [row for row in renditions if row.media_type.startswith("image/") and row.width]
    wide = [row for row in pictures if (row.width or 0) >= width]
    if wide:
        return min(wide, key=lambda row: row.width or 0)
    return max(pictures, key=lambda row: row.width or 0, default=None)


def drawing(kind: str | None) -> str:
    """An SVG that stands for an asset without a picture; colours that read on light and dark."""
    shape = _SHAPES.get(kind or "", _SHAPES["document"])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="320" height="320">'
        '<rect width="64" height="64" fill="#6b645a"/>'
        f'<path d="{shape}" fill="none" stroke="#fff" stroke-width="2.5" '
        'stroke-linejoin="round" stroke-linecap="round"/></svg>'
    )
