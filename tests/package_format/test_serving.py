"""Range and conditional requests, answered as RFC 9110 says and as kiosks need them."""

from __future__ import annotations

import pytest

from package_format.serving import IMMUTABLE, Answer, StaticFile, answer

FILM = StaticFile(size=1000, tag="ab12", media_type="video/mp4")
DOCUMENT = StaticFile(size=1000, tag="cd34", media_type="application/json", gzip_size=300)


def header(found: Answer, name: str) -> str | None:
    return dict(found.headers).get(name)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=999-999", 999, 1000),
        ("bytes=0-1", 0, 2),
        ("bytes=500-", 500, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=990-5000", 990, 1000),
    ],
)
def test_one_range_is_answered_exactly(asked: str, start: int, stop: int) -> None:
    found = answer("GET", {"range": asked}, FILM)
    assert (found.status, found.start, found.stop) == (206, start, stop)
    assert header(found, "Content-Range") == f"bytes {start}-{stop - 1}/1000"
    assert header(found, "Content-Length") == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_outside_the_file_is_416_and_tells_the_size(asked: str) -> None:
    found = answer("GET", {"range": asked}, FILM)
    assert found.status == 416
    assert header(found, "Content-Range") == "bytes */1000"
    assert not found.body


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "items=0-1", "bytes=5-1", "bytes=a-b", "bytes=", "bytes=-", "bytes=１-２"],
)
def test_anything_that_is_not_one_valid_byte_range_is_ignored(asked: str) -> None:
    found = answer("GET", {"range": asked}, FILM)
    assert (found.status, found.start, found.stop) == (200, 0, 1000)


def test_a_range_of_an_empty_file_is_416() -> None:
    assert answer("GET", {"range": "bytes=0-"}, StaticFile(0, "e", "text/plain")).status == 416


def test_head_never_answers_206_and_sends_no_body() -> None:
    found = answer("HEAD", {"range": "bytes=0-0"}, FILM)
    assert (found.status, found.body) == (200, False)
    assert header(found, "Content-Length") == "1000"


def test_if_range_with_another_tag_sends_the_whole_file() -> None:
    changed = answer("GET", {"range": "bytes=10-", "if-range": '"old"'}, FILM)
    same = answer("GET", {"range": "bytes=10-", "if-range": '"ab12"'}, FILM)
    assert (changed.status, same.status) == (200, 206)


def test_if_range_with_a_weak_tag_sends_the_whole_file() -> None:
    assert answer("GET", {"range": "bytes=1-", "if-range": 'W/"ab12"'}, FILM).status == 200


@pytest.mark.parametrize("given", ['"ab12"', 'W/"ab12"', '"x", "ab12"', "*"])
def test_a_client_that_holds_the_file_gets_304_with_its_headers(given: str) -> None:
    found = answer("GET", {"if-none-match": given}, FILM)
    assert found.status == 304
    assert header(found, "ETag") == '"ab12"'
    assert header(found, "Cache-Control") == IMMUTABLE
    assert header(found, "Access-Control-Allow-Origin") == "*"


def test_a_document_is_compressed_for_those_who_ask_under_its_own_tag() -> None:
    found = answer("GET", {"accept-encoding": "br, gzip;q=0.8"}, DOCUMENT)
    assert found.use_gzip
    assert header(found, "Content-Encoding") == "gzip"
    assert header(found, "Content-Length") == "300"
    assert header(found, "ETag") == '"cd34-gzip"'
    assert header(found, "Vary") == "Accept-Encoding"


def test_a_compressed_document_is_never_cut_by_a_range() -> None:
    found = answer("GET", {"accept-encoding": "gzip", "range": "bytes=0-9"}, DOCUMENT)
    assert (found.status, found.use_gzip, found.stop) == (206, False, 10)


@pytest.mark.parametrize("given", ["gzip;q=0", "identity", "", "gzip;q=0.000"])
def test_a_client_that_refuses_gzip_gets_plain_bytes_and_is_told_they_vary(given: str) -> None:
    found = answer("GET", {"accept-encoding": given}, DOCUMENT)
    assert not found.use_gzip
    assert header(found, "Vary") == "Accept-Encoding"
