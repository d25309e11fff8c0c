"""The studio's cookies: who is signed in, and that a change was sent from our own pages.

The session cookie holds the token that signing in gave; the database knows its hash, ends
it, and lists it. It is sent to the studio alone, so that no page of ours or of others can
make a browser speak for somebody to the API. A change must carry a token that only a page
of the studio could read; where a browser says from where a request comes, that counts too.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from hashlib import sha256
from secrets import compare_digest, token_urlsafe
from urllib.parse import urlsplit

from flask import Response, g, request

from content_api.accounts.access import actor_of, identify
from content_api.accounts.models import User
from content_api.accounts.rules import Actor
from content_api.problems import Forbidden, Unauthenticated

SESSION_COOKIE = "lampisterie_session"
VISIT_COOKIE = "lampisterie_visit"
"""Tells visitors who have not signed in apart, so that their forms cannot be forged either."""

FLASH_COOKIE = "lampisterie_flash"
"""Messages for the page that comes next. Not signed: it holds text that is shown as text."""

LANGUAGE_COOKIE = "lampisterie_language"
COOKIE_PATH = "/studio"

SESSION_COOKIE_AGE = 7 * 24 * 3600
"""Seconds. Longer than a session: who comes back later is told that it ended, and an open
page can still prove that it is ours when its owner signs in again."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestForged(Forbidden):
    """A change came without proof that a page of ours sent it."""

    code = "request-forged"


def enter() -> None:
    """Learn who sends this request, if its cookie tells; nobody is refused for it here."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    g.studio_user = None
    g.sign_in_error = None
    if not secret:
        return
    try:
        user = identify(secret)
    except Unauthenticated as error:
        g.sign_in_error = error
        return
    g.studio_user = user
    g.actor = actor_of(user)


def current_user() -> User | None:
    """The person signed in, or None. Their row, as it was when the request began."""
    found: User | None = g.get("studio_user")
    return found


def current_actor_or_none() -> Actor | None:
    """Who acts, or None where nobody has signed in."""
    return g.get("actor") if current_user() is not None else None


def session_ended() -> bool:
    """Whether the browser holds a session that is over, or was ended."""
    return g.get("sign_in_error") is not None


def check_origin() -> None:
    """Let a change pass only if a page of ours sent it.

    Raises:
        RequestForged: it did not, or the page is older than its cookies.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    elsewhere = site is not None and site != "same-origin"
    # A page that hides its address (`Referrer-Policy: no-referrer`) hides its origin too: it
    # sends `null`. Sec-Fetch-Site still tells where it is from, and the token still proves it.
    foreign = origin not in (None, "null") and urlsplit(origin or "").netloc != request.host
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    secret = _cookie_secret()
    if elsewhere or foreign or not secret or not compare_digest(given, token_of(secret)):
        raise RequestForged(
            "The page that sent this is too old or not ours: reload it and try again."
        )


def csrf_token() -> str:
    """What a form of this visitor must send back."""
    secret = _cookie_secret()
    if not secret:
        secret = g.new_visit = token_urlsafe(24)
    return token_of(secret)


def flash(message: str, tone: str = "good") -> None:
    """Show `message` on the page that comes next. Tones: good, info, warn, bad."""
    g.setdefault("flashes", []).append((tone, message))


def flashes() -> list[tuple[str, str]]:
    """Tone and text of the messages that wait; they are shown once."""
    waiting: list[tuple[str, str]] = [*_flashes_of_cookie(), *g.pop("flashes", [])]
    g.flashes_shown = True
    return waiting


def finish(response: Response) -> Response:
    """Give a new visitor their cookie, and keep or forget the messages that wait."""
    new_visit = g.pop("new_visit", None)
    if new_visit:
        _set(response, VISIT_COOKIE, new_visit, None)
    waiting = g.pop("flashes", [])
    if waiting:
        text = json.dumps([*_flashes_of_cookie(), *waiting][-5:])
        _set(response, FLASH_COOKIE, base64.urlsafe_b64encode(text.encode()).decode(), 60)
    elif g.get("flashes_shown") and FLASH_COOKIE in request.cookies:
        response.delete_cookie(FLASH_COOKIE, path=COOKIE_PATH)
    return response


def open_session(response: Response, secret: str) -> None:
    """Sign in the browser that gets `response`; open pages must use `token_of(secret)` now."""
    _set(response, SESSION_COOKIE, secret, SESSION_COOKIE_AGE)


def close_session(response: Response) -> None:
    """Sign the browser out. The token itself is ended by the accounts service."""
    response.delete_cookie(SESSION_COOKIE, path=COOKIE_PATH, secure=request.is_secure)


def remember_language(response: Response, tag: str) -> None:
    """Keep the interface language of somebody who has not signed in."""
    _set(response, LANGUAGE_COOKIE, tag, 365 * 24 * 3600)


def _flashes_of_cookie() -> list[tuple[str, str]]:
    try:
        found = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH_COOKIE, "")))
        return [(str(tone), str(text)[:500]) for tone, text in found]
    except (ValueError, TypeError, binascii.Error):
        return []


def _cookie_secret() -> str:
    if "new_visit" in g:
        return str(g.new_visit)
    return request.cookies.get(SESSION_COOKIE) or request.cookies.get(VISIT_COOKIE, "")


def token_of(secret: str) -> str:
    """The CSRF token of a visitor whose cookie is `secret`; it tells nothing of the cookie."""
    return hmac.new(secret.encode(), b"studio form", sha256).hexdigest()


def _set(response: Response, name: str, value: str, age: int | None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=age,
        path=COOKIE_PATH,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
