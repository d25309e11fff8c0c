"""Structure of picture files: each is walked from its first byte to its last. Pure.

Decoding is libvips' work; here we make sure that nothing hides before, between or behind.
"""

from __future__ import annotations

import re
import zlib
from mmap import mmap

from content_api.media.errors import FileDamaged, TypeNotAccepted

Content = bytes | mmap

MAX_ANCILLARY = 16 * 1024 * 1024
"""Bytes a compressed text or colour profile inside a PNG may unfold to."""

_MAX_PARTS = 200_000
# In the coded part of a JPEG, FF is data only before 00, FF or a restart marker.
_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")


def check_png(content: Content) -> None:
    """Hold a PNG to: chunks from IHDR to IEND, checksums right, nothing behind IEND.

    Raises:
        FileDamaged: it is cut short or a chunk is broken.
        TypeNotAccepted: something follows the end.
    """
    at, count = 8, 0
    while True:
        header = content[at : at + 8]
        length = int.from_bytes(header[:4], "big")
        kind = header[4:]
        stop = at + 12 + length
        if len(header) < 8 or not kind.isalpha() or stop > len(content):
            raise FileDamaged("The PNG is cut short or broken: expected chunks up to IEND.")
        if (count == 0) != (kind == b"IHDR"):
            raise FileDamaged("The PNG is broken: expected IHDR first, and once.")
        if kind != b"IDAT" or length <= MAX_ANCILLARY:
            stored = int.from_bytes(content[stop - 4 : stop], "big")
            if zlib.crc32(content[at + 4 : stop - 4]) != stored:
                raise FileDamaged(f"The PNG is damaged: the checksum of {kind.decode()} is wrong.")
        if kind in (b"iCCP", b"zTXt", b"iTXt"):
            _check_unfolds(content[at + 8 : stop - 4], kind)
        count += 1
        at = stop
        if kind == b"IEND":
            break
        if count > _MAX_PARTS:
            raise FileDamaged(f"The PNG is broken: expected at most {_MAX_PARTS} chunks.")
    _nothing_behind(content, at, "PNG")


def check_jpeg(content: Content) -> None:
    """Hold a JPEG to: segments, scans, end of image; behind it only further whole JPEGs.

    Phones put a small preview or a gain map, JPEG again, behind the picture.

    Raises:
        FileDamaged: it is cut short.
        TypeNotAccepted: something else follows the end.
    """
    at = 0
    while content[at : at + 3] == b"\xff\xd8\xff":
        at = _jpeg_end(content, at)
        padding = re.compile(rb"\0*").match(content, at)
        at = padding.end() if padding else at
    _nothing_behind(content, at, "JPEG")


def check_gif(content: Content) -> None:
    """Hold a GIF to: blocks up to the trailer, nothing behind it.

    Raises:
        FileDamaged: it is cut short.
        TypeNotAccepted: something follows the end, or its header is also a script.
    """
    # GIF89a/* or GIF89a="… reads as JavaScript; as a picture it is over 8,000 pixels wide.
    if content[6:8] == b"/*" or (content[6:7] == b"=" and content[7] >= 0x20):
        raise TypeNotAccepted("The file is a GIF picture and a script at once.")
    if len(content) < 13:
        raise FileDamaged("The GIF is cut short.")
    at = 13 + _colour_table(content[10])
    for _ in range(_MAX_PARTS):
        kind = content[at : at + 1]
        if kind == b";":
            _nothing_behind(content, at + 1, "GIF")
            return
        if kind == b"!":
            at = _sub_blocks(content, at + 2)
        elif kind == b"," and at + 10 <= len(content):
            at = _sub_blocks(content, at + 10 + _colour_table(content[at + 9]) + 1)
        else:
            break
    raise FileDamaged("The GIF is cut short or broken: expected blocks up to its trailer.")


