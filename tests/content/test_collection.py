"""Collections: files to the database and back, byte for byte; and what is refused."""

# ruff: noqa: E501  one case of a table is one line

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from content_api.accounts.rules import SYSTEM
from content_api.cli import main
from content_api.content.claims import translation_status
from content_api.content.collection import export_collection, import_collection, prepare_import
from content_api.content.collection_files import entry_text, package_text, read_collection
from content_api.content.models import Approval, Entry, Revision
from content_api.content.service import save_entry
from content_api.content.types import load_types
from content_api.database import read_session, write_session
from content_api.languages.models import Language
from content_api.problems import ContentError

from .conftest import put, write_types

ENTRY = """id: port
type: place
fields:
  title:
    fr: Le port
    ja: 港
  coords:
    '*':
      lat: 50.4
      lon: 2.9
  near:
    '*':
    - quai
blocks:
  story:
    order:
    - b1
    items:
      b1:
        type: paragraph
        fields:
          text:
            fr: 'Une grue.


              Deux quais.'
approved:
- '*'
- fr
claims:
  ja:
    title:
      state: reviewed
      source: fr
"""
OTHER = "id: quai\ntype: place\nfields:\n  title:\n    fr: Le quai\napproved: []\n"
SHEET = "id: carte\ntype: asset\nfile: assets/carte.geojson\nfields:\n  alt:\n    fr: La carte\napproved:\n- '*'\n"
GEOJSON = '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[2.9,50.4]}}]}'
LANGUAGES = """- tag: fr
  name: Français
  dir: ltr
  fallback: []
  source: null
- tag: ja
  name: 日本語
  dir: ltr
  fallback:
  - fr
  source: fr
"""
PACKAGE = """slug: harbour
title:
  ja: 港
  fr: Le port
languages:
- ja
- fr
default_language: fr
profiles:
- tablet
map:
  bounds:
  - 2
  - 50
  - 4
  - 51.5
  layers:
  - asset: carte
    style: region
sections:
- id: places
  view: map
  title:
    fr: Lieux
  entries:
  - port
shown:
  port:
    from: '2026-12-01'
    until: '2027-01-31'
"""


def write_collection(root: Path) -> Path:
    """A small collection as an export writes it."""
    files = {
        "collection.yml": "format: 1\ntitle: Le port\n",
        "languages.yml": LANGUAGES,
        "entries/place/port.yml": ENTRY,
        "entries/place/quai.yml": OTHER,
        "entries/asset/carte.yml": SHEET,
        "assets/carte.geojson": GEOJSON,
        "packages/harbour.yml": PACKAGE,
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    write_types(root / "types")
    return root


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def source(tmp_path):
    return write_collection(tmp_path / "collection")


def bring(engine, settings, root):
    with write_session(engine) as session:
        ready = prepare_import(session, settings, root)
        return import_collection(session, SYSTEM, settings, ready)


def take(engine, settings, root):
    with read_session(engine) as session:
        export_collection(session, settings, root)
    return files_of(root)


def test_what_was_imported_is_exported_byte_for_byte(engine, settings, source, tmp_path):
    report = bring(engine, settings, source)
    assert (report.created, report.assets, report.packages) == (3, 1, 1)
    assert take(engine, settings, tmp_path / "out") == files_of(source)


def test_importing_again_changes_nothing(engine, settings, source):
    bring(engine, settings, source)
    report = bring(engine, settings, source)
    assert (report.created, report.changed, report.unchanged) == (0, 0, 3)
    assert (report.assets, report.packages) == (0, 0)
    with read_session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Revision)) == 3


def test_a_changed_file_makes_one_revision_and_moves_its_approvals(engine, settings, source):
    bring(engine, settings, source)
    path = source / "entries/place/port.yml"
    path.write_text(ENTRY.replace("Le port", "Le grand port"), encoding="utf-8")
    report = bring(engine, settings, source)
    assert (report.changed, report.unchanged) == (1, 2)
    with read_session(engine) as session:
        assert session.get(Entry, "port").head_rev == 2
        assert session.get(Approval, ("port", "fr")).rev == 2


def test_claims_travel_and_an_outdated_one_stays_behind(engine, settings, source, tmp_path):
    bring(engine, settings, source)
    types = load_types(settings.types_dir)
    with write_session(engine) as session:
        [title] = translation_status(session, "port", ["ja"], types=types)["ja"][-1:]
        assert (title.path, title.status) == ("title", "reviewed")
        save_entry(session, SYSTEM, "port", 1, [put("title", "fr", "La mine")], types=types)
    exported = take(engine, settings, tmp_path / "out")["entries/place/port.yml"].decode()
    assert "claims" not in exported
    assert "approved: []" in exported  # what is approved is no longer what the file says


def test_an_export_over_an_older_one_removes_what_is_gone(engine, settings, source, tmp_path):
    bring(engine, settings, source)
    out = tmp_path / "out"
    take(engine, settings, out)
    (out / "entries/place/gone.yml").write_text(OTHER.replace("quai", "gone"))
    (out / "README.md").write_text("mine")
    after = take(engine, settings, out)
    assert "entries/place/gone.yml" not in after
    assert after["README.md"] == b"mine"


