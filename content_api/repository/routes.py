"""`/repository/…`: the signed tree over HTTP, byte for byte what any static server gives.

Paths are matched against the shapes of our own names, never joined from what a client
sent. How a file is answered is decided in `package_format.serving`; here bytes move.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Response, request

from content_api.problems import NotFound
from content_api.settings import current_settings
from package_format.canonical import sha256_hex
from package_format.layout import is_slug
from package_format.serving import IMMUTABLE, Answer, StaticFile, answer

CHUNK = 256 * 1024
"""Bytes handed to the server at a time."""

_METADATA = re.compile(r"metadata/(?:timestamp|[1-9][0-9]{0,9}\.(?:root|targets|snapshot))\.json")
_TARGET = re.compile(r"targets/packages/([a-z0-9-]+)/([0-9a-f]{64})\.(?:live|preview)\.json")
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")

repository = Blueprint("repository", __name__, url_prefix="/repository")

site_blueprints = [repository]


@repository.get("/<path:path>")
def get_file(path: str) -> Response:
    """A file of the repository."""
    folder = current_settings().repository_dir
    described = _describe(folder, path)
    if described is None:
        raise NotFound("There is no such file in the repository.")
    file, found = described
    headers = {name.lower(): value for name, value in request.headers.items()}
    decision = answer(request.method, headers, file)
    return send(found.with_name(found.name + ".gz") if decision.use_gzip else found, decision)


def send(path: Path, decision: Answer) -> Response:
    """A response with the status, headers and bytes that were decided."""
    body: Iterator[bytes] | bytes = b""
    if decision.body:
        # Opened here, so that a file that went away is a 404 and not a broken stream.
        body = _stream(os.open(path, os.O_RDONLY), decision.start, decision.stop)
    response = Response(body, status=decision.status, direct_passthrough=True)
    response.headers.clear()
    response.headers.extend(decision.headers)
    return response


def _describe(folder: Path, path: str) -> tuple[StaticFile, Path] | None:
    found = folder / path
    if _METADATA.fullmatch(path):
        return _describe_metadata(found, path)
    target, blob = _TARGET.fullmatch(path), _BLOB.fullmatch(path)
    if target and is_slug(target[1]):
        tag, media_type = target[2], "application/json"
    elif blob:
        tag, media_type = blob[2], "application/octet-stream"
    else:
        return None
    size = _size(found)
    if size is None:
        return None
    gzip_size = _size(found.with_name(found.name + ".gz"))
    return StaticFile(size, tag, media_type, IMMUTABLE, gzip_size), found


def _describe_metadata(found: Path, path: str) -> tuple[StaticFile, Path] | None:
    # Metadata is small and the timestamp is replaced: its tag comes from the bytes.
    try:
        raw = found.read_bytes()
    except FileNotFoundError:
        return None
    cache = "no-cache" if path.endswith("/timestamp.json") else IMMUTABLE
    return StaticFile(len(raw), sha256_hex(raw), "application/json", cache), found


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _stream(handle: int, start: int, stop: int) -> Iterator[bytes]:
    try:
        while start < stop:
            chunk = os.pread(handle, min(CHUNK, stop - start), start)
            if not chunk:
                return
            start += len(chunk)
            yield chunk
    finally:
        os.close(handle)
