"""How an original is handed to somebody who may have it: as a download, never as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from flask import Response, request

from content_api.media.intake import CHUNK
from content_api.media.models import Asset
from content_api.problems import NotFound
from package_format.serving import StaticFile, answer

SANDBOX = "default-src 'none'; sandbox"
"""A browser that opens the file all the same lets it run nothing and load nothing."""


def send_original(asset: Asset, path: Path) -> Response:
    """The file at `path` as an attachment, with ranges and validators.

    Raises:
        NotFound: its bytes are no longer there.
    """
    file = StaticFile(
        size=asset.size or 0,
        tag=asset.sha256 or "",
        media_type=asset.media_type or "application/octet-stream",
        cache_control="private, no-cache",
    )
    decided = answer(request.method, request_headers(), file)
    response = Response(status=decided.status)
    for name, value in decided.headers:
        # Only who may read assets reads this: no other site's page.
        if not name.startswith(("Access-Control-", "Cross-Origin-")):
            response.headers[name] = value
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    name = asset.filename or asset.id
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    if decided.body:
        response.response = read_range(path, decided.start, decided.stop)
    return response


def request_headers() -> dict[str, str]:
    """The headers `package_format.serving` decides by."""
    names = ("range", "if-range", "if-none-match", "accept-encoding")
    return {name: request.headers[name] for name in names if name in request.headers}


def read_range(path: Path, start: int, stop: int) -> Iterator[bytes]:
    """Bytes [start, stop) of a file, a chunk at a time.

    Raises:
        NotFound: the file is not there; raised before the first byte.
    """
    if not path.is_file():
        raise NotFound("The file is no longer stored.")

    def chunks() -> Iterator[bytes]:
        # Opened with the first byte: a client that goes away before leaves nothing open.
        with path.open("rb") as file:
            file.seek(start)
            left = stop - start
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    return chunks()
