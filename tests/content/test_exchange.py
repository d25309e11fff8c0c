"""Texts out to translators and back: chosen, saved, claimed, and never against work done here."""

from __future__ import annotations

from typing import Any

import polib
import pytest
from lxml import etree
from sqlalchemy import event
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.content.approvals import approvals
from content_api.content.claims import make_claim, translation_status
from content_api.content.document import flatten
from content_api.content.exchange import service, xliff2, xliff12
from content_api.content.exchange.files import write_file
from content_api.content.exchange.service import (
    Report,
    Wish,
    count_texts,
    gather,
    get_upload,
    judge_file,
    keep_upload,
    report_from_json,
    take_file,
    take_upload,
    uploads,
)
from content_api.content.exchange.units import FORMATS, ExchangeRefused
from content_api.content.models import Entry
from content_api.content.service import create_entry, get_revision, save_entry
from content_api.content.types import ContentTypes
from content_api.packages.models import Package
from content_api.problems import Forbidden, NotFound, Refused
from tests.content.conftest import person, put

ANNE = person(Grant("translator", scopes=("ja",)), name="anne")
EVERY = ("missing", "outdated", "machine", "translated", "reviewed")


@pytest.fixture
def port(content: Session, types: ContentTypes) -> str:
    """A place with a story, partly translated."""
    create_entry(
        content, SYSTEM, "place",
        [
            put("title", "fr", "Le port"), put("title", "ja", "港"),
            put("lead", "fr", "La **grue** : [voir](https://a.b)"),
            {"op": "insert_block", "path": "story.b1", "value": {"type": "paragraph"}},
            put("story.b1.text", "fr", "Un\n\nDeux"),
        ],
        entry_id="port", types=types,
    )  # fmt: skip
    return "port"


def sent(session: Session, types: ContentTypes, form: str = "po", **wish: Any) -> bytes:
    """A file for Japanese."""
    found = gather(session, SYSTEM, Wish("ja", **{"states": EVERY, **wish}), types=types)
    return write_file(found, form)


def with_targets(raw: bytes, **targets: str) -> bytes:
    """A PO file in which somebody wrote, by path (with _ for .)."""
    file = polib.pofile(raw.decode())
    for entry in file:
        path = entry.msgctxt.split(" ")[1]
        if path.replace(".", "_") in targets:
            entry.msgstr = targets[path.replace(".", "_")]
            entry.flags = []
    return str(file).encode()


def outcomes(report: Report) -> dict[str, tuple[str, str]]:
    """Outcome and reason by path."""
    return {row.path: (row.verdict.outcome, row.verdict.reason) for row in report.rows}


def status(session: Session, types: ContentTypes, path: str) -> str:
    """The status of a Japanese text of the port."""
    rows = translation_status(session, "port", ["ja"], types=types)["ja"]
    return next(row.status for row in rows if row.path == path)


def text(session: Session, path: str, scope: str = "ja") -> Any:
    """What the port says."""
    head = session.get_one(Entry, "port").head_rev
    return flatten(get_revision(session, "port", head).body).get((path, scope))


def test_what_needs_a_translator_goes_out_in_the_order_of_the_form(
    content: Session, types: ContentTypes, port: str
) -> None:
    found = gather(content, SYSTEM, Wish("ja"), types=types)
    (entry,) = found.entries
    assert [unit.path for unit in entry.units] == ["lead", "story.b1.text"]
    assert (found.source_language, entry.title, entry.type_label) == ("fr", "Le port", "Lieu")
    assert count_texts(content, SYSTEM, Wish("ja"), types=types) == (2, 1)
    every = gather(content, SYSTEM, Wish("ja", states=EVERY), types=types)
    assert [unit.path for unit in every.entries[0].units] == ["title", "lead", "story.b1.text"]


def test_an_outdated_text_goes_out_with_what_its_source_was(
    content: Session, types: ContentTypes, port: str
) -> None:
    save_entry(content, SYSTEM, port, 1, [put("title", "fr", "Le vieux port")], types=types)
    found = gather(content, SYSTEM, Wish("ja", states=("outdated",)), types=types)
    (unit,) = found.entries[0].units
    assert (unit.status, unit.before, unit.target) == ("outdated", "Le port", "港")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_nobody_touched_changes_nothing(
    content: Session, types: ContentTypes, port: str, form: str
) -> None:
    raw = sent(content, types, form)
    report = take_file(content, SYSTEM, raw, "ja", types=types)
    assert {row.verdict.outcome for row in report.rows} == {"unchanged"}
    assert content.get_one(Entry, port).head_rev == 1


