"""Structure of sound files, walked to their end. Pure. Duration and rate are read in `facts`."""

from __future__ import annotations

from mmap import mmap

from content_api.media.errors import FileDamaged, TypeNotAccepted
from content_api.media.pictures import riff_chunks

Content = bytes | mmap

# kbit/s by index, for MPEG 1 and MPEG 2/2.5, layer III; Hz by index for MPEG 1.
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_FREQUENCIES = (44_100, 48_000, 32_000)


def check_wav(content: Content) -> None:
    """Hold a WAV to: one RIFF that spans the file, with `fmt ` and `data`.

    Raises:
        FileDamaged, TypeNotAccepted: it does not.
    """
    names = riff_chunks(content, "WAV")
    if b"fmt " not in names or b"data" not in names:
        raise FileDamaged("The WAV is broken: expected a format and a data chunk.")


def is_mp3_frame(head: bytes) -> bool:
    """Whether an MPEG layer III frame begins here."""
    return _frame_length(head[:4]) > 0


def check_mp3(content: Content) -> None:
    """Hold an MP3 to: tags, then frames end to end, then at most tags; the last frame may be cut.

    Raises:
        FileDamaged: there are no frames.
        TypeNotAccepted: something else stands before, between or behind them.
    """
    at = 0
    while content[at : at + 3] == b"ID3" and len(content) >= at + 10:
        size = content[at + 6 : at + 10]
        at += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
        # Some writers pad behind the size their tag names.
        while at < len(content) and content[at] == 0:
            at += 1
    frames = 0
    while length := _frame_length(content[at : at + 4]):
        frames += 1
        at += length
    if frames < 2:
        raise FileDamaged("The MP3 is cut short or broken: expected frames behind its tags.")
    _only_tags(content, at, "MP3")


def check_flac(content: Content) -> None:
    """Hold a FLAC to: metadata blocks, STREAMINFO first, then a frame.

    Raises:
        FileDamaged: it does not.
    """
    at, last, first = 4, False, True
    while not last:
        header = content[at : at + 4]
        if len(header) < 4 or (first and header[0] & 0x7F):
            raise FileDamaged("The FLAC is cut short or broken: expected STREAMINFO first.")
        last, first = bool(header[0] & 0x80), False
        at += 4 + int.from_bytes(header[1:], "big")
    if content[at : at + 1] != b"\xff":
        raise FileDamaged("The FLAC is cut short or broken: expected sound behind its metadata.")


def check_opus(content: Content) -> None:
    """Hold an Ogg to: whole pages to the end of the file, and Opus in the first.

    Raises:
        FileDamaged: a page is cut short.
        TypeNotAccepted: it holds another codec, or something that is no page.
    """
    at, first = 0, True
    while at < len(content):
        header = content[at : at + 27]
        if header[:4] != b"OggS":
            raise TypeNotAccepted("The Ogg is followed by other bytes: expected pages to its end.")
        table = content[at + 27 : at + 27 + header[26]] if len(header) == 27 else b""
        stop = at + 27 + len(table) + sum(table)
        if len(header) < 27 or len(table) < header[26] or stop > len(content):
            raise FileDamaged("The Ogg is cut short: expected whole pages to its end.")
        if first and content[at + 27 + len(table) : at + 35 + len(table)] != b"OpusHead":
            raise TypeNotAccepted(
                "The Ogg holds another codec than Opus: expected Opus, which all displays play."
            )
        at, first = stop, False


def _frame_length(header: bytes) -> int:
    """Bytes of the layer III frame with this header; 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, rate, frequency = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or rate in (0, 15) or frequency == 3:
        return 0
    hertz = _FREQUENCIES[frequency] >> {3: 0, 2: 1, 0: 2}[version]
    kilobits = (_RATES_1 if version == 3 else _RATES_2)[rate]
    samples = 144 if version == 3 else 72
    return samples * kilobits * 1000 // hertz + (header[2] >> 1 & 1)


def _only_tags(content: Content, at: int, label: str) -> None:
    rest = len(content) - at
    if rest <= 0:
        return
    tail = content[at : at + 64 * 1024]
    if rest <= 64 * 1024 and (
        not tail.strip(b"\0")
        or tail.startswith((b"APETAGEX", b"ID3", b"LYRICSBEGIN"))
        or (tail.startswith(b"TAG") and rest == 128)
    ):
        return
    raise TypeNotAccepted(
        f"The {label} ends at byte {at} and {rest} other bytes follow: expected nothing behind it."
    )
