"""What a file is, decided by its content alone. Pure: bytes in, a decision out.

Neither a name nor a declared type has a say. A file must be one thing from its first byte
to its last: each format is walked to its end, because a picture with a web page, a program
or an archive behind it is a picture only to those who do not look.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap

from content_api.media import films, pictures, sounds, texts
from content_api.media.errors import FileDamaged, TypeNotAccepted

Content = bytes | mmap

ACCEPTED = (
    "expected a picture (PNG, JPEG, WebP, AVIF, GIF, TIFF), a sound (MP3, M4A, Opus, FLAC, WAV), "
    "a film (MP4 with H.264, or WebM), subtitles (WebVTT) or a map layer (GeoJSON)"
)


@dataclass(frozen=True, slots=True)
class Format:
    """A type of file we take: our kind, its media type, and the extension we give it."""

    kind: str
    media_type: str
    extension: str
    label: str


PNG = Format("image", "image/png", "png", "PNG picture")
JPEG = Format("image", "image/jpeg", "jpg", "JPEG picture")
WEBP = Format("image", "image/webp", "webp", "WebP picture")
AVIF = Format("image", "image/avif", "avif", "AVIF picture")
GIF = Format("image", "image/gif", "gif", "GIF picture")
TIFF = Format("image", "image/tiff", "tif", "TIFF picture")
WAV = Format("audio", "audio/wav", "wav", "WAV sound")
MP3 = Format("audio", "audio/mpeg", "mp3", "MP3 sound")
OPUS = Format("audio", "audio/ogg", "opus", "Opus sound")
M4A = Format("audio", "audio/mp4", "m4a", "M4A sound")
FLAC = Format("audio", "audio/flac", "flac", "FLAC sound")
MP4 = Format("video", "video/mp4", "mp4", "MP4 film")
WEBM = Format("video", "video/webm", "webm", "WebM film")
VTT = Format("subtitles", "text/vtt", "vtt", "WebVTT subtitles")
GEOJSON = Format("document", "application/geo+json", "geojson", "GeoJSON map layer")

_HEAD = 1024
_ARCHIVE_TAIL = 65_557
"""The end record of a ZIP archive with the longest comment there can be."""

# What people upload by mistake or on purpose, named so that the message helps.
_REFUSED: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), name)
    for pattern, name in (
        (rb"%PDF-", "a PDF document"),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a ZIP archive or office document"),
        (rb"\x7fELF|MZ.{58,62}|\xfe\xed\xfa|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe", "a program"),
        (rb"#!", "a script"),
        (rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "a compressed archive"),
        (rb"\xd0\xcf\x11\xe0", "an old office document"),
        (rb"8BPS", "a Photoshop document"),
        (rb".{4}ftyp(?:hei|hev|mif1)", "a HEIC picture"),
        (rb".{4}ftypqt", "a QuickTime film"),
        (rb"\s*<(?:svg|\?xml.{0,800}<svg)", "an SVG drawing"),
        (rb"\s*<(?:!doctype html|html|head|body|script|iframe|!--)", "a web page"),
        (rb"\s*<", "an XML document"),
    )
)
_ACTIVE = re.compile(rb"<(?:script|html|svg|iframe|!doctype html|\?php)|%PDF-", re.IGNORECASE)


def sniff(content: Content) -> Format:
    """The one format `content` is, from first byte to last.

    Raises:
        TypeNotAccepted: it is of another type, or of two at once.
        FileDamaged: it is cut short or breaks its format's rules.
    """
    if not len(content):
        raise FileDamaged(f"The file is empty: {ACCEPTED}.")
    head = content[:_HEAD]
    found, check = _recognise(head)
    if found is None or check is None:
        raise TypeNotAccepted(f"The file is {_name_of(head)}: {ACCEPTED}.")
    if found.kind in ("image", "audio", "video"):
        _refuse_second_nature(content, found)
    check(content)
    if found in (MP4, WEBM):
        return _by_tracks(content, found)
    return found


def _recognise(head: bytes) -> tuple[Format | None, Callable[[Content], object] | None]:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG, pictures.check_png
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG, pictures.check_jpeg
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return GIF, pictures.check_gif
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TIFF, pictures.check_tiff
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP, pictures.check_webp
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return WAV, sounds.check_wav
    if head[4:8] == b"ftyp":
        named = films.brands(head)
        if {b"avif", b"avis"} & named:
            return AVIF, films.check_boxes
        if {b"heic", b"heix", b"hevc", b"mif1", b"qt  ", b"crx "} & {head[8:12]}:
            return None, None
        return MP4, films.check_boxes
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM, films.check_webm
    if head.startswith(b"OggS"):
        return OPUS, sounds.check_opus
    if head.startswith(b"fLaC"):
        return FLAC, sounds.check_flac
    if head.startswith(b"ID3") or sounds.is_mp3_frame(head):
        return MP3, sounds.check_mp3
    text = head.removeprefix(b"\xef\xbb\xbf")
    if re.match(rb"WEBVTT(?:[ \t\r\n]|$)", text):
        return VTT, texts.check_vtt
    if text.lstrip()[:1] == b"{":
        return GEOJSON, texts.check_geojson
    return None, None


def _by_tracks(content: Content, found: Format) -> Format:
    # A film's container without pictures is a sound.
    tracks = films.read_mp4(content) if found is MP4 else films.read_webm(content)
    if tracks.width is not None:
        return found
    return M4A if found is MP4 else Format("audio", "audio/webm", "weba", "WebM sound")


def _name_of(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf")
    for pattern, name in _REFUSED:
        if pattern.match(text):
            return name
    return "of no type we know"


def _refuse_second_nature(content: Content, found: Format) -> None:
    tail = content[-_ARCHIVE_TAIL:]
    end = tail.rfind(b"PK\x05\x06")
    if end >= 0 and len(tail) - end >= 22:
        comment = int.from_bytes(tail[end + 20 : end + 22], "little")
        if end + 22 + comment == len(tail):
            raise TypeNotAccepted(f"The file is a {found.label} and a ZIP archive at once.")
    active = _ACTIVE.search(content[:_HEAD])
    if active:
        word = active[0].decode("ascii", "replace")
        raise TypeNotAccepted(
            f"The file begins as a {found.label} and holds {word!r} near its start, "
            "as files do that pass for two types at once."
        )