def test_texts_are_saved_once_an_entry_and_nothing_is_approved(
    content: Session, types: ContentTypes, port: str
) -> None:
    raw = with_targets(sent(content, types), lead="**鶴**：[見る](https://a.b)", story_b1_text="一")
    dry = judge_file(content, ANNE, raw, types=types)
    assert content.get_one(Entry, port).head_rev == 1
    report = take_file(content, ANNE, raw, "ja.po", types=types)
    assert report == dry
    assert outcomes(report) == {
        "title": ("unchanged", "same"),
        "lead": ("taken", ""),
        "story.b1.text": ("taken", ""),
    }
    assert content.get_one(Entry, port).head_rev == 2
    assert text(content, "lead") == "**鶴**：[見る](https://a.b)"
    assert text(content, "lead", "fr") == "La **grue** : [voir](https://a.b)"
    assert status(content, types, "lead") == "translated"
    revision = get_revision(content, port, 2)
    assert (revision.author, revision.message) == ("anne", "From ja.po")
    assert approvals(content, [port])[port] == {}
    again = take_file(content, ANNE, raw, "ja.po", types=types)
    assert {row.verdict.outcome for row in again.rows} == {"unchanged"}


def test_a_text_made_from_an_older_source_is_outdated_and_shows_what_changed(
    content: Session, types: ContentTypes, port: str
) -> None:
    raw = with_targets(sent(content, types), lead="**鶴**：[見る](https://a.b)")
    save_entry(content, SYSTEM, port, 1, [put("lead", "fr", "La **tour**")], types=types)
    report = take_file(content, ANNE, raw, "ja.po", types=types)
    row = next(row for row in report.rows if row.path == "lead")
    assert (row.verdict.outcome, row.verdict.outdated) == ("taken", True)
    rows = translation_status(content, port, ["ja"], types=types)["ja"]
    lead = next(row for row in rows if row.path == "lead")
    assert lead.status == "outdated"
    old = "".join(part.text for part in lead.changes if part.op != "insert")
    assert old == "La **grue** : [voir](https://a.b)"


def test_what_changed_here_since_is_never_overwritten(
    content: Session, types: ContentTypes, port: str
) -> None:
    raw = with_targets(sent(content, types), title="ミナト", lead="鶴 [見る](https://a.b)")
    save_entry(content, SYSTEM, port, 1, [put("title", "ja", "みなと")], types=types)
    report = take_file(content, ANNE, raw, "ja.po", types=types)
    assert outcomes(report)["title"] == ("refused", "conflict")
    assert outcomes(report)["lead"] == ("taken", "")
    assert text(content, "title") == "みなと"
    row = next(row for row in report.rows if row.path == "title")
    assert (row.before, row.verdict.value) == ("みなと", "ミナト")


