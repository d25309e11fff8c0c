"""Which addresses a text may link to. Pure.

Our own parser, an allow-list: browsers drop tabs, line ends and leading control
characters from an address before they read its scheme, so `jav\\tascript:` runs.
An address with any such character is no address here.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

SCHEMES = ("http", "https", "mailto")

_FORBIDDEN = re.compile(
    r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\\<>\"^`{|}]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?_~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


def safe_href(address: str) -> str | None:
    """`address` as it may stand in a link, in ASCII; None when it is not allowed."""
    if len(address) > 2000 or _FORBIDDEN.search(address) or _SURROGATE.search(address):
        return None
    scheme, colon, rest = address.partition(":")
    if not colon or scheme.lower() not in SCHEMES:
        return None
    if scheme.lower() == "mailto":
        mail, _, query = rest.partition("?")
        return f"mailto:{mail}" if _MAIL.fullmatch(mail) and not query else None
    try:
        parts = urlsplit(address)
        host = parts.hostname
        parts.port  # noqa: B018  asking is what checks it
    except ValueError:
        return None
    if not rest.startswith("//") or not host or parts.username is not None:
        # A name before an @ makes one site look like another.
        return None
    return scheme.lower() + ":" + quote(rest, safe="/:?#[]@!$&'()*+,;=%~-._")
