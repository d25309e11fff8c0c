"""MP4 and WebM: their boxes walked to the end, their duration, size and codecs. Pure.

Only what displays play is taken: in MP4, H.264 with AAC, which every browser and every
signage box decodes; in WebM, VP8, VP9 or AV1 with Opus or Vorbis.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

from content_api.media.errors import FileDamaged, TypeNotAccepted

Content = bytes | mmap

_MAX_BOXES = 100_000
_TOP = frozenset(
    b"ftyp styp moov mdat free skip wide meta moof mfra sidx ssix pdin uuid udta prft emsg".split()
)
_MP4_VIDEO = frozenset((b"avc1", b"avc3"))
_MP4_SOUND = frozenset((b"mp4a", b"Opus"))
_WEBM_VIDEO = frozenset(("V_VP8", "V_VP9", "V_AV1"))
_WEBM_SOUND = frozenset(("A_OPUS", "A_VORBIS"))


@dataclass(frozen=True, slots=True)
class Tracks:
    """What a film or sound holds. Pixels after rotation, seconds; no width: no picture."""

    width: int | None
    height: int | None
    duration: float | None
    codecs: tuple[str, ...]
    starts_fast: bool = True


def brands(head: bytes) -> set[bytes]:
    """The brands a `ftyp` box names."""
    size = int.from_bytes(head[:4], "big")
    body = head[8 : min(size, len(head))]
    return {body[:4], *(body[at : at + 4] for at in range(8, len(body) - 3, 4))}


def check_boxes(content: Content) -> None:
    """Hold an ISO media file to: known boxes, end to end, up to the last byte.

    Raises:
        FileDamaged: the last box is cut short.
        TypeNotAccepted: something that is no such box follows.
    """
    for kind, _start, _stop in _boxes(content, 0, len(content)):
        if kind not in _TOP:
            raise TypeNotAccepted(
                f"The MP4 or AVIF is followed by other bytes (box {kind!r}): expected its own "
                "boxes to the end."
            )


def read_mp4(content: Content) -> Tracks:
    """Size, duration and codecs of an MP4.

    Raises:
        FileDamaged: it has no description of its tracks.
        TypeNotAccepted: a codec is not one all displays play.
    """
    top = list(_boxes(content, 0, len(content)))
    kinds = [kind for kind, _, _ in top]
    moov = next(((start, stop) for kind, start, stop in top if kind == b"moov"), None)
    if moov is None or b"mdat" not in kinds:
        raise FileDamaged("The MP4 is cut short or broken: expected a moov and a mdat box.")
    duration = None
    width = height = None
    codecs: list[str] = []
    for kind, start, stop in _boxes(content, *moov):
        if kind == b"mvhd":
            duration = _movie_duration(content[start:stop])
        elif kind == b"trak":
            found = _track(content, start, stop)
            if found is None:
                continue
            codec, size = found
            codecs.append(codec)
            if size is not None and width is None:
                width, height = size
    if not codecs:
        raise FileDamaged("The MP4 holds neither picture nor sound.")
    return Tracks(
        width, height, duration, tuple(codecs), kinds.index(b"moov") < kinds.index(b"mdat")
    )


def check_webm(content: Content) -> None:
    """Hold a WebM to: one header, one segment, up to the last byte.

    Raises:
        FileDamaged: it is cut short or broken.
        TypeNotAccepted: it is another Matroska file, or something follows the end.
    """
    header = next(_elements(content, 0, len(content)), None)
    if header is None:
        raise FileDamaged("The WebM is cut short.")
    kind = [
        content[start:stop]
        for ident, start, stop in _elements(content, header[1], header[2])
        if ident == 0x4282
    ]
    if kind != [b"webm"]:
        raise TypeNotAccepted("The file is Matroska but no WebM: expected WebM or MP4.")
    allowed = {0x18538067, 0xEC}
    for ident, _start, _stop in _elements(content, header[2], len(content)):
        if ident not in allowed:
            raise TypeNotAccepted("The WebM is followed by other bytes: expected one segment.")


def read_webm(content: Content) -> Tracks:
    """Size, duration and codecs of a WebM.

    Raises:
        FileDamaged: it has no description of its tracks.
        TypeNotAccepted: a codec is not one all displays play.
    """
    scale, ticks = 1_000_000, None
    width = height = None
    codecs: list[str] = []
    segment = [e for e in _elements(content, 0, len(content)) if e[0] == 0x18538067]
    if not segment:
        raise FileDamaged("The WebM is cut short: expected a segment.")
    for ident, start, stop in _elements(content, segment[0][1], segment[0][2]):
        if ident == 0x1549A966:
            for inner, at, end in _elements(content, start, stop):
                if inner == 0x2AD7B1:
                    scale = int.from_bytes(content[at:end], "big")
                elif inner == 0x4489:
                    ticks = _float(content[at:end])
        elif ident == 0x1654AE6B:
            for inner, at, end in _elements(content, start, stop):
                if inner != 0xAE:
                    continue
                codec, size = _webm_track(content, at, end)
                codecs.append(codec)
                if size is not None and width is None:
                    width, height = size
        elif ident == 0x1F43B675:
            break
    if not codecs:
        raise FileDamaged("The WebM holds neither picture nor sound.")
    duration = round(ticks * scale / 1e9, 3) if ticks is not None else None
    return Tracks(width, height, duration, tuple(codecs))


def _boxes(content: Content, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    at, count = start, 0
    while at < stop:
        header = content[at : min(at + 16, stop)]
        size, body = int.from_bytes(header[:4], "big"), 8
        if size == 1:
            size, body = int.from_bytes(header[8:16], "big"), 16
        elif size == 0:
            size = stop - at
        count += 1
        if len(header) < 8 or size < body or at + size > stop or count > _MAX_BOXES:
            raise FileDamaged("The MP4 or AVIF is cut short or broken: expected whole boxes.")
        yield bytes(header[4:8]), at + body, at + size
        at += size


def _box(content: Content, start: int, stop: int, path: str) -> tuple[int, int] | None:
    for name in path.encode().split(b"/"):
        found = next((b for b in _boxes(content, start, stop) if b[0] == name), None)
        if found is None:
            return None
        _, start, stop = found
    return start, stop


def _movie_duration(mvhd: bytes) -> float | None:
    wide = mvhd[:1] == b"\1"
    try:
        if wide:
            scale, ticks = struct.unpack_from(">IQ", mvhd, 20)
        else:
            scale, ticks = struct.unpack_from(">II", mvhd, 12)
    except struct.error as error:
        raise FileDamaged("The MP4 is broken: expected a whole mvhd box.") from error
    unknown = ticks == (2**64 - 1 if wide else 2**32 - 1)
    return round(ticks / scale, 3) if scale and ticks and not unknown else None


def _track(content: Content, start: int, stop: int) -> tuple[str, tuple[int, int] | None] | None:
    handler = _box(content, start, stop, "mdia/hdlr")
    described = _box(content, start, stop, "mdia/minf/stbl/stsd")
    header = _box(content, start, stop, "tkhd")
    if handler is None or described is None or header is None:
        raise FileDamaged("The MP4 is broken: expected a track with its description.")
    kind = bytes(content[handler[0] + 8 : handler[0] + 12])
    codec = bytes(content[described[0] + 12 : described[0] + 16])
    if kind == b"soun":
        if codec not in _MP4_SOUND:
            raise TypeNotAccepted(f"The MP4's sound is {_name(codec)}: expected AAC.")
        return _name(codec), None
    if kind != b"vide":
        return None
    if codec not in _MP4_VIDEO:
        raise TypeNotAccepted(
            f"The MP4's picture is {_name(codec)}: expected H.264 (avc1), which all displays play."
        )
    return _name(codec), _display_size(content[header[0] : header[1]])


def _display_size(tkhd: bytes) -> tuple[int, int]:
    at = 52 if tkhd[:1] == b"\1" else 40
    try:
        matrix = struct.unpack_from(">9i", tkhd, at)
        width, height = (part >> 16 for part in struct.unpack_from(">2I", tkhd, at + 36))
    except struct.error as error:
        raise FileDamaged("The MP4 is broken: expected a whole tkhd box.") from error
    if not (0 < width <= 16_384 and 0 < height <= 16_384):
        raise FileDamaged(f"The MP4 is broken: expected 1 to 16,384 pixels, got {width}×{height}.")
    # A quarter turn is written as a matrix with nothing on its diagonal.
    return (height, width) if matrix[0] == 0 and matrix[4] == 0 else (width, height)


def _elements(content: Content, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    at, count = start, 0
    while at < stop:
        ident, body = _vint(content, at, keep_marker=True)
        size, body = _vint(content, body, keep_marker=False)
        end = stop if size is None else body + size
        count += 1
        if ident is None or end > stop or count > _MAX_BOXES:
            raise FileDamaged("The WebM is cut short or broken: expected whole elements.")
        yield ident, body, end
        at = end


def _vint(content: Content, at: int, *, keep_marker: bool) -> tuple[int | None, int]:
    first = content[at] if at < len(content) else 0
    length = 9 - first.bit_length()
    raw = content[at : at + length]
    if length > 8 or len(raw) < length:
        raise FileDamaged("The WebM is cut short or broken: expected whole elements.")
    value = int.from_bytes(raw, "big")
    if not keep_marker:
        value -= 1 << (7 * length)
        # All ones: the size was not known when it was written.
        if value == (1 << (7 * length)) - 1:
            return None, at + length
    return value, at + length


def _webm_track(content: Content, start: int, stop: int) -> tuple[str, tuple[int, int] | None]:
    kind, codec, size = 0, "", {}
    for ident, at, end in _elements(content, start, stop):
        if ident == 0x83:
            kind = int.from_bytes(content[at:end], "big")
        elif ident == 0x86:
            codec = content[at:end].rstrip(b"\0").decode("ascii", "replace")
        elif ident == 0xE0:
            for inner, begin, finish in _elements(content, at, end):
                size[inner] = int.from_bytes(content[begin:finish], "big")
    if kind == 2 and codec in _WEBM_SOUND:
        return codec, None
    if kind != 1 or codec not in _WEBM_VIDEO:
        raise TypeNotAccepted(f"The WebM holds {codec[:40]!r}: expected VP9 or AV1 with Opus.")
    width, height = size.get(0x54B0, size.get(0xB0, 0)), size.get(0x54BA, size.get(0xBA, 0))
    if not (0 < width <= 16_384 and 0 < height <= 16_384):
        raise FileDamaged(f"The WebM is broken: expected 1 to 16,384 pixels, got {width}×{height}.")
    return codec, (width, height)


def _float(raw: bytes) -> float | None:
    return struct.unpack(">f" if len(raw) == 4 else ">d", raw)[0] if len(raw) in (4, 8) else None


def _name(codec: bytes) -> str:
    return codec.decode("ascii", "replace")
