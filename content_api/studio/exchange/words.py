"""What becomes of a text that came back, in the reader's words; and the report as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from content_api.content.exchange.judging import Verdict
from content_api.content.exchange.service import Judged, Report
from content_api.content.exchange.units import ExchangeRefused
from content_api.content.translation import Segment, difference
from content_api.messages import gettext as _
from content_api.problems import ContentError
from content_api.studio.formats import label_of

LONGEST_COMPARED = 1_200
"""Characters of two texts that are compared on the page; longer ones stand side by side."""


def outcome_words(outcome: str) -> str:
    """An outcome as a heading."""
    return {
        "taken": _("Taken"),
        "confirmed": _("Confirmed"),
        "unchanged": _("Unchanged"),
        "refused": _("Refused"),
    }.get(outcome, outcome)


def format_words(form: str) -> str:
    """A format's name."""
    return {"xliff12": "XLIFF 1.2", "xliff2": "XLIFF 2.0", "po": "gettext PO"}.get(form, form)


def verdict_words(verdict: Verdict) -> str:
    """Why, and what to do, in a sentence; empty where nothing need be said."""
    if verdict.outcome == "taken":
        if verdict.outdated:
            return _("The source has changed since the file was made: to be looked at again.")
        if verdict.state == "machine":
            return _("Marked in the file as a machine translation: to be checked.")
        return ""
    if verdict.outcome == "confirmed":
        return _("The same text, confirmed for the present source.")
    detail = verdict.detail
    said = {
        "nothing-written": _("Nothing is written in the file."),
        "same": _("The file brings nothing new."),
        "unknown-entry": _("No such entry here, or you may not read it."),
        "unknown-state": _(
            "The file was made from a state of the entry that is not in its history."
        ),
        "path-gone": _("The entry no longer has this text."),
        "not-allowed": _("Your roles do not include writing this language."),
        "unreadable": _("This part of the file cannot be read."),
        "part-missing": _("Some of its sentences are translated and some are not."),
        "source-altered": _("The source in the file is not the one that was sent."),
        "mark-lost": _("A link of the source is missing: %(mark)s", mark=detail),
        "mark-unknown": _("A mark that the source does not have: %(mark)s", mark=detail),
        "mark-twice": _("A mark stands twice: %(mark)s", mark=detail),
        "mark-crossed": _("A mark is not closed, or closed before it opens: %(mark)s", mark=detail),
        "bad-text": _("Characters that are no text, such as control characters."),
        "too-long": _("Longer than the field allows (%(lengths)s).", lengths=detail),
        "fuzzy": _("Marked as unfinished (fuzzy) in the file."),
        "conflict": _("It was changed here since the file was made; that text is kept."),
        "again": _("The file has this text twice; the first one counts."),
    }
    return said.get(verdict.reason, verdict.reason)


def changes(row: Judged) -> list[Segment]:
    """How the text in the file differs from the one here; empty where there is no comparing."""
    before, value = row.before, row.verdict.value
    if not before or not value or before == value or len(before) + len(value) > LONGEST_COMPARED:
        return []
    return difference(before, value)


def trouble_words(error: ContentError) -> str:
    """Why a file cannot be read or made, and what to do."""
    said = {
        "too-large": _("The file is too large (3 MB at most). Send fewer texts out at once."),
        "too-many": _("Too many texts for one file. Choose a package or a kind of entry."),
        "encoding": _("The file is not in UTF-8. Save it again in that encoding."),
        "doctype": _("The file has a document type (DOCTYPE), which is not accepted."),
        "broken": _("The file is damaged or not complete. Ask for it to be sent again."),
        "other-format": _("This is not an XLIFF 1.2, XLIFF 2.0 or PO file."),
        "several-languages": _("The file mixes several languages. Send one file a language."),
        "other-languages": _("The file is not for a language that is translated here."),
    }
    reason = error.reason if isinstance(error, ExchangeRefused) else ""
    return said.get(reason, error.message)


def report_csv(report: Report) -> str:
    """The report as a table for a spreadsheet: one row a text, one line of headings."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        [_("Entry"), _("Id"), _("Field"), _("Outcome"), _("Remark"), _("Here"), _("In the file")]
    )
    for row in report.rows:
        writer.writerow([_harmless(cell) for cell in _cells(row)])
    # A spreadsheet knows UTF-8 by this mark.
    return "\ufeff" + out.getvalue()


def _cells(row: Judged) -> Iterator[str]:
    yield row.title
    yield f"{row.entry_id} {row.path}".strip()
    yield label_of(row.label, row.path)
    yield outcome_words(row.verdict.outcome)
    yield verdict_words(row.verdict)
    yield row.before or ""
    yield row.verdict.value or ""


def _harmless(cell: str) -> str:
    # A spreadsheet takes what begins like this for a formula and runs it.
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
