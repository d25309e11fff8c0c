"""Running the server: the checks before, then Granian until it is told to stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from content_api.command_line import check_prepared
from content_api.database import utc_now
from content_api.problems import ContentError
from content_api.settings import Settings, prepare_data_dir

STOP_TIMEOUT = 20
"""Seconds that a worker may take to end its open answers."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class PortTaken(ContentError):
    """The server cannot listen where it was told to."""

    code = "port-taken"


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    access_log: bool,
    say: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        NotReady: the data directory was not prepared for this version.
        PortTaken: host and port cannot be listened on.
    """
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from content_api.repository.service import refresh

    prepare_data_dir(settings)
    check_prepared(settings)
    check_port(host, port)
    # Before the first answer: devices that wake together with the server get a fresh signature.
    refresh(settings, utc_now())
    os.environ.update(environment_of(settings))
    server = Granian(
        target="content_api.serve_target:make_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        workers_kill_timeout=STOP_TIMEOUT,
        respawn_failed_workers=True,
        log_access=False,
        log_level=LogLevels.error,
        log_dictconfig=log_config(access_log=access_log),
    )
    where = f"[{host}]" if ":" in host else host
    say(f"Serving http://{where}:{port}/ (API: /api/docs). Ctrl-C stops.")
    server.serve()


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as a worker process reads them."""
    return {
        "CONTENT_API_DATA": str(settings.data_dir),
        "CONTENT_API_DATABASE": settings.database_url,
        "CONTENT_API_PUBLIC_URL": settings.public_url,
        "CONTENT_API_MAX_UPLOAD": str(settings.max_upload),
        "CONTENT_API_MAX_PIXELS": str(settings.max_pixels),
        "CONTENT_API_TRUSTED_PROXIES": str(settings.trusted_proxies),
    }


def check_port(host: str, port: int) -> None:
    """Go on only if this host and port can be listened on.

    Raises:
        PortTaken: another program listens there, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {host} port {port} ({error.strerror}): "
            "expected a free port of this machine, choose one with --port"
        ) from error


def log_config(*, access_log: bool) -> dict[str, Any]:
    """Logging of a serving process, to stderr, in Python's form of a dictionary."""
    level = "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": LOG_FORMAT}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "content_api": {"level": level},
            "content_api.access": {"level": level if access_log else "WARNING"},
            # Its warnings are advice on tuning; what stops it is an error.
            "_granian": {"level": "ERROR"},
        },
    }
