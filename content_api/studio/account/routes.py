"""Pages of signing in, of links that set a password, and of one's own account."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, request

from content_api.accounts import links, oidc, service
from content_api.accounts.access import current_actor, current_token_id
from content_api.accounts.models import User
from content_api.accounts.service import LoginFailed
from content_api.content.types import content_types
from content_api.database import engine, session, utc_now
from content_api.messages import gettext as _
from content_api.problems import Conflict, ContentError, NotFound, RateLimited, Refused
from content_api.settings import current_settings
from content_api.studio import sessions
from content_api.studio.account.forms import (
    TOKEN_DAYS,
    language_options,
    password_problem,
    profile_errors,
    wait_words,
    zone_options,
)
from content_api.studio.formats import DEFAULT_LANGUAGE, DEFAULT_ZONE
from content_api.studio.pages import Pages, local_path, redirect_to, render, wants_json
from content_api.studio.people.words import role_words, where_words

pages = Pages("account", __name__, url_prefix="/studio")

log = logging.getLogger(__name__)

ACCOUNT = "/studio/account"

OPENID_COOKIE = "lampisterie_openid"
OPENID_PATH = "/studio/openid"

_OPENID_ERRORS = (
    oidc.OpenIDRefused,
    oidc.ProviderAway,
    oidc.PersonUnknown,
    oidc.PersonDeactivated,
)


# -- Signing in and out ----------------------------------------------------------------------


@pages.get("/sign-in")
@pages.public("nobody has a session before signing in")
def sign_in() -> Response:
    """The form; who is signed in already goes on to where they wanted to go."""
    after = local_path(request.args.get("next"))
    if sessions.current_user() is not None:
        return redirect_to(after or "/studio/")
    return _sign_in_page(after, error=_why_signed_out())


@pages.post("/sign-in")
@pages.public("nobody has a session before signing in; failed tries are limited")
def sign_in_send() -> Response:
    """Open a session. A script that asks for JSON gets what its open page needs to go on."""
    name = request.form.get("name", "")[:254]
    after = local_path(request.form.get("next"))
    try:
        token, secret = service.log_in(
            engine(), name, request.form.get("password", ""), request.remote_addr or "", utc_now()
        )
    except (LoginFailed, RateLimited) as error:
        if isinstance(error, RateLimited):
            error.message = wait_words(error)
        else:
            error.message = _("The name or the password is wrong. Check both and try again.")
        if wants_json():
            raise
        answer = _sign_in_page(after, name=name, error=error.message, status=int(error.status))
        answer.headers.extend({k: v for k, v in error.headers.items() if k == "Retry-After"})
        return answer
    if not wants_json():
        answer = redirect_to(after or "/studio/")
        sessions.open_session(answer, secret)
        return answer
    answer = jsonify(name=token.user.display_name, csrf_token=sessions.token_of(secret))
    sessions.open_session(answer, secret)
    return answer


@pages.post("/sign-out")
@pages.signed_in("everybody may end their own session")
def sign_out() -> Response:
    """End the session that is used."""
    token_id = current_token_id()
    if token_id is not None:
        service.log_out(session(), current_actor(), token_id)
    answer = redirect_to("/studio/sign-in", _("You are signed out."), "info")
    sessions.close_session(answer)
    return answer


# -- The organisation's accounts -------------------------------------------------------------


@pages.get("/openid/start")
@pages.public("nobody has a session before signing in")
def openid_start() -> Response:
    """Go to the provider to sign in there."""
    after = local_path(request.args.get("next"))
    provider = _provider()
    try:
        started = oidc.start(provider, _return_address(), after, utc_now())
    except oidc.ProviderAway as error:
        return _openid_refused(error, after)
    answer = redirect_to(started.address)
    answer.set_cookie(
        OPENID_COOKIE,
        started.cookie,
        max_age=int(oidc.FLOW_LIFE.total_seconds()),
        path=OPENID_PATH,
        httponly=True,
        # Lax: the provider sends the browser back by a link, and the cookie must come along.
        samesite="Lax",
        secure=request.is_secure,
    )
    return _unseen(answer)


@pages.get("/openid/return")
@pages.public("the provider sends people here to be signed in; its answer is verified")
def openid_return() -> Response:
    """Sign in whom the provider vouches for, if they are known here."""
    cookie = request.cookies.get(OPENID_COOKIE, "")
    after = None
    try:
        claims, after = oidc.finish(
            _provider(), _return_address(), cookie, request.args.to_dict(), utc_now()
        )
        _token, secret = oidc.sign_in(engine(), claims, utc_now())
    except _OPENID_ERRORS as error:
        log.info("openid sign-in refused: %s", error.code)
        answer = _openid_refused(error, after)
    else:
        answer = redirect_to(local_path(after) or "/studio/")
        sessions.open_session(answer, secret)
    answer.delete_cookie(OPENID_COOKIE, path=OPENID_PATH, secure=request.is_secure)
    return _unseen(answer)


# -- Links that set a password ---------------------------------------------------------------


@pages.get("/link/<secret>")
@pages.public("whoever holds an invitation or a reset has no password yet; guesses are limited")
def one_time_link(secret: str) -> Response:
    """The form that sets a password, for the holder of a link."""
    try:
        link = links.look_at_link(engine(), secret, request.remote_addr or "", utc_now())
    except (NotFound, Conflict, RateLimited) as error:
        return _link_over(error)
    return _unseen(render("account/link.html", link=link, error=""))


@pages.post("/link/<secret>")
@pages.public("whoever holds an invitation or a reset has no password yet; guesses are limited")
def one_time_link_send(secret: str) -> Response:
    """Set the password and sign in."""
    password = request.form.get("password", "")
    address = request.remote_addr or ""
    try:
        if password != request.form.get("again", ""):
            link = links.look_at_link(engine(), secret, address, utc_now())
            wrong = _("The two passwords are not the same. Type them again.")
            return _unseen(render("account/link.html", 422, link=link, error=wrong))
        _token, opened = links.use_link(engine(), secret, password, address, utc_now())
    except Refused as error:
        link = links.look_at_link(engine(), secret, address, utc_now())
        wrong = password_problem(error)
        return _unseen(render("account/link.html", 422, link=link, error=wrong))
    except (NotFound, Conflict, RateLimited) as error:
        return _link_over(error)
    answer = redirect_to("/studio/", _("Your password is set, and you are signed in."))
    sessions.open_session(answer, opened)
    return _unseen(answer)


# -- One's own account -----------------------------------------------------------------------


@pages.get("/account")
@pages.signed_in("everybody may see and change their own account")
def account() -> Response:
    """Who one is, one's password, where one is signed in, one's tokens."""
    return _account_page()


@pages.post("/account")
@pages.signed_in("everybody may see and change their own account")
def change_account() -> Response:
    """Change name, e-mail, interface language and time zone."""
    names = ("display_name", "email", "ui_language", "timezone")
    values = {name: request.form.get(name, "").strip() for name in names}
    errors = profile_errors(values)
    if not errors:
        actor = current_actor()
        known = {"display_name": values["display_name"], "email": values["email"] or None}
        try:
            service.change_user(session(), actor, actor.id, known)
        except Conflict:
            errors["email"] = _("Somebody else has this address.")
    if errors:
        return _account_page(422, profile=values, errors=errors)
    service.set_preferences(
        session(), actor.id, ui_language=values["ui_language"], timezone=values["timezone"]
    )
    answer = redirect_to(ACCOUNT)
    sessions.remember_language(answer, values["ui_language"])
    # Said on the next page, which speaks the language just chosen.
    sessions.flash(_("Saved."))
    return answer


@pages.post("/account/password")
@pages.signed_in("everybody may change their own password, knowing the current one")
def change_password() -> Response:
    """Replace one's own password; every other session and token of one's own ends."""
    new = request.form.get("new", "")
    if new != request.form.get("again", ""):
        wrong = {"again": _("The two passwords are not the same. Type them again.")}
        return _account_page(422, errors=wrong)
    try:
        service.change_own_password(
            engine(),
            current_actor(),
            request.form.get("current", ""),
            new,
            request.remote_addr or "",
            keep_token=current_token_id() or "",
        )
    except LoginFailed:
        return _account_page(422, errors={"current": _("This is not your current password.")})
    except RateLimited as error:
        answer = _account_page(429, errors={"current": wait_words(error)})
        answer.headers["Retry-After"] = error.headers["Retry-After"]
        return answer
    except Refused as error:
        return _account_page(422, errors={"new": password_problem(error)})
    return redirect_to(ACCOUNT, _("Your password is changed. Everywhere else you are signed out."))


@pages.post("/account/sign-out-everywhere")
@pages.signed_in("everybody may end their own sessions")
def sign_out_everywhere() -> Response:
    """End every session of one's own, this one too."""
    service.end_sessions(session(), current_actor(), current_actor().id)
    answer = redirect_to("/studio/sign-in", _("You are signed out everywhere."), "info")
    sessions.close_session(answer)
    return answer


