"""The exchange's pages: a file made, sent back, looked at, taken in, and its report."""

from __future__ import annotations

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import polib
import pytest
from click.testing import CliRunner
from lxml import html
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from content_api.accounts.rules import SYSTEM, Grant
from content_api.cli import main
from content_api.content.exchange.judging import REASONS, Verdict
from content_api.content.exchange.units import FILE_REASONS, ExchangeRefused
from content_api.content.models import Entry
from content_api.content.service import save_entry
from content_api.content.translation import STATES
from content_api.messages import use_language
from content_api.studio.exchange.words import trouble_words, verdict_words
from tests.studio.conftest import Live, Studio, StudioClient, Windows, axe_faults, count_queries

ANNE = Grant("translator", scopes=("ja",))


@pytest.fixture
def anne(studio: Studio) -> StudioClient:
    """A Japanese translator, and two places to translate."""
    studio.entry(
        "place",
        {("title", "fr"): "Fosse Delloye", ("lead", "fr"): "Une **fosse** : [voir](https://a.b)"},
        entry_id="delloye",
    )
    studio.entry(
        "place", {("title", "fr"): "=1+1", ("title", "ja"): "一足す一"}, entry_id="formula"
    )
    return studio.person("anne", ANNE)


def exported(client: StudioClient, form: str = "po", more: str = "") -> bytes:
    """The file for Japanese."""
    answer = client.get(f"/studio/exchange/file?language=ja&format={form}{more}")
    assert answer.status_code == 200, answer.text[:2000]
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    return answer.data


def translated(raw: bytes, **targets: str) -> bytes:
    """A PO file with these texts, by path."""
    file = polib.pofile(raw.decode())
    for entry in file:
        entry.msgstr = targets.get(entry.msgctxt.split(" ")[1], entry.msgstr)
    return str(file).encode()


def send(client: StudioClient, raw: bytes, name: str = "ja.po") -> Any:
    """Upload a file."""
    # Encoded here: the test client would leave the temporary file of a large body open.
    boundary, body = encode_multipart({"file": FileStorage(BytesIO(raw), name)})
    return client.post(
        "/studio/exchange/", data=body, content_type=f"multipart/form-data; boundary={boundary}"
    )


def test_a_file_is_looked_at_and_then_taken(studio: Studio, anne: StudioClient) -> None:
    raw = translated(exported(anne), title="デロワ", lead="**坑**：[見る](https://a.b)")
    answer = send(anne, raw)
    assert answer.status_code == 303
    page = anne.page(answer.location)
    assert "2 texts would be saved." in page.text_content()
    with studio.write() as session:
        assert session.get_one(Entry, "delloye").head_rev == 1
    taken = anne.post(answer.location)
    assert (taken.status_code, taken.location) == (303, answer.location)
    assert (
        "2 texts are saved. Nothing is approved by this."
        in anne.page(taken.location).text_content()
    )
    with studio.write() as session:
        assert session.get_one(Entry, "delloye").head_rev == 2
    again = anne.post(answer.location)
    assert again.status_code == 303
    with studio.write() as session:
        assert session.get_one(Entry, "delloye").head_rev == 2
    # The report is of that day: what is saved now is not judged anew.
    assert "Taken (2)" in anne.page(answer.location).text_content()


@pytest.mark.parametrize("form", ["xliff12", "xliff2", "po"])
def test_the_form_makes_each_format(anne: StudioClient, form: str) -> None:
    raw = exported(anne, form, "&type=place&states=missing&states=translated")
    assert b"Fosse Delloye" in raw
    assert "一足す一".encode() in raw
    assert exported(anne, form, "&entry=delloye").count(b"delloye@1.") in (1, 2)


def test_the_form_says_what_is_wrong_and_keeps_what_was_chosen(anne: StudioClient) -> None:
    none = anne.get("/studio/exchange/file?language=ja&format=po&type=quiz&states=reviewed")
    assert none.status_code == 422
    root = html.fromstring(none.text)
    assert "Nothing to translate in this choice." in root.text_content()
    assert root.xpath("//option[@value='quiz']/@selected")
    assert root.xpath("//input[@name='states'][@checked]/@value") == ["reviewed"]
    assert anne.get("/studio/exchange/file?language=fr&format=po").status_code == 422
    assert anne.get("/studio/exchange/file?language=ja&format=doc").status_code == 400
    assert anne.get("/studio/exchange/?entry=gone").status_code == 404


