"""What every page of the studio shares: who may open it, rendering, refusals, small answers.

A page without a declared permission does not start. Errors that services raise become a
page, a message beside what was being done (htmx), or problem+json for our own scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, g, make_response, request
from flask import render_template as flask_render
from marshmallow import Schema, ValidationError
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from content_api import problems
from content_api.accounts.access import require_action, require_user
from content_api.api import access_of, guarded
from content_api.messages import gettext as _
from content_api.problems import BadRequest, ContentError, Refused, Unauthenticated
from content_api.strict_json import JSONRefused, parse_json
from content_api.studio import sessions

Function = TypeVar("Function", bound=Callable[..., Any])

HERE = Path(__file__).parent

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; frame-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
"""Nothing inline, nothing from elsewhere, in nobody else's frame."""

JSON = "application/json"


class Pages(Blueprint):
    """The pages of one area; each says which action it needs or why it is open."""

    def __init__(self, area: str, import_name: str, *, url_prefix: str) -> None:
        super().__init__(
            f"studio-{area}",
            import_name,
            url_prefix=url_prefix,
            template_folder=str(HERE / "templates"),
        )
        self.before_request(_enter)
        self.after_request(_finish)
        self.register_error_handler(ContentError, _refuse)
        self.register_error_handler(HTTPException, _refuse_http)
        self.register_error_handler(OperationalError, _database_away)
        self.register_error_handler(IntegrityError, _clash)
        self.register_error_handler(Exception, _mistake)

    def requires(self, action: str) -> Callable[[Function], Function]:
        """Declare that a page needs `action`; the actor is checked before anything else."""
        return lambda function: guarded(function, lambda: _require(action), action=action)

    def signed_in(self, why: str) -> Callable[[Function], Function]:
        """Declare that any person who is signed in may open a page, and why no role is asked."""
        return lambda function: guarded(function, _require_person, signed_in=why)

    def public(self, why: str) -> Callable[[Function], Function]:
        """Declare that anyone may open a page, and why."""
        return lambda function: guarded(function, None, public=why)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a page.

        Raises:
            TypeError: it does not say who may open it.
        """
        if access_of(view_func) is None:
            raise TypeError(
                f"{view_func.__qualname__} of {rule!r}: expected requires, signed_in or public"
            )
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


def render(template: str, status: int = 200, **context: Any) -> Response:
    """A page, or a part of one."""
    return make_response(flask_render(template, **context), status)


def is_partial() -> bool:
    """Whether htmx asks for a part of the page it shows."""
    return request.headers.get("HX-Request") == "true" and not request.headers.get("HX-Boosted")


def wants_json() -> bool:
    """Whether our own script asks, rather than a person's browser."""
    best = request.accept_mimetypes.best_match(["text/html", JSON], "text/html")
    return best == JSON or request.mimetype == JSON


def redirect_to(url: str, message: str | None = None, tone: str = "good") -> Response:
    """Go on to another page of the studio, with a message shown there."""
    if message:
        sessions.flash(message, tone)
    response = make_response("", 204 if is_partial() else 303)
    response.headers["HX-Redirect" if is_partial() else "Location"] = url
    return response


def json_body(schema: type[Schema]) -> dict[str, Any]:
    """The JSON that our script sent, held to `schema`.

    Raises:
        BadRequest: it cannot be read.
        Refused: it does not have the form it should; errors say where.
    """
    try:
        found: dict[str, Any] = schema().load(parse_json(request.get_data(cache=True)))
    except JSONRefused as error:
        raise BadRequest(f"The body cannot be read: {error}.") from error
    except ValidationError as error:
        raise Refused(
            "The request does not have the expected form: see errors.",
            errors=list(problems.field_errors(error.messages)),
        ) from error
    return found


def explain(error: ContentError) -> str:
    """What a refusal means, in the reader's language where we have words for it."""
    said = {
        "unauthenticated": _("Sign in to open this page."),
        "token-invalid": _("You were signed out. Sign in again; nothing you typed is lost."),
        "token-expired": _("Your session ended. Sign in again; nothing you typed is lost."),
        "forbidden": _("Your roles do not include this. An administrator can change them."),
        "request-forged": _("This page is out of date. Reload it and try again."),
        "edit-conflict": _("Somebody else changed the same text while you were working."),
        "not-found": _("There is nothing at this address. It may have been removed or renamed."),
        "not-ready": _("The server is busy with this already. Wait a moment and try again."),
        "too-large": _("That is more than the server takes."),
    }
    return said.get(error.code, error.message)


