"""The cross-site-scripting corpus in every text field of every content type and block.

Shown by each page of the studio, by the preview and by the player in it, in real Chromium:
nothing runs, nothing becomes markup, no policy has to stop anything, and what was written
is there to read.
"""

from __future__ import annotations

import struct
import zlib
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.models import Comment, ReviewRequest
from content_api.content.service import create_entry, save_entry
from content_api.content.types import ContentTypes, Field, FieldGroup, load_types
from content_api.content.working_copies import put_working_copy
from content_api.devices.service import create_device, create_venue
from content_api.media.models import Asset
from content_api.media.service import attach_files, encode_files
from content_api.packages.service import save_package
from tests.studio import hostile
from tests.studio.conftest import MEDIA, Live, Person, Windows
from tests.studio.fleet import make_fleet
from tests.studio.test_every_page import every_address

TYPES = load_types(MEDIA / "types")
TAGS = ("fr", "ja")
VIEWS = {"place": "map", "glossary_term": "glossary", "event": "events", "tour": "tours"} | {
    "timeline_entry": "timeline",
    "story": "stories",
    "scene": "scenes",
    "object": "gallery",
}

turns = count()


def text_values(group: FieldGroup) -> dict[str, dict[str, str]]:
    """The corpus for each text field, by field and scope."""
    return {
        field.id: {scope: hostile.text(next(turns)) for scope in _scopes(field)}
        for field in group.fields
        if field.is_text
    }


def _scopes(field: Field) -> tuple[str, ...]:
    return TAGS if field.localized else ("*",)


def operations_for(types: ContentTypes, type_id: str) -> list[dict[str, Any]]:
    """What fills every text field of a type, and of one block of every type it may hold."""
    kind = types.type(type_id)
    found: list[dict[str, Any]] = [
        {"op": "set", "path": field, "scope": scope, "value": value}
        for field, scopes in text_values(kind).items()
        for scope, value in scopes.items()
    ]
    for field in kind.fields:
        if field.kind == "rights":
            rights = {"holder": hostile.text(next(turns)), "licence": hostile.line(next(turns))}
            found.append({"op": "set", "path": field.id, "scope": "*", "value": rights})
        if field.kind in ("asset", "assets") and "image" in (field.accept or ("image",)):
            picture: Any = "picture" if field.kind == "asset" else ["picture"]
            scope = "fr" if field.localized else "*"
            if type_id != "asset":
                found.append({"op": "set", "path": field.id, "scope": scope, "value": picture})
        if field.kind == "blocks":
            for block_id in field.of:
                value = {
                    "type": block_id,
                    "after": None,
                    "fields": text_values(types.block(block_id)),
                }
                path = f"{field.id}.{block_id.replace('_', '-')}-1"
                found.append({"op": "insert_block", "path": path, "value": value})
    return found


def entry_of(type_id: str) -> str:
    """The id of the entry of a type."""
    return "picture" if type_id == "asset" else f"one-{type_id.replace('_', '-')}"


