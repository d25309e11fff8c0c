"""Pictures: how large one is, and the encodings displays get of it, by libvips.

The same file and recipe give the same bytes. A picture is turned upright, brought to sRGB,
stripped of everything that was said inside it (position, camera, names: what is public is
said in its entry), and never made larger than it came.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips

from content_api.media.errors import FileDamaged
from content_api.media.sniff import AVIF, GIF, JPEG, PNG, TIFF, WEBP, Format
from content_api.problems import TooLarge
from package_format.canonical import sha256_hex

# Loaders that libvips' makers call unsafe for foreign files stay shut.
pyvips.block_untrusted_set(True)
# One thread for each operation: several pictures are made at once instead, one a core, which
# costs less than sharing each picture's work.
pyvips.concurrency_set(1)
# Nothing is read twice here, so libvips' cache of results would only hold memory and files.
pyvips.cache_set_max(0)
# A broken picture is answered with its reason; libvips' own lines, often one for each row of
# pixels, would fill the log.
logging.getLogger("pyvips").setLevel(logging.ERROR)

RECIPE = 1
"""Version of the rules below; raised when the same file should give other encodings."""

MAX_SIDE = 65_535
"""Pixels along one side of an original."""

PROFILE_WIDTHS: dict[int, tuple[str, ...]] = {
    320: ("tablet", "guide"),
    640: ("tablet", "wall", "guide"),
    1280: ("tablet", "wall", "guide"),
    1920: ("tablet", "wall", "galaxy"),
    3840: ("wall", "galaxy"),
}
"""Widths in pixels, and the display profiles that take them. A picture that is narrower than
the widest one a profile takes gives that profile its own full width."""

_TALL = 2
"""An encoding is at most this many times as high as its nominal width: a tall plan or a
timeline must not cost hundreds of megabytes because its width is small."""

_UNBOUNDED = 10_000_000
"""The largest side libvips takes, for the side that the other one decides."""

_LOADERS = {PNG: "png", JPEG: "jpeg", WEBP: "webp", AVIF: "heif", GIF: "gif", TIFF: "tiff"}
_PAGED = (WEBP, GIF, TIFF)


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding of a picture, still in memory."""

    name: str
    media_type: str
    width: int
    height: int
    profiles: tuple[str, ...]
    raw: bytes
    sha256: str


def measure(path: Path, found: Format, *, max_pixels: int) -> tuple[int, int]:
    """Width and height of a picture once upright, read from its header alone.

    Raises:
        TooLarge: it has more than `max_pixels`, or a side over MAX_SIDE.
        FileDamaged: libvips cannot read its header.
    """
    image = _open(path, found)
    width, height = image.width, image.height
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise TooLarge(
            f"The picture has {width} × {height} pixels: expected at most {max_pixels} in all "
            f"and {MAX_SIDE} along a side.",
            details={"limit": max_pixels},
        )
    turned = image.get_typeof("orientation") and image.get("orientation") in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def encode(path: Path, found: Format, *, max_pixels: int) -> tuple[Encoding, ...]:
    """The encodings of a picture for all display profiles, narrowest first.

    Raises:
        TooLarge: as `measure`.
        FileDamaged: it is cut short or does not decode.
    """
    width, height = measure(path, found, max_pixels=max_pixels)
    plan = plan_widths(width, height)
    try:
        widest = _decode(path, found, plan[-1][0], width / plan[-1][0])
        saver, sample_width, sample = _choose_saver(widest, lossless_source=found in (PNG, GIF))
        made = []
        for target, profiles in plan:
            image = widest
            if target < widest.width:
                image = widest.thumbnail_image(target, height=_UNBOUNDED, size="down")
                image = image.copy_memory()
            raw = sample if image.width == sample_width else saver.save(image)
            made.append(
                Encoding(
                    name=f"{image.width}.{saver.extension}",
                    media_type=saver.media_type,
                    width=image.width,
                    height=image.height,
                    profiles=profiles,
                    raw=raw,
                    sha256=sha256_hex(raw),
                )
            )
    except pyvips.Error as error:
        raise FileDamaged(
            f"The {found.label} is cut short or damaged: {_reason(error)}."
        ) from error
    return tuple(made)