@pages.post("/account/tokens")
@pages.signed_in("everybody may make tokens that act as themselves")
def create_token() -> Response:
    """Make an API token; the answer is the only page that ever shows it."""
    name = request.form.get("name", "").strip()
    days = request.form.get("days", "")
    errors = {}
    if not 1 <= len(name) <= 100 or not name.isprintable():
        errors["token_name"] = _("Say what the token is for, in up to 100 characters.")
    if days not in {str(number) for number in TOKEN_DAYS}:
        errors["days"] = _("Choose one of the list.")
    if errors:
        return _account_page(422, errors=errors, token_name=name)
    token, secret = service.create_token(
        session(),
        current_actor(),
        current_actor().id,
        name=name,
        life=timedelta(days=int(days)),
        made_with=current_token_id(),
    )
    return _account_page(201, new_token=token, new_secret=secret)


@pages.post("/account/tokens/<token_id>/end")
@pages.signed_in("everybody may end their own sessions and tokens")
def end_token(token_id: str) -> Response:
    """End one session or token of one's own."""
    token = service.find_token(session(), token_id)
    if token is None or token.user_id != current_actor().id:
        raise NotFound(f"You have no token {token_id[:64]!r}.")
    service.revoke_token(session(), current_actor(), token.id)
    if token.id == current_token_id():
        answer = redirect_to("/studio/sign-in", _("You are signed out."), "info")
        sessions.close_session(answer)
        return answer
    said = _("That session is ended.") if token.kind == "session" else _("The token is ended.")
    return redirect_to(ACCOUNT, said)