def test_an_entry_that_is_saved_while_a_file_is_taken_is_left_alone(
    content: Session, types: ContentTypes, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = with_targets(sent(content, types), lead="鶴 [見る](https://a.b)")
    judged = service.judge_file

    def and_then_somebody_saves(*given: Any, **more: Any) -> Report:
        report = judged(*given, **more)
        save_entry(content, SYSTEM, port, 1, [put("lead", "ja", "別")], types=types)
        return report

    monkeypatch.setattr(service, "judge_file", and_then_somebody_saves)
    report = take_file(content, ANNE, raw, "ja.po", types=types)
    assert outcomes(report)["lead"] == ("refused", "conflict")
    row = next(row for row in report.rows if row.path == "lead")
    assert row.verdict.value == "鶴 [見る](https://a.b)"
    assert text(content, "lead") == "別"


def test_a_confirmed_text_is_current_again(
    content: Session, types: ContentTypes, port: str
) -> None:
    save_entry(content, SYSTEM, port, 1, [put("title", "fr", "Le vieux port")], types=types)
    raw = sent(content, types, states=("outdated",))
    untouched = take_file(content, ANNE, raw, "ja.po", types=types)
    assert outcomes(untouched) == {"title": ("unchanged", "same")}
    report = take_file(content, ANNE, with_targets(raw, title="港"), "ja.po", types=types)
    assert outcomes(report) == {"title": ("confirmed", "")}
    assert status(content, types, "title") == "translated"


def test_what_a_machine_made_stays_marked_and_reviews_are_not_taken_from_files(
    content: Session, types: ContentTypes, port: str
) -> None:
    root = etree.fromstring(sent(content, types, "xliff12"))
    space = {"x": xliff12.NAMESPACE}
    for path, state, qualifier in (
        ("story.b1.text", "translated", "mt-suggestion"),
        ("lead", "signed-off", None),
    ):
        target = root.find(f".//x:trans-unit[@id='{path}']/x:target", space)
        target.text = "" if path == "lead" else "一\n\n二"
        target.set("state", state)
        if qualifier:
            target.set("state-qualifier", qualifier)
        else:
            mark = etree.SubElement(target, f"{{{xliff12.NAMESPACE}}}g", id="2")
            mark.text = "見る"
    take_file(content, ANNE, etree.tostring(root), "ja.xlf", types=types)
    assert status(content, types, "story.b1.text") == "machine"
    assert (text(content, "lead"), status(content, types, "lead")) == (
        "[見る](https://a.b)",
        "translated",
    )
    out = gather(content, SYSTEM, Wish("ja", states=("machine",)), types=types)
    assert [unit.path for unit in out.entries[0].units] == ["story.b1.text"]


def test_a_reviewed_text_goes_out_as_reviewed(
    content: Session, types: ContentTypes, port: str
) -> None:
    make_claim(content, SYSTEM, port, "title", "ja", "reviewed", types=types)
    raw = sent(content, types, "xliff2", states=("reviewed",))
    segment = etree.fromstring(raw).find(f".//{{{xliff2.NAMESPACE}}}segment")
    assert segment.get("state") == "reviewed"


def test_every_refusal_has_its_reason(content: Session, types: ContentTypes, port: str) -> None:
    raw = with_targets(sent(content, types), lead="x" * 601, story_b1_text="一", title="ミナト")
    gone = raw.replace(b"port@1", b"quay@1")
    other = _other_state(raw)
    assert outcomes(judge_file(content, ANNE, raw, types=types))["lead"] == ("refused", "too-long")
    assert set(outcomes(judge_file(content, ANNE, gone, types=types)).values()) == {
        ("refused", "unknown-entry")
    }
    assert set(outcomes(judge_file(content, ANNE, other, types=types)).values()) == {
        ("refused", "unknown-state")
    }
    polish = person(Grant("translator", scopes=("pl",)), name="piotr")
    assert {
        pair[1] for pair in outcomes(judge_file(content, polish, raw, types=types)).values()
    } == {"not-allowed"}
    hidden = person(Grant("translator", types=("glossary_term",)), name="hana")
    rows = judge_file(content, hidden, raw, types=types).rows
    assert {row.verdict.reason for row in rows} == {"unknown-entry"}
    assert "Le port" not in str(rows)
    remove = {"op": "remove_block", "path": "story.b1"}
    save_entry(content, SYSTEM, port, 1, [remove], types=types)
    report = judge_file(content, ANNE, raw, types=types)
    assert outcomes(report)["story.b1.text"] == ("refused", "path-gone")
    twice = polib.pofile(raw.decode())
    twice.append(polib.POEntry(msgctxt=twice[0].msgctxt, msgid=twice[0].msgid, msgstr="二"))
    last = judge_file(content, ANNE, str(twice).encode(), types=types).rows[-1]
    assert (last.verdict.outcome, last.verdict.reason) == ("refused", "again")


def _other_state(raw: bytes) -> bytes:
    sha = raw.split(b"port@1.")[1][:12]
    return raw.replace(sha, sha[::-1] if sha != sha[::-1] else b"0" * 12)


def test_a_lost_link_is_refused_with_the_mark_that_is_missing(
    content: Session, types: ContentTypes, port: str
) -> None:
    root = etree.fromstring(sent(content, types, "xliff2", states=("missing",)))
    space = {"x": xliff2.NAMESPACE}
    segment = root.find(".//x:unit[@id='lead']/x:segment", space)
    etree.SubElement(segment, f"{{{xliff2.NAMESPACE}}}target").text = "鶴"
    report = take_file(content, ANNE, etree.tostring(root), "ja.xlf", types=types)
    row = next(row for row in report.rows if row.path == "lead")
    assert (row.verdict.reason, row.verdict.detail) == ("mark-lost", "[](https://a.b)")
    assert text(content, "lead") is None


def test_files_for_other_languages_are_refused(
    content: Session, types: ContentTypes, port: str
) -> None:
    raw = sent(content, types)
    for before, after, words in (
        (b"X-Target-Language: ja", b"X-Target-Language: ko", "ko"),
        (b"X-Source-Language: fr", b"X-Source-Language: en", "from fr into ja"),
        (b"X-Target-Language: ja", b"X-Target-Language: fr", "into fr"),
    ):
        with pytest.raises(ExchangeRefused, match=words):
            judge_file(content, SYSTEM, raw.replace(before, after), types=types)
    with pytest.raises(Refused, match="translated into"):
        gather(content, SYSTEM, Wish("fr"), types=types)
    with pytest.raises(NotFound):
        gather(content, SYSTEM, Wish("ja", package="none"), types=types)
    with pytest.raises(NotFound):
        gather(content, SYSTEM, Wish("ja", entries=("none",)), types=types)
    with pytest.raises(Forbidden):
        gather(content, person(name="nobody"), Wish("ja"), types=types)


def test_a_package_goes_out_with_the_pictures_it_shows(
    content: Session, types: ContentTypes, port: str
) -> None:
    for name, alt in (("crane", "Une grue"), ("logo", "Une lampe"), ("other", "Autre")):
        create_entry(content, SYSTEM, "asset", [put("alt", "fr", alt)], entry_id=name, types=types)
    save_entry(content, SYSTEM, port, 1, [{**put("image", "*", "crane")}], types=types)
    body = {"sections": [{"entries": [port]}], "theme": {"attract": ["logo"]}}
    content.add(Package(slug="harbour", body=body))
    content.flush()
    found = gather(content, SYSTEM, Wish("ja", package="harbour"), types=types)
    assert [entry.origin.entry_id for entry in found.entries] == ["crane", "logo", "port"]
    narrowed = gather(content, SYSTEM, Wish("ja", package="harbour", type_id="place"), types=types)
    assert [entry.origin.entry_id for entry in narrowed.entries] == ["port"]


def test_no_query_is_added_by_an_entry_that_goes_out_or_is_judged(
    content: Session, types: ContentTypes, port: str
) -> None:
    def counted(act: Any) -> int:
        found: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            found.append(statement)

        engine = content.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        act()
        event.remove(engine, "before_cursor_execute", note)
        return len(found)

    def both() -> tuple[int, int]:
        raw = with_targets(sent(content, types), title="ミナト")
        content.expire_all()
        return (
            counted(lambda: sent(content, types)),
            counted(lambda: judge_file(content, SYSTEM, raw, types=types)),
        )

    few = both()
    for number in range(10):
        values = [put("title", "fr", "Quai"), put("title", "ja", "岸")]
        create_entry(content, SYSTEM, "place", values, entry_id=f"quay-{number}", types=types)
        save_entry(content, SYSTEM, f"quay-{number}", 1, [put("title", "fr", "Quais")], types=types)
    more = both()
    # One query more: what outdated sources were is read for all of them together.
    assert (more[0] - few[0], more[1] - few[1]) == (1, 0)


def test_an_upload_is_its_senders_own_and_taken_once(
    content: Session, types: ContentTypes, port: str
) -> None:
    raw = with_targets(sent(content, types), story_b1_text="一")
    upload = keep_upload(content, ANNE, raw, "ja.po")
    other = person(Grant("admin"), name="eve")
    with pytest.raises(NotFound):
        get_upload(content, other, upload.id)
    report = take_upload(content, ANNE, get_upload(content, ANNE, upload.id), types=types)
    assert report_from_json(upload.report or {}) == report
    with pytest.raises(Refused, match="already"):
        take_upload(content, ANNE, upload, types=types)
    for number in range(31):
        keep_upload(content, ANNE, raw, f"{number}.po")
    assert [row.filename for row in uploads(content, ANNE, limit=99)] == [
        f"{number}.po" for number in range(30, 0, -1)
    ]
    with pytest.raises(ExchangeRefused):
        keep_upload(content, ANNE, b"hello", "x")
    with pytest.raises(Forbidden):
        keep_upload(content, Actor("r", "r", "user", (Grant("reader"),)), raw, "x")