def plan_widths(width: int, height: int) -> list[tuple[int, tuple[str, ...]]]:
    """Widths to encode a picture of this size at, ascending, each with its profiles.

    A width that is more than three quarters of the next one is left to that one.
    """
    by_width: dict[int, set[str]] = {}
    for nominal, profiles in PROFILE_WIDTHS.items():
        tall = max(1, width * nominal * _TALL // height)
        by_width.setdefault(min(nominal, width, tall), set()).update(profiles)
    plan: list[tuple[int, set[str]]] = []
    for found in sorted(by_width, reverse=True):
        if plan and plan[-1][0] * 3 < found * 4:
            plan[-1][1].update(by_width[found])
        else:
            plan.append((found, set(by_width[found])))
    order = ("tablet", "wall", "guide", "galaxy")
    return [
        (found, tuple(profile for profile in order if profile in profiles))
        for found, profiles in reversed(plan)
    ]


@dataclass(frozen=True, slots=True)
class _Saver:
    extension: str
    media_type: str
    method: str
    options: dict[str, Any]

    def save(self, image: pyvips.Image) -> bytes:
        raw: bytes = getattr(image, self.method)(keep="none", **self.options)
        return raw


_WEBP = _Saver("webp", "image/webp", "webpsave_buffer", {"Q": 80, "effort": 2})
_WEBP_LOSSLESS = _Saver(
    "webp", "image/webp", "webpsave_buffer", {"lossless": True, "Q": 40, "effort": 2}
)
_AVIF = _Saver(
    "avif", "image/avif", "heifsave_buffer", {"compression": "av1", "Q": 55, "effort": 1}
)
_SAMPLE_WIDTH = 640
"""Pixels wide is a copy of the picture by which its format is chosen."""


def _choose_saver(widest: pyvips.Image, *, lossless_source: bool) -> tuple[_Saver, int, bytes]:
    """The one format for a picture, with a width in pixels and the encoding of that width.

    One format, so that a browser's choice of width is not a choice of format.
    """
    sample = widest
    if sample.width > _SAMPLE_WIDTH:
        sample = sample.thumbnail_image(_SAMPLE_WIDTH, height=_UNBOUNDED, size="down")
        sample = sample.copy_memory()
    plain = _WEBP.save(sample)
    # Maps, plans and drawings stay crisp without loss, often in fewer bytes.
    if lossless_source:
        lossless = _WEBP_LOSSLESS.save(sample)
        if len(lossless) <= len(plain) * 1.25:
            return _WEBP_LOSSLESS, sample.width, lossless
    small = _AVIF.save(sample)
    if len(small) <= len(plain) * 0.8:
        return _AVIF, sample.width, small
    return _WEBP, sample.width, plain


def _open(path: Path, found: Format, **options: Any) -> pyvips.Image:
    # The loader is named from the content: libvips must not choose another by itself. A source
    # and not a name, because libvips reads options out of brackets in a file's name.
    if found in _PAGED:
        options["n"] = 1
    try:
        load = getattr(pyvips.Image, f"{_LOADERS[found]}load_source")
        source = pyvips.Source.new_from_file(str(path))
        return load(source, access="sequential", fail_on="truncated", **options)
    except pyvips.Error as error:
        raise FileDamaged(f"The {found.label} does not open: {_reason(error)}.") from error


def _decode(path: Path, found: Format, width: int, shrink: float) -> pyvips.Image:
    """The picture upright, in sRGB of 8 bits, at most `width` wide, in memory.

    `shrink` is how many times smaller that is than the original.
    """
    # libvips' own one-step thumbnail takes a PNG whose data breaks off for a whole one, so
    # the file is opened here. A JPEG decodes to a half, a quarter or an eighth at little cost;
    # a factor of two is left to the better filter.
    options = {}
    if found is JPEG:
        options["shrink"] = next((step for step in (8, 4, 2) if shrink >= 2 * step), 1)
    image = _open(path, found, **options)
    sizing: dict[str, Any] = {"height": _UNBOUNDED, "size": "down"}
    if image.get_typeof("icc-profile-data") or image.interpretation not in ("srgb", "b-w"):
        # Ten times the cost of the rest, so only where it changes a colour.
        sizing["output_profile"] = "srgb"
    image = image.thumbnail_image(width, **sizing)
    if image.interpretation not in ("srgb", "b-w"):
        image = image.colourspace("srgb")
    if image.format != "uchar":
        image = image.cast("uchar")
    return image.copy_memory()


def _reason(error: pyvips.Error) -> str:
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    # libvips puts the operation's name first and paths of ours may follow; the last line says why.
    words = lines[-1] if lines else "it does not decode"
    return words.rsplit("/", 1)[-1][:160].rstrip(".")
