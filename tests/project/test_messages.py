"""What the studio says: found in the code, said in the reader's language, complete in fr and ja."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import Environment

from content_api import messages
from content_api.messages import extract
from content_api.messages.extract import COMPLETE, areas, faults, placeholders, tidy_french


def test_every_sentence_is_translated_and_no_catalogue_lags_behind_the_code() -> None:
    assert faults(areas()) == []


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working copy of our own: `content_api/` with a studio, and `locales/`."""
    for name in ("content_api/studio/edit/__init__.py", "content_api/studio/media/__init__.py"):
        write(tmp_path / name, "")
    for tag in (*COMPLETE, "pl"):
        (tmp_path / "locales" / tag).mkdir(parents=True)
    monkeypatch.setattr(extract, "CODE", tmp_path / "content_api")
    monkeypatch.setattr(extract, "STUDIO", tmp_path / "content_api" / "studio")
    monkeypatch.setattr(messages, "_FOLDERS", (tmp_path / "locales",))
    forget()
    yield tmp_path
    forget()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def forget() -> None:
    """Let the catalogues be read anew."""
    for cached in ("available_languages", "script_messages", "_load", "_catalog"):
        getattr(messages, cached).cache_clear()


def translate(path: Path, **texts: str) -> None:
    """Fill the msgstr of the msgids given."""
    text = path.read_text(encoding="utf-8")
    for source, said in texts.items():
        assert f'msgid "{source}"\nmsgstr ""' in text
        text = text.replace(f'msgid "{source}"\nmsgstr ""', f'msgid "{source}"\nmsgstr "{said}"')
    path.write_text(text, encoding="utf-8")


def test_sentences_are_found_in_code_templates_and_scripts_each_in_its_area(places: Path) -> None:
    studio = places / "content_api" / "studio"
    write(studio / "pages.py", 'from x import gettext as _\n_("Not found")\n')
    write(studio / "edit" / "routes.py", 'ngettext("%(n)s row", "%(n)s rows", 3)\n')
    write(
        studio / "templates" / "edit" / "form.html",
        '{{ _("Save") }}{% trans name=who %}\n  Held by\n  {{ name }}\n{% endtrans %}',
    )
    write(
        studio / "static" / "js" / "edit" / "blocks.js",
        "const half = width / 2, path = /['\"]/g\n"
        "const text = `${_('Undo')} ${a ?? b?.c}`\n"
        "button.textContent = _('Move %(name)s up', {name})\npgettext('verb', 'Open')\n",
    )
    write(places / "content_api" / "problems.py", '_("Try again")\n')
    write(studio / "static" / "vendor" / "x" / "x.js", "_('not ours')")

    assert extract.main([]) == 0

    fr = places / "locales" / "fr"
    assert sorted(path.name for path in fr.iterdir()) == ["edit.po", "server.po", "studio.po"]
    edit = (fr / "edit.po").read_text(encoding="utf-8")
    for line in (
        "#: content_api/studio/edit/routes.py",
        'msgid_plural "%(n)s rows"',
        'msgid "Save"',
        'msgid "Held by %(name)s"',
        "#: content_api/studio/static/js/edit/blocks.js",
        'msgid "Undo"',
        'msgid "Move %(name)s up"',
        'msgctxt "verb"',
    ):
        assert line in edit
    assert "not ours" not in edit
    assert 'msgid "Not found"' in (fr / "studio.po").read_text(encoding="utf-8")
    assert 'msgid "Try again"' in (fr / "server.po").read_text(encoding="utf-8")


def test_an_extraction_writes_its_own_area_and_keeps_what_is_translated(places: Path) -> None:
    template = places / "content_api" / "studio" / "templates" / "edit" / "form.html"
    write(template, '{{ _("Save") }} {{ _("Leave") }}')
    write(places / "content_api" / "studio" / "media" / "routes.py", '_("Save")\n')
    extract.main(["edit"])
    path = places / "locales" / "fr" / "edit.po"
    translate(path, Save="Enregistrer", Leave="Quitter ?")

    write(template, '{{ _("Save") }} {{ _("New") }}')
    assert extract.main(["edit"]) == 0
    text = path.read_text(encoding="utf-8")
    assert 'msgstr "Enregistrer"' in text
    assert "Leave" not in text
    assert not (path.parent / "media.po").exists()

    extract.main(["media"])
    assert 'msgstr "Enregistrer"' in (path.parent / "media.po").read_text(encoding="utf-8")


def test_the_check_names_what_is_missing_mistaken_different_and_old(places: Path) -> None:
    studio = places / "content_api" / "studio"
    write(studio / "templates" / "edit" / "a.html", '{{ _("Save") }} {{ _("By %(who)s", who=1) }}')
    write(studio / "templates" / "media" / "a.html", '{{ _("Save") }}')
    extract.main([])
    fr = places / "locales" / "fr"
    translate(fr / "edit.po", **{"Save": "Enregistrer", "By %(who)s": "Par %(qui)s"})
    translate(fr / "media.po", Save="Sauver")
    translate(places / "locales" / "ja" / "edit.po", **{"Save": "保存", "By %(who)s": "%(who)s"})
    extract.main([])

    assert extract.main(["--check"]) == 1
    assert faults(["edit", "media"]) == [
        "fr/edit.po: 'By %(who)s': expected who, got qui in 'Par %(qui)s'",
        "fr: 'Save' is 'Enregistrer' in edit, 'Sauver' in media",
    ]

    write(studio / "templates" / "media" / "a.html", '{{ _("Film") }}')
    assert faults(["media"]) == [
        "fr/media.po: not translated: 'Film'",
        "fr/media.po: behind the code: run the extraction for media",
        "ja/media.po: not translated: 'Film'",
        "ja/media.po: behind the code: run the extraction for media",
        "pl/media.po: behind the code: run the extraction for media",
        "fr: 'Save' is 'Enregistrer' in edit, 'Sauver' in media",
    ]


