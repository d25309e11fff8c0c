"""The shell: Chromium, and what watches it."""

from kiosk_client.shell.shell import Shell

__all__ = ["Shell"]
