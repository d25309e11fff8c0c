"""Fetching blobs: in parallel, resumable by proven block, wary of every answer.

Each blob is written straight into its part file on the disk that will hold it
and hashed on the way, so memory stays flat whatever the size. What arrived is
kept whatever happens; the next sync continues there.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from kiosk_client.errors import (
    DamagedTransfer,
    ForeignAnswer,
    KioskError,
    NoNetwork,
    OriginTrouble,
    from_os_error,
)
from kiosk_client.plan import DOCUMENT_TYPES
from kiosk_client.settling import Settling
from kiosk_client.store import Partial, Store
from kiosk_client.wire import Answer, WaitingForWindow, Wire, decoded, is_page
from package_format.layout import blob_path
from package_format.manifest import ManifestFile

WORKERS = 6
BAD_BLOCKS = 3
"""Times the same file may arrive wrong before it is given up."""

_PROGRESS = 64 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Where blobs come from: a repository's address, with a slash at its end."""

    url: str

    def blob(self, sha256: str) -> str:
        """Address of a blob."""
        return self.url + blob_path(sha256)


def fetch_blobs(
    wire: Wire,
    source: Source,
    store: Store,
    files: Sequence[ManifestFile],
    *,
    workers: int = WORKERS,
    progress: Progress = lambda received: None,
) -> None:
    """Fetch `files` into the pool; true afterwards: every one is stored and proven.

    The first failure that does not pass by itself stops all workers; what must
    wait for the download window stops nothing else. `progress` is told the
    bytes written as they come, less those that proved wrong.

    Raises:
        WaitingForWindow: all that may come at this hour has.
        NoNetwork, DamagedTransfer, ForeignAnswer, OriginTrouble: as the server answers.
        DiskFull, KioskError: the disk refused.
        Cancelled: the process is being stopped.
    """
    waiting: queue.SimpleQueue[ManifestFile] = queue.SimpleQueue()
    for entry in files:
        waiting.put(entry)
    failed: list[Exception] = []
    late: list[WaitingForWindow] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                entry = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                fetch_blob(
                    wire, source, store, entry, stop=stop, progress=progress, settling=settling
                )
            except WaitingForWindow as error:
                late.append(error)
            except Exception as error:  # noqa: BLE001  # raised again below, in the caller's thread
                failed.append(error)
                stop.set()

    threads = [
        threading.Thread(target=work, name=f"fetch-{number}", daemon=True)
        for number in range(min(workers, len(files)))
    ]
    try:
        settling = Settling(store)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            # Also after a failure: what came is whole, and need not be hashed again.
            settling.settle()
        finally:
            settling.close()
    except OSError as error:
        if not failed:
            raise from_os_error(error) from error
    if failed or late:
        raise (failed or late)[0]


def fetch_blob(
    wire: Wire,
    source: Source,
    store: Store,
    entry: ManifestFile,
    *,
    stop: threading.Event | None = None,
    progress: Progress = lambda received: None,
    settling: Settling | None = None,
) -> None:
    """Fetch one blob, continuing what lies there, until it is stored and proven.

    With `settling` a small one waits there for others before it is stored.

    Raises: as `fetch_blobs`.
    """
    stop = stop or threading.Event()
    if not wire.may_fetch(entry.size):
        raise wire.waiting()
    try:
        partial = Partial(store, entry)
    except OSError as error:
        raise from_os_error(error) from error
    failures = 0
    wrong = 0
    kept = False
    try:
        while (wanted := partial.next_range()) is not None and not stop.is_set():
            arrived = _Arrived()
            try:
                _fetch_range(wire, source, partial, wanted, arrived, stop, progress)
            except (NoNetwork, DamagedTransfer, ServerBusy) as error:
                # Progress since the last failure means the line is bad, not dead.
                failures = 1 if arrived.good >= _PROGRESS else failures + 1
                if failures >= wire.limits.attempts:
                    raise
                wire.pause(failures, error.retry_after if isinstance(error, ServerBusy) else None)
            if arrived.wrong:
                wrong += 1
                progress(-arrived.wrong)
                if wrong >= BAD_BLOCKS:
                    if arrived.page:
                        raise _page_instead(entry)
                    raise DamagedTransfer(
                        f"expected {entry.path} with SHA-256 {entry.sha256[:12]}…, "
                        f"got other bytes {wrong} times"
                    )
        if partial.is_complete():
            if settling is None:
                partial.finish()
            else:
                kept = True
                settling.add(partial)
    except OSError as error:
        raise from_os_error(error) from error
    finally:
        if not kept:
            partial.close()


