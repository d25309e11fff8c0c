"""What a file is: decided by its content, from the first byte to the last."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest

from content_api.media import sniff as module
from content_api.media.errors import FileDamaged, TypeNotAccepted
from content_api.media.sniff import sniff
from tests.media.conftest import FILM, SOUND, picture

VTT = (
    "WEBVTT\n\n1\n00:00.000 --> 00:02.000\nBonjour\n\nNOTE a remark\n\n"
    "00:02.000 --> 00:03.500\n炭鉱\n"
).encode()
POINT = {"type": "Point", "coordinates": [2.9, 50.4]}
GEOJSON = {
    "type": "FeatureCollection",
    "features": [{"type": "Feature", "properties": {"n": 1}, "geometry": POINT}],
}


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A PNG chunk."""
    return (
        len(payload).to_bytes(4, "big")
        + kind
        + payload
        + zlib.crc32(kind + payload).to_bytes(4, "big")
    )


def png(*chunks: bytes, width: int = 1, height: int = 1) -> bytes:
    """A PNG of the given chunks behind a header of 8-bit grey."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks)


def zip_bytes() -> bytes:
    """A small archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "hello")
    return stream.getvalue()


JPEG = picture(500, 400).jpegsave_buffer()
PNG = picture().pngsave_buffer()
WEBP = picture().webpsave_buffer()
GIF = picture().gifsave_buffer()
TIFF = picture().tiffsave_buffer()
AVIF = picture().heifsave_buffer(compression="av1", effort=0)
PICTURES = {
    "image/jpeg": JPEG,
    "image/png": PNG,
    "image/webp": WEBP,
    "image/gif": GIF,
    "image/tiff": TIFF,
    "image/avif": AVIF,
}


@pytest.mark.parametrize("media_type", PICTURES)
def test_every_still_picture_format_is_told_by_its_content(media_type: str) -> None:
    found = sniff(PICTURES[media_type])
    assert (found.kind, found.media_type) == ("image", media_type)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("a.mp3", (*SOUND, "-c:a", "libmp3lame"), ("audio", "audio/mpeg")),
        ("a.m4a", (*SOUND, "-c:a", "aac"), ("audio", "audio/mp4")),
        ("a.opus", (*SOUND, "-c:a", "libopus"), ("audio", "audio/ogg")),
        ("a.flac", SOUND, ("audio", "audio/flac")),
        ("a.wav", SOUND, ("audio", "audio/wav")),
        ("a.mp4", (*FILM, "-c:v", "libx264", "-pix_fmt", "yuv420p"), ("video", "video/mp4")),
        ("a.webm", (*FILM, "-c:v", "libvpx-vp9"), ("video", "video/webm")),
        ("b.webm", (*SOUND, "-c:a", "libopus"), ("audio", "audio/webm")),
    ],
)
def test_sounds_and_films_are_told_by_their_content(
    ffmpeg: Callable[..., bytes], name: str, arguments: tuple[str, ...], expected: tuple[str, str]
) -> None:
    found = sniff(ffmpeg(name, *arguments))
    assert (found.kind, found.media_type) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("x.mp4", (*FILM, "-c:v", "mpeg4"), "expected H.264"),
        ("x.ogg", (*SOUND, "-c:a", "libvorbis"), "expected Opus"),
        ("x.mov", (*FILM, "-c:v", "libx264"), "a QuickTime film"),
        ("x.mkv", (*FILM, "-c:v", "libx264"), "Matroska but no WebM"),
    ],
)
def test_what_not_every_display_plays_is_refused_by_name(
    ffmpeg: Callable[..., bytes], name: str, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TypeNotAccepted, match=message):
        sniff(ffmpeg(name, *arguments))


def test_subtitles_and_map_layers_are_text_of_their_own_kinds() -> None:
    assert sniff(VTT).media_type == "text/vtt"
    assert sniff(b"\xef\xbb\xbf" + VTT).media_type == "text/vtt"
    assert sniff(json.dumps(GEOJSON).encode()).media_type == "application/geo+json"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "an SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->\n<svg onload='x()'/>", "an SVG"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "a web page"),
        (b"  \n<script>alert(1)</script>", "a web page"),
        (b"<?xml version='1.0'?><kml/>", "an XML document"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (zip_bytes(), "a ZIP archive"),
        (b"\x7fELF\x02\x01\x01" + bytes(60), "a program"),
        (b"MZ" + bytes(80), "a program"),
        (b"#!/bin/sh\nrm -rf /\n", "a script"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"just some words", "of no type we know"),
        (b"{\n", "no JSON"),
        (b'{"type": "Topology"}', "no GeoJSON"),
    ],
)
def test_other_types_are_refused_and_named(content: bytes, name: str) -> None:
    with pytest.raises((TypeNotAccepted, FileDamaged), match=name):
        sniff(content)


def test_the_refusal_says_what_is_accepted() -> None:
    with pytest.raises(TypeNotAccepted) as refusal:
        sniff(b"%PDF-1.7\n")
    for word in ("PNG", "JPEG", "WebP", "AVIF", "MP3", "Opus", "H.264", "WebVTT", "GeoJSON"):
        assert word in refusal.value.message


@pytest.mark.parametrize("media_type", [kind for kind in PICTURES if kind != "image/tiff"])
@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>", b"\0\1\2\3 more"])
def test_a_picture_with_something_behind_its_end_is_refused(media_type: str, tail: bytes) -> None:
    with pytest.raises((TypeNotAccepted, FileDamaged)):
        sniff(PICTURES[media_type] + tail)