def test_an_export_into_a_folder_of_other_things_is_refused(engine, settings, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("x")
    with (
        read_session(engine) as session,
        pytest.raises(ContentError, match="an empty folder or a coll"),
    ):
        export_collection(session, settings, tmp_path / "home")


def edit(name, old, new):
    def change(root):
        path = root / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def link(name, target):
    def change(root):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)

    return change


PORT = "entries/place/port.yml"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit(PORT, "id: port", "id: ../port"), f"{PORT}: id: expected port"),
        (edit(PORT, "type: place", "type: asset"), f"{PORT}: type: expected place"),
        (edit(PORT, "    ja: 港", "    xx: 港"), f"{PORT}: title: expected the scope fr or ja, got 'xx'"),
        (edit(PORT, "  coords:", "  koords:"), f"{PORT}: koords: expected a field of place: title,"),
        (edit(PORT, "lat: 50.4", "lat: north"), f"{PORT}: coords (*): lat: expected a number, got 'n"),
        (edit(PORT, "- quai", "- nowhere"), f"{PORT}: near: expected an entry of type place, got nowhere, which"),
        (edit(PORT, "- quai", "- carte"), f"{PORT}: near: expected an entry of type place, got carte, of type asset"),
        (edit(PORT, "    - b1\n", "    - b1\n    - b2\n"), f"{PORT}: blocks.story: order: expected"),
        (edit(PORT, "type: paragraph", "type: film"), f"{PORT}: blocks.story.b1: type: expected one of"),
        (edit(PORT, "state: reviewed", "state: sure"), f"{PORT}: claims.ja"),
        (edit(PORT, "- fr\nclaims", "- de\nclaims"), f"{PORT}: approved: expected * or a language"),
        (edit(PORT, "fr: Le port", "fr: &x Le port"), f"{PORT}: line 5, column 9: anchors"),
        (edit(PORT, "fr: Le port", "fr: !!python/name:os.system"), f"{PORT}: line 5, column 9: tags"),
        (edit(PORT, "fr: Le port", "fr: a\n    fr: b"), f"{PORT}: line 6, column 5: key 'fr' stands"),
        (edit("entries/asset/carte.yml", "assets/carte.geojson", "../../etc/passwd"),
         "entries/asset/carte.yml: file: expected assets/carte.<extension>"),
        (edit("entries/asset/carte.yml", "carte.geojson", "carte.png"),
         "entries/asset/carte.yml: file: expected a plain file at assets/carte.png"),
        (edit("languages.yml", "  - fr", "  - xx"), "languages.yml: ja: expected another language"),
        (edit("collection.yml", "format: 1", "format: 2"), "collection.yml: format: expected 1"),
        (edit("packages/harbour.yml", "- tablet", "- watch"), "packages/harbour.yml: profiles.0"),
        (edit("packages/harbour.yml", "slug: harbour", "slug: port"), "packages/harbour.yml: slug:"),
        (edit("types/place.yml", "kind: number", "kind: size"), "types/place.yml: fields.3.kind"),
        (link(PORT, "/etc/passwd"), f"{PORT}: expected a plain file, not a link"),
        (link("assets/carte.geojson", "/etc/passwd"), "file: expected a plain file"),
        (link("types/blocks/figure.yml", "/etc/passwd"), "types/blocks/figure.yml: expected a plain"),
        (link("languages.yml", "/etc/passwd"), "languages.yml: expected a plain file"),
        (lambda root: (root / "entries/place/A b.yml").write_text("x"), "entries/place/A b.yml: expected"),
        (lambda root: shutil.copytree(root / "entries/place", root / "entries/nope"),
         "entries/nope/port.yml: type: expected one of"),
        (lambda root: (root / "collection.yml").unlink(), "collection.yml: expected a plain file"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_naming_the_file_and_nothing_is_touched(
    engine, settings, source, change, said
):
    change(source)
    with pytest.raises(ContentError) as caught:
        bring(engine, settings, source)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    with read_session(engine) as session:
        assert not session.scalar(select(func.count()).select_from(Entry))
        assert not session.scalar(select(func.count()).select_from(Language))
    assert not list(settings.types_dir.rglob("*.yml"))


def test_the_commands_import_and_export(settings, source, tmp_path):
    runner = CliRunner()
    environment = {
        "CONTENT_API_DATA": str(settings.data_dir),
        "CONTENT_API_DATABASE": settings.database_url,
    }
    done = runner.invoke(main, ["collection", "import", str(source)], env=environment)
    assert done.exit_code == 0, done.output
    assert "3 entries new" in done.output
    out = tmp_path / "out"
    done = runner.invoke(main, ["collection", "export", str(out)], env=environment)
    assert done.exit_code == 0, done.output
    assert files_of(out) == files_of(source)
    (source / "collection.yml").unlink()
    done = runner.invoke(main, ["collection", "import", str(source)], env=environment)
    assert done.exit_code == 1
    assert "collection.yml: expected a plain file" in done.output


def test_the_sample_collection_stands_as_an_export_would_write_it():
    root = Path(__file__).parents[2] / "media"
    types = load_types(root / "types")
    sample = read_collection(root, types)
    tags = [language["tag"] for language in sample.languages]
    assert len(sample.entries) > 200
    for entry in sample.entries.values():
        assert entry_text(entry, types, tags) == (root / entry.shown).read_text("utf-8")
    for slug, body in sample.packages.items():
        path = root / "packages" / f"{slug}.yml"
        assert package_text(slug, body, tags) == path.read_text("utf-8")
