"""How a static file of the repository is answered over HTTP: a pure decision.

Server and kiosk both serve the repository; both ask here and then move bytes.
Follows RFC 9110 for conditional and range requests. Measured libraries were
wrong on one-byte ranges, `If-Range`, `HEAD` with `Range` or unknown units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

IMMUTABLE = "public, max-age=31536000, immutable"

_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """What is known of a file: its size in bytes, strong tag (unquoted) and headers."""

    size: int
    tag: str
    media_type: str
    cache_control: str = IMMUTABLE
    gzip_size: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers, and the half-open range [start, stop) of bytes to send."""

    status: int
    headers: tuple[tuple[str, str], ...]
    start: int
    stop: int
    use_gzip: bool = False
    body: bool = True


def answer(method: str, request: Mapping[str, str], file: StaticFile) -> Answer:
    """Decide the answer to GET or HEAD.

    `request` holds the request's headers by lower-case name: `range`,
    `if-range`, `if-none-match`, `accept-encoding`.
    """
    ranged = method == "GET" and "range" in request
    use_gzip = (
        file.gzip_size is not None
        and not ranged
        and accepts_gzip(request.get("accept-encoding", ""))
    )
    etag = f'"{file.tag}{"-gzip" if use_gzip else ""}"'
    headers = [
        ("ETag", etag),
        ("Cache-Control", file.cache_control),
        ("Accept-Ranges", "bytes"),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "Content-Range, ETag, Accept-Ranges"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if file.gzip_size is not None:
        headers.append(("Vary", "Accept-Encoding"))
    if _matches(request.get("if-none-match", ""), etag):
        return Answer(304, tuple(headers), 0, 0, use_gzip, body=False)
    headers.append(("Content-Type", file.media_type))
    size = file.size
    if use_gzip and file.gzip_size is not None:
        headers.append(("Content-Encoding", "gzip"))
        size = file.gzip_size
    if ranged and request.get("if-range", etag).strip() == etag:
        asked = parse_range(request["range"], size)
        if asked is False:
            headers.append(("Content-Range", f"bytes */{size}"))
            headers.append(("Content-Length", "0"))
            return Answer(416, tuple(headers), 0, 0, body=False)
        if asked is not None:
            start, stop = asked
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
            headers.append(("Content-Length", str(stop - start)))
            return Answer(206, tuple(headers), start, stop)
    headers.append(("Content-Length", str(size)))
    return Answer(200, tuple(headers), 0, size, use_gzip, body=method != "HEAD")


def parse_range(header: str, size: int) -> tuple[int, int] | Literal[False] | None:
    """Half-open (start, stop) of one byte range.

    None: not one valid range, to be ignored. False: a range outside the file.
    """
    found = _RANGE.fullmatch(header)
    if not found or not (found[1] or found[2]):
        return None
    if len(found[1]) > 19 or len(found[2]) > 19:
        return None
    if not found[1]:
        suffix = int(found[2])
        return (max(0, size - suffix), size) if suffix and size else False
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None
    stop = min(int(found[2]) + 1, size) if found[2] else size
    return (start, stop) if start < size else False


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` header asks for gzip (`gzip;q=0` refuses it)."""
    for part in header.split(","):
        name, _, parameters = part.strip().lower().partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return not re.fullmatch(r"\s*q=0(\.0{0,3})?\s*", parameters)
    return False


def _matches(header: str, etag: str) -> bool:
    # Weak comparison (RFC 9110 13.1.2): a proxy may have weakened our tag.
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return header.strip() == "*" or etag in tags