def field_anchor(path: str, scope: str) -> str:
    """Id of a field on the edit page: `f-story--b1--text-fr`, `f-coords-shared`."""
    return f"f-{path.replace('.', '--')}-{'shared' if scope == '*' else scope}"


def local_path(text: str | None) -> str | None:
    """`text` if it is a path inside the studio, so that nobody is sent elsewhere; else None."""
    if not text or not text.startswith("/studio/") or "\\" in text or "//" in text.split("?")[0]:
        return None
    return text if text.isprintable() else None


def sign_in_address(after: str | None = None) -> str:
    """Where to sign in, to come to the page `after` from there."""
    return "/studio/sign-in" + (f"?{urlencode({'next': after})}" if after else "")


def _enter() -> None:
    sessions.enter()
    from content_api.studio.formats import choose_language

    choose_language()
    sessions.check_origin()


def _require(action: str) -> None:
    _require_session()
    require_action(action)


def _require_person() -> None:
    _require_session()
    require_user()


def _require_session() -> None:
    # The API's tokens do not open pages: without a cookie nobody is there.
    if sessions.current_user() is None:
        raise g.sign_in_error or Unauthenticated(_("Sign in to open this page."))


def _finish(response: Response) -> Response:
    headers = response.headers
    if response.mimetype == "text/html":
        headers.setdefault("Content-Security-Policy", POLICY)
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Referrer-Policy", "same-origin")
    # Pages hold unpublished work: nobody's cache keeps them.
    headers.setdefault("Cache-Control", "private, no-store")
    headers.add("Vary", "Cookie, Accept-Language, HX-Request")
    return sessions.finish(response)


def _refuse(error: ContentError) -> Response:
    page = not wants_json() and not is_partial() and request.method in sessions.SAFE_METHODS
    if isinstance(error, Unauthenticated) and page:
        return redirect_to(sign_in_address(local_path(request.full_path.rstrip("?"))))
    if wants_json():
        return problems.handle_content_error(error)
    return _error_page(int(error.status), explain(error), error.errors, dict(error.headers))


def _refuse_http(error: HTTPException) -> Response:
    if isinstance(error, RequestRedirect):
        return error.get_response()  # type: ignore[return-value]
    if wants_json():
        return problems.handle_http_exception(error)
    status = error.code or 500
    return _error_page(status, error.description or HTTPStatus(status).phrase)


def _database_away(error: OperationalError) -> Response:
    if wants_json():
        return problems.handle_database_away(error)
    problems.log.warning("database: %s", error.orig)
    return _error_page(503, _("The database is busy. Wait a moment and try again."))


def _clash(error: IntegrityError) -> Response:
    if wants_json():
        return problems.handle_integrity(error)
    problems.log.info("refused by the database: %s", error.orig)
    return _error_page(409, _("Somebody changed the same thing a moment ago. Reload the page."))


def _mistake(error: Exception) -> Response:
    answer = problems.handle_unexpected(error)
    if wants_json():
        return answer
    return _error_page(500, _("The server made a mistake. It has been noted; please try again."))


def _error_page(
    status: int,
    text: str,
    errors: Any = (),
    headers: dict[str, str] | None = None,
) -> Response:
    titles = {
        401: _("Please sign in"),
        403: _("Not allowed"),
        404: _("Not found"),
        409: _("Changed meanwhile"),
        412: _("Changed meanwhile"),
        413: _("Too large"),
        429: _("Too many tries"),
        503: _("Not available now"),
    }
    title = titles.get(status, _("This did not work"))
    template = "components/error_part.html" if is_partial() else "error.html"
    headers = {name: v for name, v in (headers or {}).items() if name != "WWW-Authenticate"}
    response = render(
        template, status, error_title=title, error_text=text, errors=errors, status_code=status
    )
    response.headers.extend(headers)
    return response
