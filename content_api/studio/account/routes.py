"""Pages of signing in and of one's own account."""

from __future__ import annotations

from flask import Response, jsonify, request

from content_api.accounts import service
from content_api.accounts.access import current_actor, current_token_id
from content_api.accounts.service import LoginFailed
from content_api.database import engine, session, utc_now
from content_api.messages import gettext as _
from content_api.messages import ngettext
from content_api.problems import RateLimited
from content_api.studio import sessions
from content_api.studio.pages import Pages, local_path, redirect_to, render, wants_json

pages = Pages("account", __name__, url_prefix="/studio")


@pages.get("/sign-in")
@pages.public("nobody has a session before signing in")
def sign_in() -> Response:
    """The form; who is signed in already goes on to where they wanted to go."""
    after = local_path(request.args.get("next"))
    if sessions.current_user() is not None:
        return redirect_to(after or "/studio/")
    return render("account/sign_in.html", name="", after=after, error=_why_signed_out())


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
            error.message = _wait_words(int(error.headers["Retry-After"]))
        else:
            error.message = _("The name or the password is wrong. Check both and try again.")
        if wants_json():
            raise
        answer = render(
            "account/sign_in.html", int(error.status), name=name, after=after, error=error.message
        )
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


def _why_signed_out() -> str:
    return _("Your session ended. Sign in again.") if sessions.session_ended() else ""


def _wait_words(seconds: int) -> str:
    if seconds < 90:
        return ngettext(
            "Too many tries that failed. Wait %(n)s second, then try again.",
            "Too many tries that failed. Wait %(n)s seconds, then try again.",
            seconds,
        )
    minutes = -(-seconds // 60)
    return ngettext(
        "Too many tries that failed. Wait %(n)s minute, then try again.",
        "Too many tries that failed. Wait %(n)s minutes, then try again.",
        minutes,
    )