def test_the_count_tells_before_the_file_is_made(anne: StudioClient) -> None:
    text = html.fromstring(anne.get("/studio/exchange/count?language=ja").text).text_content()
    assert " ".join(text.split()) == "2 texts in 1 entry"
    assert "Nothing" in anne.get("/studio/exchange/count?language=ja&type=quiz").text
    assert anne.get("/studio/exchange/count?language=fr").status_code == 200


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"hello", "This is not an XLIFF 1.2, XLIFF 2.0 or PO file."),
        (b"<xliff", "The file is damaged or not complete."),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (b'msgid ""\nmsgstr "X-Target-Language: ko\\n"', "not for a language"),
        (b"x" * 3_600_000, "The file is too large"),
        (b"\xff\x00msgid", "not in UTF-8"),
    ],
    ids=["text", "cut", "doctype", "language", "large", "encoding"],
)
def test_a_file_that_cannot_be_read_is_refused_beside_its_field(
    anne: StudioClient, raw: bytes, words: str
) -> None:
    answer = send(anne, raw)
    assert answer.status_code == 422
    error = html.fromstring(answer.text).get_element_by_id("field-file-error").text_content()
    assert words in error
    assert not anne.page("/studio/exchange/").xpath("//*[@id='files']")


def test_a_body_beyond_all_limits_is_refused_in_words(anne: StudioClient) -> None:
    answer = send(anne, b"x" * (5 * 1024 * 1024))
    assert answer.status_code == 413
    assert "Too large" in answer.text


def test_no_file_is_asked_for(anne: StudioClient) -> None:
    answer = anne.post("/studio/exchange/", data={})
    assert answer.status_code == 422
    assert "Choose the file that came back." in answer.text


def test_a_file_is_its_senders_alone(studio: Studio, anne: StudioClient) -> None:
    address = send(anne, exported(anne)).location
    eve = studio.person("eve", Grant("admin"))
    for path in (address, f"{address}/report.csv"):
        assert eve.get(path).status_code == 404
    for path in (address, f"{address}/drop"):
        assert eve.post(path).status_code == 404
    reader = studio.person("rita", Grant("reader"))
    assert reader.get("/studio/exchange/").status_code == 200
    assert "Take texts in" not in reader.get("/studio/exchange/").text
    assert send(reader, b"x").status_code == 403
    assert anne.post(f"{address}/drop").status_code == 303
    assert anne.get(address).status_code == 404


def test_what_a_person_may_not_read_does_not_go_out(studio: Studio, anne: StudioClient) -> None:
    only = studio.person("only", Grant("translator", types=("story",)))
    assert only.get("/studio/exchange/file?language=ja&format=po").status_code == 422
    assert only.get("/studio/exchange/?entry=delloye").status_code == 404
    raw = translated(exported(anne), title="デロワ")
    page = only.page(send(only, raw).location)
    assert "No such entry here, or you may not read it." in page.text_content()
    assert "Une **fosse**" not in page.text_content()


def test_the_report_is_a_table_in_which_nothing_runs(studio: Studio, anne: StudioClient) -> None:
    raw = translated(exported(anne, more="&states=translated"), title="=cmd|'/c calc'!A1")
    address = send(anne, raw).location
    answer = anne.get(f"{address}/report.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[1] == [
        "'=1+1",
        "formula title",
        "Title",
        "Taken",
        "",
        "一足す一",
        "'=cmd|'/c calc'!A1",
    ]


def test_hostile_texts_are_shown_as_text(studio: Studio, anne: StudioClient) -> None:
    text = "<script>alert(1)</script>\"'><img src=x>"
    raw = translated(exported(anne), title=text)
    address = send(anne, raw, "<img src=x>.po").location
    page = anne.page(address)
    assert not page.xpath("//td//script | //img[@src='x']")
    assert text in page.text_content()
    assert "<img src=x>.po" in page.xpath("//h1")[0].text_content()
    studio.entry("place", {("title", "fr"): "Puits", ("title", "ja"): "竪坑"}, entry_id="pit")
    raw = translated(exported(anne, more="&entry=pit&states=translated"), title="竪坑<b>一</b>")
    page = anne.page(send(anne, raw).location)
    assert "".join(page.xpath("//td//ins//text()")) == "<b>一</b>"


