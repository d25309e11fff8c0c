"""At start-up: bring order to what a crash may have cut off."""

from __future__ import annotations

import logging

from flask import Flask
from sqlalchemy.exc import DBAPIError

from content_api.packages.reconcile import recover
from content_api.problems import ContentError

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Reconcile releases with the repository; a server that cannot still starts and says so."""
    try:
        recover(app.extensions["lampisterie_engine"], app.extensions["lampisterie_settings"])
    except (ContentError, DBAPIError, OSError) as error:
        # Not migrated yet, or a publication goes on in another process: its end does the same.
        log.warning("releases were not reconciled at start-up: %s", error)