@pytest.mark.parametrize("media_type", PICTURES)
def test_a_picture_that_is_an_archive_too_is_refused(media_type: str) -> None:
    with pytest.raises(TypeNotAccepted, match="ZIP archive at once"):
        sniff(PICTURES[media_type] + zip_bytes())


@pytest.mark.parametrize("media_type", [kind for kind in PICTURES if kind != "image/tiff"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_picture_that_is_cut_short_is_refused(media_type: str, part: float) -> None:
    whole = PICTURES[media_type]
    with pytest.raises(FileDamaged):
        sniff(whole[: int(len(whole) * part)])


def test_a_jpeg_that_is_a_pdf_too_is_refused() -> None:
    comment = b"%PDF-1.4\n1 0 obj<<>>endobj"
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    with pytest.raises(TypeNotAccepted, match="two types at once"):
        sniff(JPEG[:2] + segment + JPEG[2:])


def test_a_gif_that_is_a_script_too_is_refused() -> None:
    # The width's two bytes are "/*": as JavaScript, GIF89a/* … */=1;alert(1).
    with pytest.raises(TypeNotAccepted, match="a script at once"):
        sniff(b"GIF89a/*" + GIF[8:] + b"*/=1;alert(1)")
    with pytest.raises(TypeNotAccepted, match="a script at once"):
        sniff(b'GIF89a="' + GIF[8:])


def test_a_phones_jpeg_with_a_second_jpeg_behind_it_is_taken() -> None:
    assert sniff(JPEG + b"\0\0" + JPEG).media_type == "image/jpeg"


def test_a_png_whose_bytes_were_changed_is_refused() -> None:
    middle = len(PNG) // 2
    with pytest.raises(FileDamaged, match="checksum"):
        sniff(PNG[:middle] + bytes([PNG[middle] ^ 1]) + PNG[middle + 1 :])


def test_a_text_in_a_png_that_unfolds_without_end_is_refused() -> None:
    bomb = zlib.compress(bytes(module.pictures.MAX_ANCILLARY + 1), 9)
    idat = chunk(b"IDAT", zlib.compress(b"\0\0"))
    end = chunk(b"IEND", b"")
    for text in (chunk(b"zTXt", b"k\0\0" + bomb), chunk(b"iCCP", b"p\0\0" + bomb)):
        with pytest.raises(FileDamaged, match="unfolds beyond"):
            sniff(png(text, idat, end))
    assert sniff(png(chunk(b"zTXt", b"k\0\0" + zlib.compress(b"hello")), idat, end))


def test_a_sound_with_a_page_behind_it_is_refused(ffmpeg: Callable[..., bytes]) -> None:
    tail = b"<script>alert(1)</script>" * 100
    for name, arguments in (
        ("t.mp3", (*SOUND, "-c:a", "libmp3lame")),
        ("t.opus", (*SOUND, "-c:a", "libopus")),
        ("t.wav", SOUND),
        ("t.mp4", (*FILM, "-c:v", "libx264")),
        ("t.webm", (*FILM, "-c:v", "libvpx-vp9")),
    ):
        with pytest.raises((TypeNotAccepted, FileDamaged)):
            sniff(ffmpeg(name, *arguments) + tail)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("WEBVTT\n00:00.000 --> 00:01.000\nx\n", "line 2: expected an empty line"),
        ("WEBVTT\n\n0:00 --> 0:01\nx\n", "line 3: expected 00:01.000"),
        ("WEBVTT\n\n00:02.000 --> 00:01.000\nx\n", "ends after it starts"),
        ("WEBVTT\n\n00:02.000 --> 00:03.000\nx\n\n00:01.000 --> 00:04.000\ny\n", "no earlier"),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\nx\n", "line 3: expected"),
        ("WEBVTT\n", "no cue"),
        ("WEBVTT\n\n00:00.000 --> 00:01.000\nx\n00:01.000 --> 00:02.000\ny\n", "between cues"),
    ],
)
def test_broken_subtitles_are_refused_with_their_line(text: str, message: str) -> None:
    with pytest.raises(FileDamaged, match=message):
        sniff(text.encode())


def test_subtitles_in_another_encoding_are_refused() -> None:
    with pytest.raises(FileDamaged, match="UTF-8"):
        sniff("WEBVTT\n\n00:00.000 --> 00:01.000\né\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crs": {"type": "name"}}, "without crs"),
        ({"features": {}}, "a list of features"),
        ({"features": [POINT]}, "expected a Feature"),
        (
            {"features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Circle"}}]},
            "Circle",
        ),
        (
            {
                "features": [
                    {
                        "type": "Feature",
                        "properties": {},
                        "geometry": {**POINT, "coordinates": [700000.1, 6500000]},
                    }
                ]
            },
            "longitude within 180",
        ),
        (
            {
                "features": [
                    {
                        "type": "Feature",
                        "properties": {},
                        "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]},
                    }
                ]
            },
            "closed ring",
        ),
    ],
)
def test_geojson_that_breaks_rfc_7946_is_refused_with_the_place(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(FileDamaged, match=message):
        sniff(json.dumps({**GEOJSON, **change}).encode())


def test_geojson_that_nests_without_end_is_refused() -> None:
    with pytest.raises(FileDamaged):
        sniff(b'{"type":"Polygon","coordinates":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(FileDamaged, match="empty"):
        sniff(b"")