def test_a_sentence_is_said_in_the_readers_language_or_in_english(places: Path) -> None:
    write(
        places / "content_api" / "studio" / "pages.py",
        '_("Saved %(name)s")\n_("Leave")\nngettext("%(n)s row", "%(n)s rows", 1)\n',
    )
    extract.main([])
    pl = places / "locales" / "pl" / "studio.po"
    translate(pl, **{"Saved %(name)s": "Zapisano %(name)s"})
    text = pl.read_text(encoding="utf-8")
    for index, word in enumerate(("wiersz", "wiersze", "wierszy")):
        text = text.replace(f'msgstr[{index}] ""', f'msgstr[{index}] "%(n)s {word}"')
    pl.write_text(text, encoding="utf-8")
    forget()

    def rows(*counts: int) -> list[str]:
        return [messages.ngettext("%(n)s row", "%(n)s rows", count) for count in counts]

    assert messages.current_language() == "en"
    assert rows(1, 2) == ["1 row", "2 rows"]
    with messages.use_language("pl"):
        assert messages.gettext("Saved %(name)s", name="50 %") == "Zapisano 50 %"
        assert messages.gettext("Leave") == "Leave"
        assert rows(1, 3, 5, 12345) == ["1 wiersz", "3 wiersze", "5 wierszy", "12\xa0345 wierszy"]
    with messages.use_language("zh-Hans"):
        assert messages.gettext("Saved %(name)s", name="x") == "Saved x"
    assert messages.gettext("") == ""


def test_a_mistaken_translation_gives_way_to_the_english_sentence(places: Path) -> None:
    write(places / "content_api" / "studio" / "pages.py", '_("Saved %(name)s")\n')
    extract.main([])
    translate(places / "locales" / "pl" / "studio.po", **{"Saved %(name)s": "Zapisano %(imie)s"})
    forget()
    with messages.use_language("pl"):
        assert messages.gettext("Saved %(name)s", name="x") == "Saved x"


def test_scripts_get_their_own_sentences_by_plural_category(places: Path) -> None:
    studio = places / "content_api" / "studio"
    write(studio / "static" / "js" / "edit" / "a.js", "_('Undo'); ngettext('%(n)s row', 'rows', 1)")
    write(studio / "templates" / "edit" / "a.html", '{{ _("Undo") }} {{ _("Save") }}')
    extract.main([])
    pl = places / "locales" / "pl" / "edit.po"
    translate(pl, Undo="Cofnij", Save="Zapisz")
    text = pl.read_text(encoding="utf-8")
    for index, word in enumerate("abc"):
        text = text.replace(f'msgstr[{index}] ""', f'msgstr[{index}] "{word}"')
    pl.write_text(text, encoding="utf-8")
    forget()
    assert messages.script_messages("pl") == {
        "Undo": "Cofnij",
        "%(n)s row": {"one": "a", "few": "b", "many": "c", "other": "c"},
    }


def test_templates_escape_what_fills_a_sentence_and_not_the_sentence() -> None:
    environment = Environment(autoescape=True)
    messages.init_jinja(environment)
    source = (
        '{{ _("<b>%(name)s</b>", name=who) }} {{ ngettext("%(n)s row", "%(n)s rows", 1234) }} '
        "{% trans count=2 %}{{ count }} row{% pluralize %}{{ count }}\n rows{% endtrans %}"
    )
    shown = environment.from_string(source).render(who="<i>")
    assert shown == "<b>&lt;i&gt;</b> 1,234 rows 2 rows"


def test_a_requests_language_does_not_outlive_it(places: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: messages.current_language())
    app.add_url_rule(
        "/fr", "fr", lambda: messages.set_language("fr") or messages.current_language()
    )
    client = app.test_client()
    assert [client.get(path).text for path in ("/", "/fr", "/")] == ["en", "fr", "en"]


@pytest.mark.parametrize(
    ("header", "tag"),
    [("zh-CN,en;q=0.5", "zh-Hans"), ("ja-JP", "ja"), ("br, fr-CA;q=0.8", "fr"), ("sw", None)],
)
def test_the_browsers_languages_find_ours(header: str, tag: str | None) -> None:
    assert messages.negotiate(header, ("fr", "en", "ja", "zh-Hans")) == tag


def test_french_spaces_and_apostrophes_are_set_for_the_translator() -> None:
    assert tidy_french("Qu'est-ce : « %(n)s » ? 5 %% 09:00 !") == (
        "Qu’est-ce\xa0: «\xa0%(n)s\xa0»\xa0? 5\xa0%% 09:00\xa0!"
    )


def test_placeholders_are_told_from_percent_signs() -> None:
    assert placeholders("%(n)s of %(total)s: 5 %% %%(no)s") == {"n", "total"}
