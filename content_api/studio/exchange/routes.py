"""Pages of the exchange with translators' own tools: texts out, texts back, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.rules import allows
from content_api.content.exchange import judging, service
from content_api.content.exchange.files import EXTENSIONS, MEDIA_TYPES, write_file
from content_api.content.exchange.units import FORMATS, MAX_FILE, ExchangeRefused, OutFile
from content_api.content.listing import entry_title
from content_api.content.models import Entry, Revision
from content_api.content.translation import STATES
from content_api.content.types import content_types
from content_api.database import session
from content_api.media.service import clean_filename
from content_api.messages import gettext as _
from content_api.messages import ngettext
from content_api.packages.models import Package
from content_api.problems import BadRequest, ContentError, NotFound
from content_api.studio.exchange.words import (
    changes,
    format_words,
    outcome_words,
    report_csv,
    trouble_words,
    verdict_words,
)
from content_api.studio.formats import content_languages, label_of
from content_api.studio.pages import Pages, redirect_to, render

pages = Pages("exchange", __name__, url_prefix="/studio/exchange")

SHOWN = 500
"""Rows of a report on its page; the table to download has them all."""

LOOKED_AT = (judging.REFUSED, judging.TAKEN, judging.CONFIRMED, judging.UNCHANGED)

FORMAT_CHOICES = tuple((form, format_words(form)) for form in FORMATS)


@pages.get("/")
@pages.requires("entry.read")
def index() -> ResponseReturnValue:
    """What to send out, what came back."""
    return _index()


@pages.get("/count")
@pages.requires("entry.read")
def count() -> ResponseReturnValue:
    """How many texts a file would hold; a part of the page."""
    try:
        texts, entries = service.count_texts(session(), current_actor(), _wish())
    except ContentError as error:
        return render("exchange/_count.html", trouble=trouble_words(error))
    return render("exchange/_count.html", texts=texts, entries=entries, trouble="")


@pages.get("/file")
@pages.requires("entry.read")
def export() -> ResponseReturnValue:
    """The file for a translator."""
    form = request.args.get("format", "")
    if form not in FORMATS:
        raise BadRequest(f"format: expected one of {', '.join(FORMATS)}.")
    try:
        found = _gathered()
    except ExchangeRefused as error:
        return _index(export_trouble=trouble_words(error), status=422)
    if not found.count():
        return _index(export_trouble=_("Nothing to translate in this choice."), status=422)
    name = "-".join(
        part
        for part in (
            request.args.get("package") or request.args.get("entry") or "lampisterie",
            request.args.get("type"),
            found.target_language,
        )
        if part
    )
    return _download(write_file(found, form), f"{name[:120]}.{EXTENSIONS[form]}", MEDIA_TYPES[form])


@pages.post("/")
@pages.requires("entry.write")
def upload() -> ResponseReturnValue:
    """Take in a file to look at what it would change."""
    given = request.files.get("file")
    if given is None or not given.filename:
        return _index(import_trouble=_("Choose the file that came back."), status=422)
    with given.stream as stream:
        # One byte more than is taken tells that there are more.
        raw = stream.read(MAX_FILE + 1)
    name = clean_filename(given.filename) or "texts"
    try:
        kept = service.keep_upload(session(), current_actor(), raw, name)
        service.judge_file(session(), current_actor(), kept.raw)
    except ExchangeRefused as error:
        session().rollback()
        return _index(import_trouble=trouble_words(error), status=422)
    return redirect_to(f"/studio/exchange/{kept.id}")


@pages.get("/<string:upload_id>")
@pages.requires("entry.write")
def report(upload_id: str) -> ResponseReturnValue:
    """What a file would change, or what it changed."""
    kept, found = _report(upload_id)
    only = request.args.get("only", "")
    rows = [row for row in found.rows if not only or row.verdict.outcome == only]
    # What asks for a look comes first; within an outcome the file's own order stays.
    rows.sort(key=lambda row: LOOKED_AT.index(row.verdict.outcome))
    return render(
        "exchange/report.html",
        upload=kept,
        report=found,
        counts=found.counts(),
        only=only,
        rows=rows[:SHOWN],
        more=max(0, len(rows) - SHOWN),
        outcome_words=outcome_words,
        changes=changes,
        verdict_words=verdict_words,
        format_name=format_words(found.format),
    )


@pages.post("/<string:upload_id>")
@pages.requires("entry.write")
def take(upload_id: str) -> ResponseReturnValue:
    """Save what the file brings."""
    actor = current_actor()
    kept = service.get_upload(session(), actor, upload_id)
    if kept.taken_at is not None:
        return redirect_to(f"/studio/exchange/{kept.id}", _("This file was taken already."), "info")
    counts = service.take_upload(session(), actor, kept).counts()
    saved = counts["taken"] + counts["confirmed"]
    text = ngettext(
        "%(n)s text is saved. Nothing is approved by this.",
        "%(n)s texts are saved. Nothing is approved by this.",
        saved,
    )
    return redirect_to(f"/studio/exchange/{kept.id}", text)


@pages.post("/<string:upload_id>/drop")
@pages.requires("entry.write")
def drop(upload_id: str) -> ResponseReturnValue:
    """Forget a file."""
    session().delete(service.get_upload(session(), current_actor(), upload_id))
    return redirect_to(
        "/studio/exchange/", _("The file is forgotten; nothing was changed by that.")
    )


@pages.get("/<string:upload_id>/report.csv")
@pages.requires("entry.write")
def report_table(upload_id: str) -> ResponseReturnValue:
    """The whole report for a spreadsheet."""
    kept, found = _report(upload_id)
    name = kept.filename.rsplit(".", 1)[0]
    return _download(report_csv(found).encode(), f"{name}.csv", "text/csv; charset=utf-8")


def _report(upload_id: str) -> tuple[Any, service.Report]:
    actor = current_actor()
    kept = service.get_upload(session(), actor, upload_id)
    if kept.report is not None:
        return kept, service.report_from_json(kept.report)
    return kept, service.judge_file(session(), actor, kept.raw)


def _gathered() -> OutFile:
    return service.gather(session(), current_actor(), _wish())


def _wish() -> service.Wish:
    args = request.args
    states = tuple(state for state in args.getlist("states") if state)
    return service.Wish(
        language=args.get("language", ""),
        states=states or service.TO_TRANSLATE,
        entries=tuple(filter(None, [args.get("entry", "").strip()])),
        package=args.get("package") or None,
        type_id=args.get("type") or None,
    )


def _index(
    *, export_trouble: str = "", import_trouble: str = "", status: int = 200
) -> ResponseReturnValue:
    actor = current_actor()
    args = request.args
    tags = [row for row in content_languages().values() if row.source is not None]
    mine = [row for row in tags if allows(actor, "entry.write", scopes=(row.tag,))]
    entry_id = args.get("entry", "")
    return render(
        "exchange/index.html",
        status,
        targets=tags,
        language=args.get("language") or next((row.tag for row in mine or tags), ""),
        formats=FORMAT_CHOICES,
        chosen_format=args.get("format") or "xliff12",
        packages=_packages() if allows(actor, "package.read") else [],
        kinds=list(content_types()),
        states=STATES,
        chosen_states=args.getlist("states") or service.TO_TRANSLATE,
        entry_id=entry_id,
        entry_name=_entry_name(entry_id) if entry_id else "",
        package=args.get("package", ""),
        type_id=args.get("type", ""),
        uploads=service.uploads(session(), actor),
        export_trouble=export_trouble,
        import_trouble=import_trouble,
    )


def _packages() -> Sequence[Package]:
    return session().scalars(select(Package).order_by(Package.slug)).all()


def _entry_name(entry_id: str) -> str:
    row = (
        session()
        .execute(
            select(Entry.type, Revision.body)
            .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
            .where(Entry.id == entry_id)
        )
        .first()
    )
    if row is None or not allows(current_actor(), "entry.read", entry_type=row[0]):
        raise NotFound(f"There is no entry {entry_id[:64]!r}.")
    return label_of(entry_title(content_types(), row[0], row[1]), entry_id)


def _download(raw: bytes, name: str, media_type: str) -> Response:
    response = make_response(raw)
    response.headers["Content-Type"] = media_type
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return response
