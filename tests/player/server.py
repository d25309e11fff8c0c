"""A server of static files with the headers every player page gets; remembers what was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

POLICY = (
    "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'"
)
TYPES = {
    ".js": "text/javascript",
    ".vtt": "text/vtt",
    ".geojson": "application/geo+json",
    ".webp": "image/webp",
}


@dataclass
class Site:
    """Where the player is served, and the paths that were asked of it."""

    url: str
    player: Path
    release: Path
    vendor: Path | None
    asked: list[str] = field(default_factory=list)


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def __init__(self, site: Site, *args: object) -> None:
        self.site = site
        super().__init__(*args)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        relative = path.split("?")[0].split("#")[0].lstrip("/") or "index.html"
        self.site.asked.append(relative)
        if relative.startswith("vendor/"):
            root = self.site.vendor or Path("/nonexistent")
            return str(root / relative.removeprefix("vendor/"))
        root = (
            self.site.release
            if relative.startswith("content/") or relative == "release.json"
            else self.site.player
        )
        return str(root / relative)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked or not path.is_file():
            super().do_GET()
            return
        whole = path.read_bytes()
        start = int(asked[1])
        part = whole[start : int(asked[2]) + 1 if asked[2] else None]
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(player: Path, release: Path, vendor: Path | None) -> Iterator[Site]:
    """Serve the player at `/` on a free port until the block ends."""
    site = Site("", player, release, vendor)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, site))
    site.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