def png(path: Path) -> Path:
    """A small picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\0" + b"\x80\x60\x40" * 32 for _row in range(24))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 24, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def package_body() -> dict[str, Any]:
    """A package whose own texts are hostile too, with a section for each type."""

    def words() -> dict[str, str]:
        return {tag: hostile.line(next(turns)) for tag in TAGS}

    return {
        "title": words(),
        "summary": words(),
        "credits": words(),
        "languages": list(TAGS),
        "default_language": "fr",
        "profiles": ["tablet", "wall"],
        "theme": {"attract": ["picture"]},
        "sections": [
            {
                "id": type_id.replace("_", "-"),
                "view": VIEWS.get(type_id, "list"),
                "title": words(),
                "summary": words(),
                "entries": [entry_of(type_id)],
            }
            for type_id in TYPES.types
            if type_id != "asset"
        ],
    }


@pytest.fixture(scope="module")
def ada(live: Live) -> Person:
    """An administrator, on a server where every text that somebody can write is hostile."""
    ada = live.person("ada", Grant("admin"))
    eve = live.person("eve", Grant("editor"))
    with live.write() as session:
        eve_row = session.merge(eve.user)
        eve_row.display_name = hostile.line(next(turns), 60)
        picture = png(live.data / "picture.png")
        app = Flask(__name__)
        app.extensions["lampisterie_types"] = TYPES
        with app.app_context():
            ready = encode_files(session, {"picture": picture}, settings=live.settings)
            attach_files(session, SYSTEM, ready)
        session.get_one(Asset, "picture").filename = hostile.line(next(turns))
        save_entry(
            session,
            SYSTEM,
            "picture",
            1,
            operations_for(TYPES, "asset"),
            types=TYPES,
            message=hostile.line(next(turns)),
        )
        for type_id in TYPES.types:
            if type_id == "asset":
                continue
            entry_id = entry_of(type_id)
            create_entry(
                session,
                eve.actor,
                type_id,
                operations_for(TYPES, type_id),
                entry_id=entry_id,
                message=hostile.line(next(turns)),
                types=TYPES,
            )
            # A second revision, so that the history has a difference to show.
            name = TYPES.type(type_id).title_field
            assert name
            path, value = name.id, hostile.line(next(turns))
            change = {"op": "set", "path": path, "scope": "fr", "value": value}
            save_entry(session, eve.actor, entry_id, 1, [change], types=TYPES)
            unsaved = {"op": "set", "path": path, "scope": "ja", "value": hostile.text(next(turns))}
            for person in (ada, eve):
                put_working_copy(session, person.actor, entry_id, 2, [unsaved])
            session.add(
                Comment(
                    entry_id=entry_id,
                    path=path,
                    scope="ja",
                    rev=2,
                    text=hostile.text(next(turns)),
                    author=eve.user.id,
                )
            )
            session.add(
                ReviewRequest(
                    entry_id=entry_id,
                    scope="ja",
                    rev=2,
                    state="sent_back",
                    note=hostile.line(next(turns)),
                    requested_by=eve.user.id,
                )
            )
        save_package(session, SYSTEM, "hostile", package_body(), expected=None)
        create_venue(
            session,
            SYSTEM,
            name=hostile.line(next(turns), 100),
            timezone="Asia/Tokyo",
            venue_id="venue",
        )
        create_device(
            session,
            SYSTEM,
            {
                "id": "device",
                "name": hostile.line(next(turns), 100),
                "venue": "venue",
                "package": "hostile",
                "profile": "tablet",
                "languages": ["ja"],
            },
        )
        make_fleet(
            session,
            "venue",
            "hostile",
            "device",
            said=lambda _text: hostile.line(next(turns), 60),
        )
    return ada


def look(windows: Windows, page: Page, asked: list[str]) -> None:
    """Nothing has become more than text on the page, and nothing was asked for."""
    page.wait_for_load_state("networkidle")
    assert hostile.holes(page) == []
    assert [url for url in asked if "x-hacked" in url.replace("q=x-hacked", "")] == []
    assert [fault for fault in windows.faults if "Content Security Policy" in fault] == []


def stir(page: Page) -> None:
    """Open what a page keeps shut: the previews of Markdown, menus, one chooser of each kind."""
    page.evaluate(
        """() => {
          for (const details of document.querySelectorAll('details')) details.open = true
          for (const button of document.querySelectorAll('[data-toggle-preview]')) button.click()
        }"""
    )
    for kind in ("asset-picker", "entry-picker"):
        picker = page.locator(f"[data-module*='{kind}'] button:visible:enabled").first
        if picker.count():
            picker.click()
            page.wait_for_load_state("networkidle")
            page.keyboard.press("Escape")


def open_watched(live: Live, ada: Person, windows: Windows, path: str) -> tuple[Page, list[str]]:
    """A page under watch, and the addresses it asks for."""
    page = windows.open(live, ada, "/studio/style")
    hostile.watch(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live.url}{path}")
    return page, asked


ENTRY_PAGES = [address for address in every_address() if "{entry}" in address]
OTHER_PAGES = [address for address in every_address() if "{entry}" not in address]


@pytest.mark.parametrize("type_id", TYPES.types)
def test_every_text_of_an_entry_stays_text_on_its_pages(
    live: Live, ada: Person, windows: Windows, type_id: str
) -> None:
    places = {"entry": entry_of(type_id), "language": "ja", "package": "hostile"}
    page, asked = open_watched(live, ada, windows, "/studio/style")
    for address in ENTRY_PAGES:
        page.goto(live.url + address.format(**places))
        look(windows, page, asked)
        stir(page)
        look(windows, page, asked)
        assert any(frame.evaluate(hostile.SHOWN) for frame in page.frames), address


@pytest.mark.parametrize("address", OTHER_PAGES)
def test_every_text_stays_text_on_the_other_pages(
    live: Live, ada: Person, windows: Windows, address: str
) -> None:
    places = {"asset": "picture", "package": "hostile", "language": "ja", "user": ada.user.id} | {
        "venue": "venue",
        "device": "device",
        "group": "halls",
        "subscription": "1",
    }
    page, asked = open_watched(live, ada, windows, address.format(**places))
    look(windows, page, asked)


ASKED = ("q", "type", "language", "next", "package", "state", "route", "day", "sort", "cursor")
"""Names that pages read in their addresses."""


WITHOUT_QUERY = sorted({address.partition("?")[0] for address in every_address()})


@pytest.mark.parametrize("address", sorted({"/studio/sign-in", *WITHOUT_QUERY}))
def test_what_an_address_asks_stays_text(
    live: Live, ada: Person, windows: Windows, address: str
) -> None:
    person = None if address.startswith("/studio/sign-in") else ada
    places = {"asset": "picture", "package": "hostile", "language": "ja", "user": ada.user.id} | {
        "venue": "venue",
        "device": "device",
        "group": "halls",
        "subscription": "1",
        "entry": "one-story",
    }
    page = windows.open(live, person, "/studio/sign-in" if person is None else "/studio/style")
    hostile.watch(page)
    path = address.format(**places)
    given = {name: hostile.text(place * 3)[:1500] for place, name in enumerate(ASKED)}
    page.goto(f"{live.url}{path}?{urlencode(given)}")
    page.wait_for_load_state("networkidle")
    assert hostile.holes(page) == []


@pytest.mark.parametrize("tag", TAGS)
def test_every_text_stays_text_in_the_player_on_the_draft(
    live: Live, ada: Person, windows: Windows, tag: str
) -> None:
    page, asked = open_watched(live, ada, windows, "/studio/style")
    base = f"{live.url}/studio/preview/hostile/draft/tablet/today/"
    kinds = [type_id for type_id in TYPES.types if type_id != "asset"]
    routes = ["", f"{tag}", f"{tag}/credits", f"{tag}/search?q=x-hacked"]
    routes += [f"{tag}/section/{type_id.replace('_', '-')}" for type_id in kinds]
    routes += [f"{tag}/entry/{entry_of(type_id)}" for type_id in kinds]
    page.goto(base)
    for route in routes:
        page.evaluate("() => document.querySelector('main').replaceChildren()")
        page.evaluate("hash => { location.hash = hash }", f"#/{route}")
        expect(page.locator("main h1").first).to_be_visible()
        look(windows, page, asked)
        assert page.evaluate(hostile.SHOWN), route


def test_a_link_holder_sees_text_as_text(live: Live, ada: Person, windows: Windows) -> None:
    page, asked = open_watched(
        live, ada, windows, "/studio/entries/one-story/preview?package=hostile"
    )
    page.locator("[data-opens=share]").click()
    page.locator("#preview-links form button").first.click()
    address = page.locator("#preview-link-new").input_value()
    look(windows, page, asked)
    page.goto(address)
    expect(page.locator("main h1").first).to_be_visible()
    look(windows, page, asked)
    assert page.evaluate(hostile.SHOWN)


@pytest.mark.parametrize(
    ("before", "after"), [("<p>", "</p>"), ('<p title="', '">'), ("<p title='", "'>")]
)
def test_the_eye_sees_what_it_is_for(
    live: Live, ada: Person, windows: Windows, before: str, after: str
) -> None:
    page, _asked = open_watched(live, ada, windows, "/studio/style")
    assert hostile.holes(page) == []
    quote = before[-1]
    for payload in hostile.PAYLOADS:
        breaks_out = f"{quote} x-hacked" in payload or (quote == ">" and "<x-hacked" in payload)
        if breaks_out:
            found = page.evaluate(
                f"""html => {{
                  document.querySelector('main').innerHTML = html
                  return ({hostile.LOOK})()
                }}""",
                f"{before}{payload}{after}",
            )
            assert found, payload
            windows.visit(page, f"{live.url}/studio/style")
