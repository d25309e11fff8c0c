"""Static files of the studio, its style page, and addresses where nothing is."""

from __future__ import annotations

import mimetypes
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Response, jsonify, make_response, request

from content_api.messages import available_languages, current_language, script_messages
from content_api.problems import NotFound
from content_api.studio import sessions
from content_api.studio.pages import HERE, Pages, local_path, redirect_to, render

pages = Pages("base", __name__, url_prefix="/studio")

STATIC = HERE / "static"

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


@pages.get("/static/<path:path>")
@pages.public("scripts and styles hold nobody's work, and the sign-in page needs them")
def static_file(path: str) -> Response:
    """A script, style or picture of the studio itself."""
    parts = path.split("/")
    if any(part.startswith(".") or not part or "\\" in part for part in parts):
        raise NotFound("There is no such file.")
    found = STATIC.joinpath(*parts)
    if not found.is_file():
        raise NotFound("There is no such file.")
    status = found.stat()
    response = make_response(found.read_bytes())
    guessed = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    response.headers["Content-Type"] = _TYPES.get(found.suffix, guessed)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(_tag(found, status.st_mtime_ns, status.st_size))
    response.make_conditional(request)
    return response


@pages.get("/messages.json")
@pages.public("the words of the interface are nobody's secret")
def script_words() -> Response:
    """The words that scripts use, in the reader's language."""
    response = jsonify(
        {"language": current_language(), "words": script_messages(current_language())}
    )
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


@pages.post("/language")
@pages.public("whoever cannot read the sign-in page must be able to change its language")
def choose_language() -> Response:
    """Change the interface language of this browser, and of the person signed in."""
    tag = request.form.get("language", "")
    response = redirect_to(local_path(request.form.get("next")) or "/studio/")
    if tag in available_languages():
        user = sessions.current_user()
        if user is not None:
            from content_api.accounts.service import set_interface_language
            from content_api.database import session

            set_interface_language(session(), user.id, tag)
        sessions.remember_language(response, tag)
    return response


@pages.get("/style")
@pages.signed_in("whoever builds or judges pages may see what they are built of")
def style_page() -> Response:
    """Every component of the studio on one page."""
    return render("style.html")


@pages.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@pages.public("it says only that nothing is there")
def nothing(rest: str) -> Response:
    """An address of the studio where nothing is."""
    raise NotFound(f"There is nothing at /studio/{rest[:100]}.")


@lru_cache(maxsize=512)
def _tag(path: Path, _mtime: int, _size: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:32]