def _sign_in_page(
    after: str | None, *, name: str = "", error: str = "", status: int = 200
) -> Response:
    provider = oidc.provider_of(current_settings())
    return render(
        "account/sign_in.html",
        status,
        name=name,
        after=after,
        error=error,
        openid_name=provider.name if provider else "",
        openid_href="/studio/openid/start" + (f"?{urlencode({'next': after})}" if after else ""),
    )


def _provider() -> oidc.Provider:
    provider = oidc.provider_of(current_settings())
    if provider is None:
        raise NotFound("This server signs nobody in with other accounts.")
    return provider


def _return_address() -> str:
    base = current_settings().public_url or request.host_url.rstrip("/")
    return f"{base}{OPENID_PATH}/return"


def _openid_refused(error: ContentError, after: str | None) -> Response:
    name = _provider().name
    if isinstance(error, oidc.ProviderAway):
        said = _(
            "%(provider)s cannot be reached now. Wait a moment, or sign in with your password.",
            provider=name,
        )
    elif isinstance(error, oidc.PersonUnknown):
        said = _(
            "%(provider)s knows you, but nobody has let you in here yet. Ask an administrator "
            "of this studio to invite you.",
            provider=name,
        )
    elif isinstance(error, oidc.PersonDeactivated):
        said = _("Your account was deactivated here. Ask an administrator of this studio.")
    else:
        said = _("Signing in with %(provider)s did not work. Try it once more.", provider=name)
    return _sign_in_page(local_path(after), error=said, status=int(error.status))


def _account_page(
    status: int = 200,
    *,
    profile: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    user: User = service.get_user(session(), current_actor().id)
    open_tokens = service.open_tokens(session(), user.id, utc_now())
    return render(
        "account/account.html",
        status,
        profile=profile
        or {
            "display_name": user.display_name,
            "email": user.email or "",
            "ui_language": user.ui_language or DEFAULT_LANGUAGE,
            "timezone": user.timezone or DEFAULT_ZONE,
        },
        errors=errors or {},
        languages_of_ui=language_options(),
        zones=zone_options(),
        has_password=user.password_hash is not None,
        said_grants=[
            (role_words(row.role), where_words(row.scopes, row.types, content_types()))
            for row in user.grants
        ],
        sessions_open=[row for row in open_tokens if row.kind == "session"],
        tokens_open=[row for row in open_tokens if row.kind == "api"],
        this_token=current_token_id(),
        token_days=TOKEN_DAYS,
        **more,
    )


def _link_over(error: ContentError) -> Response:
    if isinstance(error, RateLimited):
        said = wait_words(error)
    elif isinstance(error, links.LinkUsed):
        said = _("This link was used already: a link works once. Sign in with your password.")
    elif isinstance(error, links.LinkOver):
        said = _("This link no longer works: its time is over, or a newer one was made.")
    else:
        said = _("This link is not complete. Copy the whole address, to its last letter.")
    answer = render("account/link_over.html", int(error.status), said=said)
    if isinstance(error, RateLimited):
        answer.headers["Retry-After"] = error.headers["Retry-After"]
    return _unseen(answer)


def _unseen(response: Response) -> Response:
    # The address of these pages is a secret: no other page may learn it.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _why_signed_out() -> str:
    return _("Your session ended. Sign in again.") if sessions.session_ended() else ""