def check_webp(content: Content) -> None:
    """Hold a WebP to: one RIFF that spans the file, of whole chunks.

    Raises:
        FileDamaged: it is cut short or broken.
        TypeNotAccepted: something follows the end.
    """
    names = riff_chunks(content, "WebP")
    if not names or names[0] not in (b"VP8 ", b"VP8L", b"VP8X"):
        raise FileDamaged("The WebP is broken: expected VP8, VP8L or VP8X first.")


def check_tiff(content: Content) -> None:
    """Hold a TIFF to: directories that lie inside the file, at most a few hundred.

    Its parts may lie in any order, so an end cannot be told; `sniff` looks for archives.

    Raises:
        FileDamaged: a directory lies outside the file, or they go in circles.
    """
    order = "little" if content[:1] == b"I" else "big"
    big = 43 in (content[2], content[3])
    wide, count_size, entry = (8, 8, 20) if big else (4, 2, 12)

    def number(at: int, size: int) -> int:
        raw = content[at : at + size]
        if len(raw) < size:
            raise FileDamaged("The TIFF is cut short: a directory lies outside the file.")
        return int.from_bytes(raw, order)  # type: ignore[arg-type]

    at = number(8 if big else 4, wide)
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) > 500:
            raise FileDamaged("The TIFF is broken: its directories go in circles.")
        seen.add(at)
        count = number(at, count_size)
        at = number(at + count_size + count * entry, wide)
    if not seen:
        raise FileDamaged("The TIFF is broken: expected at least one directory.")


def riff_chunks(content: Content, label: str) -> list[bytes]:
    """Names of the chunks of a RIFF file that must span `content` wholly.

    Raises:
        FileDamaged: a chunk goes beyond the end.
        TypeNotAccepted: something follows the end.
    """
    stop = 8 + int.from_bytes(content[4:8], "little")
    if stop > len(content):
        raise FileDamaged(f"The {label} is cut short: expected {stop} bytes, got {len(content)}.")
    _nothing_behind(content, stop + stop % 2, label)
    at, names = 12, []
    while at + 8 <= stop:
        names.append(bytes(content[at : at + 4]))
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
        if len(names) > _MAX_PARTS:
            raise FileDamaged(f"The {label} is broken: too many chunks.")
    if at > stop + 1:
        raise FileDamaged(f"The {label} is broken: a chunk goes beyond its end.")
    return names


def _nothing_behind(content: Content, stop: int, label: str) -> None:
    rest = len(content) - stop
    if rest > 0:
        raise TypeNotAccepted(
            f"The {label} ends at byte {stop} and {rest} other bytes follow: expected nothing "
            "behind it. Opening it in an image program and saving it again removes them."
        )


def _check_unfolds(payload: bytes, kind: bytes) -> None:
    # iCCP and zTXt: name, 0, method 0, data. iTXt: keyword, 0, flag, method, tag, 0, text, 0, data.
    rest = payload.partition(b"\0")[2]
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        rest = rest[1:]
    stream = zlib.decompressobj()
    try:
        stream.decompress(rest, MAX_ANCILLARY)
    except zlib.error as error:
        raise FileDamaged(f"The PNG is damaged: {kind.decode()} does not unfold.") from error
    if stream.unconsumed_tail:
        raise FileDamaged(f"The PNG is a trap: {kind.decode()} unfolds beyond {MAX_ANCILLARY} B.")


def _jpeg_end(content: Content, start: int) -> int:
    at = start + 2
    for _ in range(_MAX_PARTS):
        marker = content[at : at + 2]
        if len(marker) < 2 or marker[0] != 0xFF:
            break
        code = marker[1]
        if code == 0xFF:
            at += 1
        elif code == 0xD9:
            return at + 2
        elif code == 0x01 or 0xD0 <= code <= 0xD7:
            at += 2
        else:
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            if length < 2:
                break
            at += 2 + length
            if code == 0xDA:
                found = _JPEG_MARKER.search(content, at)
                if not found:
                    break
                at = found.end() - 2
    raise FileDamaged("The JPEG is cut short or broken: expected segments up to its end marker.")


def _colour_table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(content: Content, at: int) -> int:
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1
