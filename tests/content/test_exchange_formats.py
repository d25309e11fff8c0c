"""Texts in translators' formats: taken apart, written, read by us, by others, and by chance."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from content_api.content.exchange import xliff2, xliff12
from content_api.content.exchange.codes import (
    LONGEST_TEXT,
    CodesRefused,
    Seen,
    all_codes,
    from_seen,
    like_source,
    put_together,
    take_apart,
)
from content_api.content.exchange.files import read_file, write_file
from content_api.content.exchange.judging import Texts, judge
from content_api.content.exchange.units import (
    FORMATS,
    ExchangeRefused,
    InUnit,
    Origin,
    OutEntry,
    OutFile,
    OutUnit,
    parse_origin,
)
from content_api.content.types import Field
from content_api.content.values import ValueRefused, clean_text

ORIGIN = Origin("fosse-9", 7, "0123456789ab")
FIELD = Field("lead", "markdown", localized=True, max=40)

XLIFF12 = {"x": xliff12.NAMESPACE}
XLIFF2 = {"x": xliff2.NAMESPACE}


def _is_text(text: str) -> bool:
    try:
        return clean_text(text) == text and text != ""
    except ValueRefused:
        return False


marks = st.sampled_from([*"*_`[](){}|\\!&<>\"' \n\t", "**", "]]>", "](http://a.b)", "炭鉱"])
texts = st.one_of(
    st.text(max_size=60), st.lists(st.one_of(marks, st.text(max_size=4)), max_size=30).map("".join)
).filter(_is_text)


def unit(source: str, target: str | None = None, kind: str = "markdown", **more: Any) -> OutUnit:
    """A text to send out."""
    parts = take_apart(source, kind)
    return OutUnit(
        path=more.pop("path", "lead"),
        label=more.pop("label", "Chapeau"),
        kind=kind,
        source=source,
        parts=parts,
        status=more.pop("status", "translated" if target else "missing"),
        target=target,
        target_parts=like_source(target, kind, parts) if target else (),
        **more,
    )


def out(*units: OutUnit, source: str = "fr", target: str = "ja") -> OutFile:
    """A file of one entry."""
    return OutFile(source, target, (OutEntry(ORIGIN, "Lieu", "Fosse 9 & <9 bis>", units),))


# -- Marks -----------------------------------------------------------------------------------


@given(texts, st.sampled_from(["text", "inline", "markdown"]))
def test_a_text_taken_apart_is_the_same_text(text: str, kind: str) -> None:
    assert put_together(take_apart(text, kind)) == text


@given(texts, texts)
def test_a_translation_keeps_every_character_whatever_its_marks(source: str, target: str) -> None:
    parts = take_apart(source, "markdown")
    mine = like_source(target, "markdown", parts)
    assert put_together(mine) == target
    assert {code.id for code in all_codes(mine)} <= {code.id for code in all_codes(parts)}


def test_the_marks_of_rich_text_are_codes() -> None:
    parts = take_apart("La **fosse *9*** : [voir](https://a.b/c) {三池|みいけ}", "markdown")
    assert [(code.id, code.kind, code.open, code.close) for code in all_codes(parts)] == [
        ("1", "bold", "**", "**"),
        ("2", "italic", "*", "*"),
        ("3", "link", "[", "](https://a.b/c)"),
        ("4", "ruby", "{三池|みいけ}", None),
    ]


@pytest.mark.parametrize(
    "text",
    ["2 * 3 * 4", r"\*non\*", "`*code*`", "snake_case_name", "![image](x)", "{|}", "a ** b **"],
)
def test_what_is_no_mark_stays_literal(text: str) -> None:
    assert take_apart(text, "markdown") == (text,)


def test_plain_text_has_no_marks() -> None:
    assert take_apart("**a** {b|c}", "text") == ("**a** {b|c}",)


def test_a_hostile_text_is_taken_apart_in_no_time() -> None:
    for piece in ("**a ", "[a](", "{a|", "*a _b ", "`", "[[["):
        text = (piece * 60_000)[:LONGEST_TEXT]
        assert put_together(take_apart(text, "markdown")) == text


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (["voir"], "lost"),
        ([Seen("open", "1"), "voir"], "crossed"),
        ([Seen("close", "1"), "voir", Seen("open", "1")], "crossed"),
        (
            [Seen("open", "1"), "a", Seen("close", "1"), Seen("open", "1"), Seen("close", "1")],
            "twice",
        ),
        ([Seen("open", "9"), "voir", Seen("close", "9")], "unknown"),
        ([Seen("single", "1"), "voir"], "unknown"),
    ],
)
def test_a_link_that_is_lost_or_broken_is_refused(seen: list[str | Seen], reason: str) -> None:
    with pytest.raises(CodesRefused) as refused:
        from_seen(seen, take_apart("[voir](https://a.b)", "markdown"))
    assert refused.value.reason == reason


def test_emphasis_and_readings_may_go() -> None:
    parts = take_apart("**a** {b|c}", "markdown")
    assert from_seen(["あ"], parts) == "あ"


# -- Formats ---------------------------------------------------------------------------------


@given(texts, st.none() | texts, st.sampled_from(FORMATS), st.sampled_from(["text", "markdown"]))
def test_a_text_comes_back_as_it_went(
    source: str, target: str | None, form: str, kind: str
) -> None:
    raw = write_file(out(unit(source, target, kind)), form)
    assert raw == write_file(out(unit(source, target, kind)), form)
    back = read_file(raw)
    assert (back.format, back.source_language, back.target_language) == (form, "fr", "ja")
    (found,) = back.units
    assert (found.origin, found.path, found.fault) == (ORIGIN, "lead", None)
    parts = take_apart(source, kind) if form != "po" else (source,)
    got = None if found.target is None else from_seen(found.target, parts) if target else None
    assert got == target
    then = Texts(source, target, source, target, "translated" if target else "missing")
    verdict = judge(found, Field("lead", kind, localized=True), then, form)
    assert verdict.outcome == "unchanged"


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_translator_writes_comes_back_with_its_marks(form: str) -> None:
    source = "La **fosse** : [voir](https://a.b)\n\n- un & <deux> ]]>"
    raw = write_file(out(unit(source)), form)
    text = raw.decode()
    if form == "po":
        file = polib.pofile(text)
        file[0].msgstr = "**炭鉱**：[見る](https://a.b)\n\n- 一 & <二> ]]>"
        text = str(file)
    elif form == "xliff12":
        root = etree.fromstring(raw)
        target = root.find(".//x:target", XLIFF12)
        target.set("state", "translated")
        for tag, words, tail in (("1", "炭鉱", "："), ("2", "見る", "\n\n- 一 & <二> ]]>")):
            mark = etree.SubElement(target, f"{{{xliff12.NAMESPACE}}}g", id=tag)
            mark.text, mark.tail = words, tail
        text = etree.tostring(root, encoding="unicode")
    else:
        text = text.replace(
            "</source>",
            '</source><target><pc id="1">炭鉱</pc>：<pc id="2">見る</pc>\n\n- 一 &amp; &lt;二&gt; '
            "]]&gt;</target>",
        )
    (found,) = read_file(text.encode()).units
    texts_then = Texts(source, None, source, None, "missing")
    verdict = judge(found, Field("lead", "markdown", localized=True), texts_then, form)
    assert (verdict.outcome, verdict.value) == (
        "taken",
        "**炭鉱**：[見る](https://a.b)\n\n- 一 & <二> ]]>",
    )


def test_xliff_1_2_has_the_structure_its_readers_expect() -> None:
    raw = write_file(
        out(
            unit("**a** [b](https://c.d) {三|さん}", "**x** [y](https://c.d)", max=40),
            unit("neuf", "nine", status="machine", path="title"),
            unit("huit", "eight", status="outdated", path="story.b1.text", before="sept"),
            unit("dix", path="note"),
        ),
        "xliff12",
    )
    root = etree.fromstring(raw)
    assert (root.tag, root.get("version")) == (f"{{{xliff12.NAMESPACE}}}xliff", "1.2")
    file = root.find("x:file", XLIFF12)
    assert dict(file.attrib) == {
        "original": "fosse-9@7.0123456789ab",
        "source-language": "fr",
        "target-language": "ja",
        "datatype": "x-markdown",
        "tool-id": "lampisterie",
    }
    assert [child.tag.split("}")[1] for child in file] == ["header", "body"]
    first, second, third, fourth = file.findall("x:body/x:trans-unit", XLIFF12)
    assert (first.get("id"), first.get("maxwidth"), first.get("size-unit")) == (
        "lead",
        "40",
        "char",
    )
    assert [child.tag.split("}")[1] for child in first] == ["source", "target", "note"]
    assert etree.tostring(first.find("x:source", XLIFF12), encoding="unicode", with_tail=False) == (
        f'<source xmlns="{xliff12.NAMESPACE}"><g id="1" ctype="bold">a</g> '
        '<g id="2" ctype="link">b</g> <x id="3" ctype="x-ruby" equiv-text="{三|さん}"/></source>'
    )
    targets = [one.find("x:target", XLIFF12) for one in (first, second, third, fourth)]
    assert [(t.get("state"), t.get("state-qualifier"), "".join(t.itertext())) for t in targets] == [
        ("translated", None, "x y"),
        ("needs-review-translation", "mt-suggestion", "nine"),
        ("needs-review-translation", None, "eight"),
        ("needs-translation", None, ""),
    ]
    assert third.findall("x:note", XLIFF12)[1].text == "sept"


def test_xliff_2_has_the_structure_its_readers_expect() -> None:
    raw = write_file(
        out(
            unit("**a** [b](https://c.d) {三|さん}", "**x** [y](https://c.d)", max=40),
            unit("neuf", "nine", status="machine", path="title"),
            unit("huit", "eight", status="outdated", path="story.b1.text", before="sept"),
            unit("dix", path="note"),
        ),
        "xliff2",
    )
    root = etree.fromstring(raw)
    assert (root.get("version"), root.get("srcLang"), root.get("trgLang")) == ("2.0", "fr", "ja")
    file = root.find("x:file", XLIFF2)
    assert (file.get("id"), file.get("original")) == ("fosse-9", "fosse-9@7.0123456789ab")
    names = [child.tag.split("}")[1] for child in file]
    assert names == ["profiles", "notes", "unit", "unit", "unit", "unit"]
    units = file.findall("x:unit", XLIFF2)
    assert [one.get("id") for one in units] == ["lead", "title", "story.b1.text", "note"]
    first = [child.tag.split("}")[1] for child in units[0]]
    assert first == ["notes", "originalData", "segment"]
    data = {one.get("id"): one.text for one in units[0].iter(f"{{{xliff2.NAMESPACE}}}data")}
    assert data == {
        "d1": "**", "d1e": "**", "d2": "[", "d2e": "](https://c.d)", "d3": "{三|さん}"
    }  # fmt: skip
    link = units[0].findall(".//x:source/x:pc", XLIFF2)[1]
    assert (link.get("type"), link.get("canDelete"), link.get("canCopy")) == ("link", "no", "no")
    segments = [one.find("x:segment", XLIFF2) for one in units]
    assert [(one.get("state"), one.get("subState")) for one in segments] == [
        ("translated", None),
        ("initial", "lampisterie:machine"),
        ("initial", "lampisterie:outdated"),
        ("initial", None),
    ]
    assert segments[3].find("x:target", XLIFF2) is None
    size = "{urn:oasis:names:tc:xliff:sizerestriction:2.0}sizeRestriction"
    assert units[0].get(size) == "40"


def test_a_language_written_from_right_to_left_says_so() -> None:
    root = etree.fromstring(write_file(out(unit("neuf"), target="ar"), "xliff2"))
    file = root.find("x:file", XLIFF2)
    assert (file.get("srcDir"), file.get("trgDir")) == (None, "rtl")


def test_po_is_read_by_another_reader() -> None:
    raw = write_file(
        out(
            unit('a "b" \\ \n c', "x\ty"),
            unit("huit", "eight", status="outdated", path="title", before="sept"),
        ),
        "po",
    )
    file = polib.pofile(raw.decode())
    assert file[0].msgctxt == "fosse-9@7.0123456789ab lead"
    assert (file[0].msgid, file[0].msgstr, file[0].fuzzy) == ('a "b" \\ \n c', "x\ty", False)
    assert (file[1].fuzzy, file[1].previous_msgid) == (True, "sept")
    assert "Fosse 9 & <9 bis>" in file[0].comment


def test_a_tool_may_cut_a_text_into_sentences() -> None:
    raw = write_file(out(unit("Un. Deux.")), "xliff2").decode()
    cut = raw.replace(
        '<segment state="initial">\n    <source>Un. Deux.</source>\n   </segment>',
        '<segment state="final"><source>Un.</source><target order="3">Two.</target></segment>'
        "<ignorable><source> </source></ignorable>"
        '<segment state="translated"><source>Deux.</source>'
        '<target order="1">One.</target></segment>',
    )
    assert cut != raw
    (found,) = read_file(cut.encode()).units
    assert (found.source, found.state) == ("Un. Deux.", "translated")
    assert from_seen(found.target or (), ("Un. Deux.",)) == "One. Two."
    part = cut.replace('<target order="1">One.</target>', "")
    (found,) = read_file(part.encode()).units
    assert found.fault == "part-missing"


def test_tools_split_pairs_and_mark_words() -> None:
    raw = write_file(out(unit("[voir](https://a.b) *ici*")), "xliff2").decode()
    for target in (
        '<sc id="1"/>x<ec startRef="1"/>',
        '<mrk id="m1" type="term"><pc id="1">x</pc></mrk>',
        '<sm id="m1"/><pc id="1">x</pc><em startRef="m1"/>',
    ):
        (found,) = read_file(
            raw.replace("</source>", f"</source><target>{target}</target>").encode()
        ).units
        parts = take_apart("[voir](https://a.b) *ici*", "markdown")
        assert from_seen(found.target or (), parts) == "[x](https://a.b)"
    old = write_file(out(unit("[voir](https://a.b) *ici*")), "xliff12").decode()
    bits = '<target><bx id="1" rid="1"/>x<ex id="5" rid="1"/></target>'
    changed = old.replace('<target state="needs-translation"/>', bits)
    assert changed != old
    (found,) = read_file(changed.encode()).units
    assert from_seen(found.target or (), parts) == "[x](https://a.b)"


@pytest.mark.parametrize(
    ("state", "qualifier", "read"),
    [
        ("translated", None, "translated"),
        ("final", None, "translated"),
        ("signed-off", "mt-suggestion", "translated"),
        ("translated", "mt-suggestion", "machine"),
        ("needs-review-translation", "leveraged-mt", "machine"),
        ("needs-review-translation", None, "unfinished"),
        ("new", None, "unfinished"),
        (None, None, "unfinished"),
    ],
)
def test_nothing_is_more_than_translated_whatever_a_file_says(
    state: str | None, qualifier: str | None, read: str
) -> None:
    root = etree.fromstring(write_file(out(unit("a", "b")), "xliff12"))
    target = root.find(".//x:target", XLIFF12)
    for name, value in (("state", state), ("state-qualifier", qualifier)):
        target.attrib.pop(name, None)
        if value is not None:
            target.set(name, value)
    (found,) = read_file(etree.tostring(root)).units
    assert found.state == read


# -- Hostile files ---------------------------------------------------------------------------

_HEAD = f'<xliff xmlns="{xliff12.NAMESPACE}" version="1.2">'
_DTD = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "XLIFF 1.2"),
        (b"hello", "XLIFF 1.2"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"msgid \xe9", "UTF-8"),
        (b"<xliff", "well-formed"),
        (f'<?xml version="1.0"?>{_DTD}{_HEAD}&a;</xliff>'.encode(), "DOCTYPE"),
        (f"{_DTD}{_HEAD}&b;</xliff>".encode("utf-16"), "DOCTYPE"),
        (f"{_HEAD}&undefined;</xliff>".encode(), "well-formed"),
        (b"<xliff version='1.2'/>", "no namespace"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "<html>"),
        (f"{_HEAD}</xliff>".encode(), "one pair of languages"),
        (_HEAD.encode() + b"<a>" * 400 + b"</a>" * 400 + b"</xliff>", "well-formed"),
        (b"x" * 3_500_001, "at most 3 MB"),
        (b'msgid "a"\nrubbish "b"', "PO"),
        (b"/etc/passwd msgid", "PO"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(ExchangeRefused, match=words):
        read_file(raw)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: ("msgid " + t).encode()))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(ExchangeRefused):
        read_file(raw)


@pytest.mark.parametrize("form", FORMATS)
def test_damage_to_a_file_is_no_mistake_of_ours(form: str) -> None:
    raw = write_file(out(unit("**a** b", "**x** y"), unit("c", path="title")), form)
    for place in range(0, len(raw), 23):
        for piece in (b"", b"<", b'"', b"\\", b"\x00", "é".encode()):
            try:
                found = read_file(raw[:place] + piece + raw[place + 1 :])
            except ExchangeRefused:
                continue
            for one in found.units:
                judge(one, FIELD, Texts("**a** b", None, "**a** b", None, "missing"), form)


# -- Judging ---------------------------------------------------------------------------------


def came(target: str | None, *, source: str = "a", state: str = "translated") -> InUnit:
    """A text that came back."""
    return InUnit(ORIGIN, "lead", source, None if target is None else (target,), state)


NEW = Texts("a", None, "a", None, "missing")
DONE = Texts("a", "y", "a", "y", "translated")
OLD = Texts("a", "y", "a", "y", "outdated")
HERE = Texts("a", "y", "a", "z", "translated")


@pytest.mark.parametrize(
    ("unit_in", "then", "form", "outcome", "reason"),
    [
        (came("x"), NEW, "xliff2", "taken", ""),
        (came("x", state="unfinished"), NEW, "xliff2", "taken", ""),
        (came("x", state="unfinished"), NEW, "po", "refused", "fuzzy"),
        (came(None), OLD, "po", "unchanged", "nothing-written"),
        (came("  "), OLD, "po", "unchanged", "nothing-written"),
        (came("y"), DONE, "po", "unchanged", "same"),
        (came("y"), OLD, "po", "confirmed", ""),
        (came("y", state="unfinished"), OLD, "po", "unchanged", "same"),
        (came("y"), Texts("a", "y", "b", "y", "outdated"), "po", "unchanged", "same"),
        (came("y"), HERE, "po", "unchanged", "same"),
        (came("x"), HERE, "po", "refused", "conflict"),
        (came("x"), Texts("a", None, "a", "z", "translated"), "po", "refused", "conflict"),
        (came("x"), Texts("a", "y", "a", None, "missing"), "po", "refused", "conflict"),
        (came("z"), HERE, "po", "unchanged", "same"),
        (came("x", source="b"), NEW, "po", "refused", "source-altered"),
        (came("x" * 41), NEW, "po", "refused", "too-long"),
        (came("x\x00"), NEW, "po", "refused", "bad-text"),
        (came("x"), Texts(None, None, "a", None, "missing"), "po", "refused", "path-gone"),
    ],
)
def test_a_verdict_keeps_what_was_done_here(
    unit_in: InUnit, then: Texts, form: str, outcome: str, reason: str
) -> None:
    verdict = judge(unit_in, FIELD, then, form)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_a_text_made_from_an_older_source_is_taken_as_that() -> None:
    verdict = judge(came("x"), FIELD, Texts("a", None, "b", None, "missing"), "po")
    assert (verdict.outcome, verdict.outdated) == ("taken", True)
    cosmetic = judge(came("x"), FIELD, Texts("a b", None, "a  b", None, "missing"), "po")
    assert cosmetic.reason == "source-altered"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@1",
        "a@1.0123456789AB",
        "A@1.0123456789ab",
        "a@1.0123456789ab x",
        "../x@1.0123456789ab",
    ],
)
def test_an_origin_is_exact(text: str) -> None:
    assert parse_origin(text) is None
    assert parse_origin(str(ORIGIN)) == ORIGIN
