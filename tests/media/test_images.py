"""Pictures: what displays get of one, and what is not even decoded."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
import pyvips

from content_api.media import images
from content_api.media.errors import FileDamaged
from content_api.media.images import PROFILE_WIDTHS, encode, measure, plan_widths
from content_api.media.sniff import GIF, JPEG, PNG, WEBP, sniff
from content_api.problems import TooLarge
from tests.media.conftest import drawing, picture
from tests.media.test_sniff import chunk, png

LIMIT = 50_000_000


def stored(folder: Path, raw: bytes, name: str = "upload") -> Path:
    """`raw` as a file without a telling name."""
    path = folder / name
    path.write_bytes(raw)
    return path


def opened(raw: bytes) -> pyvips.Image:
    """An encoding, decoded."""
    return pyvips.Image.new_from_buffer(raw, "")


def profiles_of(plan: Iterable[tuple[int, tuple[str, ...]]]) -> set[str]:
    """Every profile that a plan serves."""
    return {profile for _, profiles in plan for profile in profiles}


def test_a_large_picture_comes_in_the_width_of_each_profile() -> None:
    assert plan_widths(6000, 4000) == [
        (320, ("tablet", "guide")),
        (640, ("tablet", "wall", "guide")),
        (1280, ("tablet", "wall", "guide")),
        (1920, ("tablet", "wall", "galaxy")),
        (3840, ("wall", "galaxy")),
    ]


def test_a_small_picture_is_never_made_larger_and_serves_every_profile() -> None:
    assert plan_widths(500, 400) == [
        (320, ("tablet", "guide")),
        (500, ("tablet", "wall", "guide", "galaxy")),
    ]
    assert plan_widths(1, 1) == [(1, ("tablet", "wall", "guide", "galaxy"))]


def test_two_widths_that_differ_by_less_than_a_quarter_are_one() -> None:
    assert plan_widths(1600, 1200) == [
        (320, ("tablet", "guide")),
        (640, ("tablet", "wall", "guide")),
        (1600, ("tablet", "wall", "guide", "galaxy")),
    ]
    assert [width for width, _ in plan_widths(1800, 1200)] == [320, 640, 1280, 1800]


def test_a_tall_plan_is_bounded_by_its_height() -> None:
    plan = plan_widths(2000, 20_000)
    assert [width for width, _ in plan] == [64, 128, 256, 384, 768]
    assert profiles_of(plan) == {name for names in PROFILE_WIDTHS.values() for name in names}


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    path = stored(tmp_path, picture(900, 600).jpegsave_buffer())
    first, second = (encode(path, JPEG, max_pixels=LIMIT) for _ in range(2))
    assert [each.sha256 for each in first] == [each.sha256 for each in second]


def test_one_picture_comes_in_one_format_so_that_width_alone_is_chosen(tmp_path: Path) -> None:
    made = encode(stored(tmp_path, picture(1400, 900).jpegsave_buffer()), JPEG, max_pixels=LIMIT)
    assert len({each.media_type for each in made}) == 1
    assert made[0].media_type in ("image/webp", "image/avif")
    assert [each.name.split(".")[0] for each in made] == ["320", "640", "1400"]
    for each in made:
        assert (opened(each.raw).width, opened(each.raw).height) == (each.width, each.height)
        assert sniff(each.raw).media_type == each.media_type


def test_a_drawing_stays_without_loss(tmp_path: Path) -> None:
    plan = drawing(600, 400)
    made = encode(stored(tmp_path, plan.pngsave_buffer()), PNG, max_pixels=LIMIT)
    widest = opened(made[-1].raw)
    assert (widest - plan).abs().max() == 0


def test_a_picture_is_turned_upright_and_says_nothing_of_itself(tmp_path: Path) -> None:
    image = picture(400, 200).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "50/1 0/1 0/1")
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Somebody")
    raw = image.jpegsave_buffer()
    assert b"Somebody" in raw
    path = stored(tmp_path, raw)
    assert measure(path, JPEG, max_pixels=LIMIT) == (200, 400)
    for each in encode(path, JPEG, max_pixels=LIMIT):
        assert each.height == 2 * each.width
        assert b"Somebody" not in each.raw
        fields = opened(each.raw).get_fields()
        assert not [name for name in fields if "exif" in name or "xmp" in name]


def test_colours_of_another_profile_are_brought_to_srgb(tmp_path: Path) -> None:
    red = (pyvips.Image.black(64, 64, bands=3).linear(1, [220, 30, 30])).cast("uchar")
    red = red.copy(interpretation="srgb")
    wide = red.icc_export(output_profile="p3")
    assert (wide.cast("short") - red).abs().max() > 10
    made = encode(stored(tmp_path, wide.pngsave_buffer()), PNG, max_pixels=LIMIT)
    back = opened(made[-1].raw)
    assert not back.get_typeof("icc-profile-data")
    assert (back.cast("short") - red).abs().max() <= 3


def test_grey_cmyk_sixteen_bits_and_transparency_come_through(tmp_path: Path) -> None:
    grey = picture(64, 64).colourspace("b-w").pngsave_buffer()
    assert opened(encode(stored(tmp_path, grey), PNG, max_pixels=LIMIT)[-1].raw).width == 64
    cmyk = picture(200, 100).icc_export(output_profile="cmyk").jpegsave_buffer()
    assert opened(encode(stored(tmp_path, cmyk), JPEG, max_pixels=LIMIT)[-1].raw).bands == 3
    deep = picture(200, 100).colourspace("rgb16").pngsave_buffer(bitdepth=16)
    assert opened(encode(stored(tmp_path, deep), PNG, max_pixels=LIMIT)[-1].raw).format == "uchar"
    clear = drawing(200, 100).bandjoin(128).pngsave_buffer()
    assert opened(encode(stored(tmp_path, clear), PNG, max_pixels=LIMIT)[-1].raw).bands == 4


def test_the_first_frame_of_an_animation_is_the_picture(tmp_path: Path) -> None:
    frames = drawing(80, 60).join(picture(80, 60), "vertical").copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 60)
    for raw, found in ((frames.gifsave_buffer(), GIF), (frames.webpsave_buffer(), WEBP)):
        made = encode(stored(tmp_path, raw), found, max_pixels=LIMIT)
        assert (made[-1].width, made[-1].height) == (80, 60)


def test_fifty_thousand_pixels_square_are_refused_before_decoding(tmp_path: Path) -> None:
    # 2.5 thousand million pixels in 30 kB: the header alone must be enough to refuse.
    rows = zlib.compress(bytes(30_000_000), 9)
    bomb = png(chunk(b"IDAT", rows), chunk(b"IEND", b""), width=50_000, height=50_000)
    assert sniff(bomb) is PNG
    began = time.monotonic()
    with pytest.raises(TooLarge, match="50000 × 50000 pixels: expected at most 50000000"):
        encode(stored(tmp_path, bomb), PNG, max_pixels=LIMIT)
    assert time.monotonic() - began < 2


def test_a_side_beyond_what_any_screen_shows_is_refused(tmp_path: Path) -> None:
    raw = png(
        chunk(b"IDAT", zlib.compress(bytes(70_001))), chunk(b"IEND", b""), width=70_000, height=1
    )
    with pytest.raises(TooLarge, match="65535 along a side"):
        measure(stored(tmp_path, raw), PNG, max_pixels=LIMIT)


def test_a_png_whose_rows_unfold_beyond_its_size_costs_nothing_more(tmp_path: Path) -> None:
    # The header says 10 × 10; the data would unfold to 100 MB.
    raw = png(
        chunk(b"IDAT", zlib.compress(bytes(100_000_000), 9)),
        chunk(b"IEND", b""),
        width=10,
        height=10,
    )
    began = time.monotonic()
    try:
        made = encode(stored(tmp_path, raw), PNG, max_pixels=LIMIT)
    except FileDamaged:
        made = ()
    assert all(each.width <= 10 for each in made)
    assert time.monotonic() - began < 2


def test_a_picture_whose_data_breaks_off_is_refused(tmp_path: Path) -> None:
    short = png(
        chunk(b"IDAT", zlib.compress(bytes(50))), chunk(b"IEND", b""), width=300, height=300
    )
    with pytest.raises(FileDamaged, match="PNG picture is cut short or damaged"):
        encode(stored(tmp_path, short), PNG, max_pixels=LIMIT)


def test_a_header_with_an_impossible_size_is_refused(tmp_path: Path) -> None:
    for width, height in ((0, 5), (5, 0), (2**31 - 1, 2**31 - 1)):
        raw = png(
            chunk(b"IDAT", zlib.compress(b"\0")), chunk(b"IEND", b""), width=width, height=height
        )
        with pytest.raises((FileDamaged, TooLarge)):
            measure(stored(tmp_path, raw), PNG, max_pixels=LIMIT)


def test_brackets_in_a_folders_name_are_no_options_of_libvips(tmp_path: Path) -> None:
    folder = tmp_path / "data[n=-1]"
    folder.mkdir()
    assert encode(stored(folder, picture(50, 50).gifsave_buffer()), GIF, max_pixels=LIMIT)


def test_libvips_keeps_its_unsafe_loaders_shut() -> None:
    assert images.pyvips is pyvips
    with pytest.raises(pyvips.Error):
        pyvips.Image.svgload_buffer(
            b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
        )


def test_a_jpeg_of_thousands_of_scans_does_not_keep_the_server_busy(tmp_path: Path) -> None:
    raw = picture(1000, 800).jpegsave_buffer(interlace=True)
    scan = raw.rindex(b"\xff\xda")
    last = raw[scan : raw.rindex(b"\xff\xd9")]
    bomb = raw[:-2] + last * 3000 + b"\xff\xd9"
    began = time.monotonic()
    with contextlib.suppress(FileDamaged):
        encode(stored(tmp_path, bomb), JPEG, max_pixels=LIMIT)
    assert time.monotonic() - began < 10