class ServerBusy(OriginTrouble):
    """The server asked for patience; `retry_after` is its header, if any."""

    def __init__(self, message: str, retry_after: str | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(slots=True)
class _Arrived:
    good: int = 0
    wrong: int = 0
    page: bool = False


def _fetch_range(
    wire: Wire,
    source: Source,
    partial: Partial,
    wanted: tuple[int, int],
    arrived: _Arrived,
    stop: threading.Event,
    progress: Progress,
) -> None:
    entry = partial.entry
    start, end = wanted
    url = source.blob(entry.sha256)
    whole = wanted == (0, entry.size)
    # Ranges count bytes of the plain file, so compressed answers are for whole documents alone.
    zipped = whole and entry.type in DOCUMENT_TYPES
    headers = {"Accept-Encoding": "gzip" if zipped else "identity"}
    if not whole:
        # No If-Range: the name is the hash, and a web server whose tags are not, such as nginx,
        # would send the whole file again.
        headers["Range"] = f"bytes={start}-{end - 1}"
    response = wire.open("GET", url, headers=headers)
    try:
        at = check_answer(response, entry, wanted)
    except KioskError:
        response.close()
        raise
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    parts = wire.chunks(response, url, size=entry.size)
    first = True
    with contextlib.closing(response), contextlib.closing(parts):
        for chunk in decoded(parts, encoding, entry.size - at, url):
            if stop.is_set():
                return
            if first:
                first = False
                arrived.page = is_page(response.headers.get("Content-Type", ""), chunk[:512])
            # A server that ignores the range sends the whole: skip what is here already.
            if at < start:
                skip = min(start - at, len(chunk))
                at += skip
                chunk = chunk[skip:]
            chunk = chunk[: end - at]
            if not chunk:
                if at >= end:
                    return
                continue
            arrived.wrong += partial.write(at, chunk)
            arrived.good += len(chunk)
            at += len(chunk)
            progress(len(chunk))
        if at < end:
            raise DamagedTransfer(
                f"expected {entry.size} bytes for {entry.path}, got an answer that ends at {at}"
            )


def check_answer(response: Answer, entry: ManifestFile, wanted: tuple[int, int]) -> int:
    """The offset at which the answer's body begins, after holding it to what was asked.

    Raises:
        OriginTrouble: the file is not there, or the server failed for good.
        ForeignAnswer: a page where a file should be.
        DamagedTransfer: another range or length than asked.
    """
    status = response.status
    kind = response.headers.get("Content-Type", "").lower()
    if status == 429 or status >= 500:
        raise ServerBusy(
            f"expected {entry.path} from the repository, got status {status}",
            response.headers.get("Retry-After"),
        )
    if status in (200, 206) and kind.startswith("text/html") and entry.type != "text/html":
        raise _page_instead(entry)
    if status == 206:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        start, end = wanted
        if not found or (int(found[1]), int(found[2]) + 1) != (start, end):
            raise DamagedTransfer(
                f"expected bytes {start}-{end - 1} of {entry.path}, "
                f"got {response.headers.get('Content-Range', 'no range')[:60]!r}"
            )
        if found[3] not in ("*", str(entry.size)):
            raise DamagedTransfer(
                f"expected {entry.size} bytes for {entry.path}, got a file of {found[3]}"
            )
        return start
    if status == 200:
        length = response.headers.get("Content-Length")
        plain = response.headers.get("Content-Encoding", "identity").lower() == "identity"
        if plain and length is not None and length != str(entry.size):
            begun = b""
            with contextlib.suppress(HTTPError):
                begun = response.read1(512, decode_content=False)
            if is_page(kind, begun):
                raise _page_instead(entry)
            raise DamagedTransfer(
                f"expected {entry.size} bytes for {entry.path}, got {length[:20]}"
            )
        return 0
    if status == 416:
        raise DamagedTransfer(
            f"expected {entry.size} bytes for {entry.path}, got told they are not there"
        )
    raise OriginTrouble(f"expected {entry.path} from the repository, got status {status}")


def _page_instead(entry: ManifestFile) -> ForeignAnswer:
    return ForeignAnswer(
        f"expected {entry.path} from the repository, got a web page: "
        "is there a login page on this network?"
    )