def test_no_query_is_added_by_the_rows_of_a_report(studio: Studio, anne: StudioClient) -> None:
    def asked() -> int:
        address = send(anne, translated(exported(anne), title="題")).location
        with count_queries(studio.engine) as queries:
            anne.page(address)
        return len(queries)

    asked()
    few = asked()
    for number in range(8):
        studio.entry("place", {("title", "fr"): "Quai"}, entry_id=f"quay-{number}")
    assert asked() == few


def test_every_outcome_is_said_in_every_language(studio: Studio) -> None:
    with studio.app.test_request_context():
        for tag in ("en", "fr", "ja"):
            with use_language(tag):
                said = [verdict_words(Verdict("refused", reason)) for reason in REASONS]
                assert len(set(said)) == len(REASONS)
                assert not set(said) & set(REASONS)
                troubles = [trouble_words(ExchangeRefused(r, "English")) for r in FILE_REASONS]
                assert len(set(troubles)) == len(FILE_REASONS)
                assert "English" not in troubles


# The command finds its database by its settings; the default is below the data directory.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_sends_and_takes(studio: Studio, anne: StudioClient, tmp_path: Path) -> None:
    runner = CliRunner()
    base = ["--data-dir", str(studio.settings.data_dir)]
    file = tmp_path / "ja.po"

    def run(*words: str) -> Any:
        answer = runner.invoke(main, [*base, "exchange", *words], catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer

    told = json.loads(run("export", str(file), "--language", "ja", "--json").stdout)
    assert told == {"texts": 2, "entries": 1, "format": "po"}
    file.write_bytes(translated(file.read_bytes(), title="デロワ", lead="坑"))
    dry = run("import", str(file), "--dry-run", "--json")
    assert json.loads(dry.stdout)["counts"] == {
        "taken": 2, "confirmed": 0, "unchanged": 0, "refused": 0
    }  # fmt: skip
    assert "Done: 2 taken" in run("import", str(file)).stdout
    with studio.write() as session:
        assert session.get_one(Entry, "delloye").head_rev == 2
        put = {"op": "set", "path": "title", "scope": "ja", "value": "別"}
        save_entry(session, SYSTEM, "delloye", 2, [put], types=studio.types)
    again = run("import", str(file))
    assert "delloye title: refused, conflict: 別" in again.stderr


def test_the_whole_exchange_by_hand(windows: Windows, live: Live, tmp_path: Path) -> None:
    """As a translator does it, with keys and axe on every page, in light and dark."""
    person = live.person("hanako", ANNE)
    live.entry(
        "place", {("title", "fr"): "Fosse", ("lead", "fr"): "[voir](https://a.b)"}, entry_id="pit"
    )
    page = windows.open(live, person, "/studio/exchange/?language=ja")
    page.locator("#exchange-count", has_text="2 texts in 1 entry").wait_for()
    assert axe_faults(page) == []
    page.get_by_label("Format").select_option("xliff2")
    for state in STATES:
        page.locator(f"input[name=states][value={state}]").set_checked(state == "missing")
    page.locator("#exchange-count", has_text="2 texts in 1 entry").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Make the file").click()
    assert download.value.suggested_filename == "lampisterie-ja.xlf"
    file = tmp_path / "ja.xlf"
    download.value.save_as(file)
    text = file.read_text("utf-8")
    text = text.replace("<source>Fosse</source>", "<source>Fosse</source><target>坑</target>")
    text = text.replace("</pc></source>", "</pc></source><target>見る</target>")
    file.write_text(text, "utf-8")
    page.get_by_label("The file that came back").set_input_files(file)
    page.get_by_role("button", name="Look at what it changes").press("Enter")
    page.get_by_text("1 text would be saved.").wait_for()
    assert page.get_by_text("A link of the source is missing: [](https://a.b)").is_visible()
    assert axe_faults(page) == []
    address = page.url
    page.get_by_role("button", name="Take in 1 text").press("Enter")
    page.get_by_text("1 text is saved. Nothing is approved by this.").wait_for()
    with live.write() as session:
        assert session.get_one(Entry, "pit").head_rev == 2
    small = windows.open(
        live, person, address.removeprefix(live.url), width=640, language="fr", dark=True
    )
    assert axe_faults(small) == []
    assert small.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert windows.faults == []
