"""Previews: what each perspective shows, to whom, and for how long a link does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pyvips
from lxml import html

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.service import approve, save_entry
from content_api.content.working_copies import drop_working_copy, put_working_copy
from content_api.database import utc_now
from content_api.media.service import attach_files, encode_files
from content_api.packages import preview
from content_api.packages.models import PreviewLink, Release
from content_api.packages.preview import displayed
from content_api.packages.publish import publish_release
from content_api.packages.service import save_package
from content_api.repository.service import init_repository
from content_api.studio.preview.choices import SIZES, read_choice
from tests.studio.conftest import Studio, StudioClient, count_queries

BODY: dict[str, Any] = {
    "title": {"fr": "Le port", "en": "The harbour"},
    "languages": ["fr", "en"],
    "default_language": "fr",
    "profiles": ["tablet", "galaxy"],
    "theme": {"attract": ["photo"]},
    "timezone": "Asia/Tokyo",
    "sections": [
        {"id": "places", "view": "list", "title": {"fr": "Lieux"}, "entries": ["crane", "dock"]}
    ],
}
FAR = date(2040, 1, 1)
"""The day on which the rights of the photograph end."""


def put(path: str, scope: str, value: Any) -> dict[str, Any]:
    """The operation that sets one value."""
    return {"op": "set", "path": path, "scope": scope, "value": value}


@pytest.fixture
def harbour(studio: Studio) -> Studio:
    """Two places, `crane` approved and changed since, `dock` never approved; a photograph."""
    crane = {
        ("title", "fr"): "La grue",
        ("title", "en"): "The crane",
        ("image", "*"): "photo",
        ("kind", "*"): "pit",
        ("coords", "*"): {"lat": 50.4, "lon": 2.9},
    }
    with studio.write() as session:
        original = studio.settings.data_dir / "photo.png"
        (pyvips.Image.gaussnoise(64, 48) + 128).cast("uchar").write_to_file(str(original))
        attach_files(
            session,
            SYSTEM,
            encode_files(session, {"photo": original}, settings=studio.settings),
        )
        rights = {"holder": "H.", "licence": "CC0", "expires": FAR.isoformat()}
        said = [put("alt", "fr", "Une grue"), put("credit", "fr", "H."), put("rights", "*", rights)]
        rev = save_entry(session, SYSTEM, "photo", 1, said, types=studio.types).rev
        for scope in ("*", "fr", "en"):
            approve(session, SYSTEM, "photo", scope, rev, types=studio.types)
    studio.entry("place", crane, entry_id="crane")
    studio.entry("place", {("title", "fr"): "Le bassin"}, entry_id="dock")
    with studio.write() as session:
        for scope in ("*", "fr", "en"):
            approve(session, SYSTEM, "crane", scope, 1, types=studio.types)
        save_package(session, SYSTEM, "harbour", BODY, expected=None)
    edit(studio, "crane", put("title", "fr", "La grande grue"))
    return studio


@pytest.fixture
def ada(harbour: Studio) -> StudioClient:
    """An editor."""
    return harbour.person("ada", Grant("editor"))


def edit(studio: Studio, entry_id: str, *operations: Mapping[str, Any]) -> None:
    """Save an entry without approving it."""
    from content_api.content.models import Entry

    with studio.write() as session:
        head = session.get_one(Entry, entry_id).head_rev
        save_entry(session, SYSTEM, entry_id, head, operations, types=studio.types)


def release_of(
    client: Any, perspective: str, subject: str = "harbour", day: str = "today"
) -> dict[str, Any]:
    """What the player is told of a preview."""
    found = client.get(f"/studio/preview/{subject}/{perspective}/tablet/{day}/release.json")
    assert found.status_code == 200, found.text
    document: dict[str, Any] = found.json
    return document


def entries_of(
    client: Any, perspective: str, tag: str = "fr", subject: str = "harbour", day: str = "today"
) -> dict[str, dict[str, Any]]:
    """The entries that a preview shows in a language, by id."""
    base = f"/studio/preview/{subject}/{perspective}/tablet/{day}/content"
    package = client.get(f"{base}/package.json")
    assert package.status_code == 200, package.text
    found: dict[str, dict[str, Any]] = {}
    for number in package.json["shards"].get(tag, ()):
        shard = client.get(f"{base}/lang/{tag.lower()}/shard-{number}.json")
        assert shard.status_code == 200
        found |= shard.json["entries"]
    return found


def titles(client: Any, perspective: str, **options: Any) -> dict[str, Any]:
    """Titles of the entries shown, by id."""
    shown = entries_of(client, perspective, **options)
    return {entry_id: entry["fields"].get("title") for entry_id, entry in shown.items()}


# -- Perspectives ----------------------------------------------------------------------------


def test_a_draft_shows_the_newest_of_everything_in_every_language(ada: StudioClient) -> None:
    assert titles(ada, "draft") == {"crane": "La grande grue", "dock": "Le bassin"}
    # English falls back, as it would once approved.
    assert titles(ada, "draft", tag="en") == {"crane": "The crane", "dock": "Le bassin"}


def test_approved_shows_what_publishing_now_would_give(ada: StudioClient) -> None:
    assert titles(ada, "approved") == {"crane": "La grue"}


def test_unsaved_work_is_seen_by_its_author_alone(harbour: Studio, ada: StudioClient) -> None:
    ben = harbour.person("ben", Grant("editor"))
    with harbour.write() as session:
        put_working_copy(
            session,
            ada.actor,
            "crane",
            2,
            [
                put("title", "fr", "La grue d’Ada"),
                {"op": "set", "path": "nothing.of.this", "scope": "fr", "value": 1},
                put("coords", "*", "half a coord"),
                {"op": "insert_block", "path": "story.b1", "value": {"type": "paragraph"}},
                put("story.b1.text", "fr", "Un début"),
            ],
        )
    shown = entries_of(ada, "draft")["crane"]["fields"]
    assert shown["title"] == "La grue d’Ada"
    assert "Un début" in str(shown["story"])
    assert titles(ben, "draft")["crane"] == "La grande grue"
    assert titles(ada, "approved")["crane"] == "La grue"

    with harbour.write() as session:
        drop_working_copy(session, ada.actor, "crane")
    assert titles(ada, "draft")["crane"] == "La grande grue"


def test_a_draft_of_types_one_may_not_read_stays_unseen(harbour: Studio) -> None:
    narrow = harbour.person("eve", Grant("reader", types=("story", "asset")))
    assert titles(narrow, "draft") == {"crane": "La grue"}


def test_a_draft_is_seen_in_a_language_the_package_does_not_have(
    harbour: Studio, ada: StudioClient
) -> None:
    edit(harbour, "crane", put("title", "ja", "クレーン"))
    assert titles(ada, "draft+ja", tag="ja")["crane"] == "クレーン"
    tags = [language["tag"] for language in release_of(ada, "draft+ja")["languages"]]
    assert tags == ["fr", "en", "ja"]
    assert [row["tag"] for row in release_of(ada, "approved")["languages"]] == ["fr", "en"]


def test_an_entry_that_no_package_lists_is_previewed_by_itself(
    harbour: Studio, ada: StudioClient
) -> None:
    lone = {("title", "fr"): "Seul", ("place", "*"): "dock"}
    harbour.entry("story", lone, entry_id="lone")
    assert titles(ada, "draft", subject="entry:lone") == {"lone": "Seul", "dock": "Le bassin"}
    page = ada.page("/studio/entries/lone/preview")
    assert page.xpath("//iframe/@src") == [
        "/studio/preview/entry:lone/draft+fr/tablet/today/#/fr/entry/lone"
    ]
    options = page.xpath("//select[@name='perspective']/option/@value")
    assert options == ["draft", "approved"]
    answer = ada.get("/studio/preview/entry:lone/live/tablet/today/release.json")
    assert answer.status_code == 404


def test_a_change_is_seen_at_once_and_a_page_load_compiles_once(
    harbour: Studio, ada: StudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    real = preview.compile_package
    monkeypatch.setattr(
        preview, "compile_package", lambda content: compiled.append(1) or real(content)
    )
    first = release_of(ada, "draft")["release"]
    for _again in range(3):
        titles(ada, "draft")
    assert len(compiled) == 1
    edit(harbour, "dock", put("title", "fr", "Le grand bassin"))
    assert titles(ada, "draft")["dock"] == "Le grand bassin"
    assert release_of(ada, "draft")["release"] != first
    assert len(compiled) == 2


def test_a_draft_shows_though_its_required_texts_and_picture_are_missing(
    harbour: Studio, ada: StudioClient
) -> None:
    harbour.entry("place", {}, entry_id="empty")
    with harbour.write() as session:
        sections = [{**BODY["sections"][0], "entries": ["empty", "never-made", "dock"]}]
        body = {**BODY, "title": {}, "theme": {"attract": ["nowhere"]}, "sections": sections}
        save_package(session, SYSTEM, "harbour", body, expected=1)
    assert titles(ada, "draft") == {"empty": None, "dock": "Le bassin"}
    assert ada.get("/studio/packages/harbour/preview").status_code == 200


# -- What displays show on a day -------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "day", "hours", "shown"),
    [
        (True, date(2027, 3, 1), [], "live"),
        (False, date(2027, 3, 1), [], "nothing"),
        # 00:30 of 2 March in Tokyo is still 1 March in UTC: the package's day counts.
        (True, date(2027, 3, 1), [datetime(2027, 3, 1, 15, 30, tzinfo=UTC)], "live"),
        (True, date(2027, 3, 2), [datetime(2027, 3, 1, 15, 30, tzinfo=UTC)], "approved"),
        (False, date(2027, 3, 2), [datetime(2027, 3, 1, 15, 30, tzinfo=UTC)], "approved"),
    ],
)
def test_displays_show_the_live_release_until_a_planned_one_is_due(
    live: bool, day: date, hours: list[datetime], shown: str
) -> None:
    assert displayed(live, day, {"timezone": "Asia/Tokyo"}, hours) == shown


def test_the_live_release_is_shown_until_the_day_of_a_planned_one(
    harbour: Studio, ada: StudioClient
) -> None:
    answer = ada.get("/studio/preview/harbour/live/tablet/today/release.json")
    assert answer.status_code == 404
    page = ada.page("/studio/packages/harbour/preview?perspective=live")
    assert "Nothing is shown on that day" in page.text_content()
    assert page.xpath("//iframe") == []
    init_repository(harbour.settings, harbour.settings.data_dir / "offline", utc_now())
    with harbour.app.app_context():
        publish_release(harbour.engine, harbour.settings, SYSTEM, "harbour")
    with harbour.write() as session:
        for scope in ("*", "fr"):
            approve(session, SYSTEM, "crane", scope, 2, types=harbour.types)
        session.add(
            Release(
                package="harbour",
                state="scheduled",
                publish_at=datetime(2030, 5, 1, 0, 0, tzinfo=UTC),
                created_by="system",
            )
        )
    assert titles(ada, "live", day="2030-04-30")["crane"] == "La grue"
    assert release_of(ada, "live", day="2030-04-30")["preview"] == "live"
    assert titles(ada, "live", day="2030-05-01")["crane"] == "La grande grue"
    assert release_of(ada, "live", day="2030-05-01")["preview"] == "approved"

    page = ada.page("/studio/packages/harbour/preview?perspective=live&day=2030-04-30")
    assert "On Apr 30, 2030 displays show release 1." in page.text_content()
    page = ada.page("/studio/packages/harbour/preview?perspective=live&day=2030-05-01")
    assert "a release is planned for May 1, 2030 9:00" in page.text_content()


def test_the_player_is_told_the_day_and_files_follow_it(ada: StudioClient) -> None:
    tokyo = utc_now().astimezone(preview.zone_of(BODY)).date().isoformat()
    assert release_of(ada, "draft")["today"] == tokyo
    statuses = {}
    for day in (FAR - timedelta(days=1), FAR):
        assert release_of(ada, "draft", day=day.isoformat())["today"] == day.isoformat()
        base = f"/studio/preview/harbour/draft/tablet/{day.isoformat()}/content"
        shards = ada.get(f"{base}/package.json").json["shards"]["fr"]
        assets: dict[str, Any] = {}
        for number in shards:
            assets |= ada.get(f"{base}/lang/fr/shard-{number}.json").json["assets"]
        path = assets["photo"]["renditions"][0]["path"]
        answer = ada.get(f"{base}/{path}", headers={"Range": "bytes=0-3"})
        statuses[day] = answer.status_code
    assert statuses == {FAR - timedelta(days=1): 206, FAR: 404}


# -- Serving ---------------------------------------------------------------------------------


def test_the_player_is_served_privately_and_framed_by_the_studio_alone(ada: StudioClient) -> None:
    base = "/studio/preview/harbour/draft/tablet/today"
    page = ada.get(f"{base}/")
    assert "js/main.js" in page.text
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "private, no-store"
    for path in ("", "js/main.js", "content/package.json", "release.json"):
        headers = ada.get(f"{base}/{path}").headers
        assert "Access-Control-Allow-Origin" not in headers, path
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["X-Robots-Tag"] == "noindex, nofollow", path
        assert headers["Cache-Control"].startswith("private"), path
    assert ada.get(f"{base}/js/main.js").mimetype == "text/javascript"


def test_the_public_player_may_not_be_framed_elsewhere(harbour: Studio) -> None:
    init_repository(harbour.settings, harbour.settings.data_dir / "offline", utc_now())
    with harbour.app.app_context():
        publish_release(harbour.engine, harbour.settings, SYSTEM, "harbour")
    page = harbour.app.test_client().get("/play/harbour/")
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "harbour/draft/tablet/today/package.json",
        "harbour/draft/tablet/today/../../../../../pyproject.toml",
        "harbour/draft/tablet/today/content/../package.json",
        "harbour/draft/tablet/today/content/nothing.json",
        "harbour/secret/tablet/today/release.json",
        "harbour/draft/watch/today/release.json",
        "harbour/draft/tablet/2027-02-30/release.json",
        "nowhere/draft/tablet/today/release.json",
        "entry:nowhere/draft/tablet/today/release.json",
        "entry:photo/draft/tablet/today/release.json",
    ],
)
def test_nothing_else_is_served(ada: StudioClient, path: str) -> None:
    assert ada.get(f"/studio/preview/{path}").status_code in (404, 405)


def test_an_asset_is_seen_on_its_own_page(ada: StudioClient) -> None:
    answer = ada.get("/studio/entries/photo/preview")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/studio/media/photo/"


# -- The page --------------------------------------------------------------------------------


def test_the_page_keeps_what_is_chosen_and_takes_nothing_strange(ada: StudioClient) -> None:
    page = ada.page(
        "/studio/entries/dock/preview?package=harbour&size=galaxy&perspective=approved&language=en"
        "&day=2027-03-04"
    )
    assert page.xpath("//iframe/@src") == [
        "/studio/preview/harbour/approved/galaxy/2027-03-04/#/en/entry/dock"
    ]
    assert page.xpath("//input[@name='size'][@checked]/@value") == ["galaxy"]
    page = ada.page(
        "/studio/packages/harbour/preview?size=<x>&perspective=root&language=xx&day=soon"
        "&route=//evil.example"
    )
    assert page.xpath("//iframe/@src") == ["/studio/preview/harbour/draft+fr/tablet/today/#/fr"]


def test_a_screen_the_package_is_not_made_for_is_said(ada: StudioClient) -> None:
    said = "The package is not made for this kind of screen"
    assert said in ada.page("/studio/packages/harbour/preview?size=wall").text_content()
    assert said not in ada.page("/studio/packages/harbour/preview").text_content()
    base = "/studio/preview/harbour/draft"
    assert ada.get(f"{base}/wall/today/release.json").json["profile"] == "tablet"
    assert ada.get(f"{base}/galaxy/today/release.json").json["profile"] == "galaxy"


def test_a_part_is_rendered_for_htmx(ada: StudioClient) -> None:
    part = ada.get("/studio/packages/harbour/preview?size=phone", headers={"HX-Request": "true"})
    root = html.fragment_fromstring(part.text.strip(), create_parent=True)
    assert root.xpath("./section/@id") == ["preview-stage"]
    assert "<html" not in part.text


def test_the_page_asks_no_more_of_the_database_with_more_links(
    harbour: Studio, ada: StudioClient
) -> None:
    counts = []
    for _round in range(2):
        share(ada)
        with count_queries(harbour.engine) as queries:
            ada.page("/studio/packages/harbour/preview")
        counts.append(len(queries))
        for _more in range(4):
            share(ada)
    assert counts[0] == counts[1]


def test_sizes_are_read_by_name() -> None:
    for size in SIZES:
        assert read_choice("harbour", {"size": size.id}, languages=["fr"]).size is size


# -- Links -----------------------------------------------------------------------------------


def share(client: StudioClient, **given: Any) -> str:
    """Make a link; the path it shows, with the player's page."""
    form = {"subject": "harbour", "perspective": "draft", "days": "7", "language": "en", **given}
    answer = client.post("/studio/preview-links", data=form)
    assert answer.status_code == 200, answer.text
    found = html.fragment_fromstring(answer.text.strip(), create_parent=True)
    address: str = found.xpath("//input[@id='preview-link-new']/@value")[0]
    return address.removeprefix("http://localhost")


def test_a_link_shows_the_saved_draft_to_somebody_without_an_account(
    harbour: Studio, ada: StudioClient, caplog: pytest.LogCaptureFixture
) -> None:
    with harbour.write() as session:
        put_working_copy(session, ada.actor, "crane", 2, [put("title", "fr", "Pas fini")])
    path, _hash, place = share(ada, route="entry/crane").partition("#")
    assert place == "/en/entry/crane"
    stranger = harbour.app.test_client()
    with caplog.at_level(logging.INFO):
        page = stranger.get(path)
    assert "js/main.js" in page.text
    secret = path.strip("/").rpartition("/")[2]
    assert secret not in caplog.text
    found = {
        entry_id: entry["fields"]["title"]
        for number in stranger.get(f"{path}content/package.json").json["shards"]["fr"]
        for entry_id, entry in stranger.get(f"{path}content/lang/fr/shard-{number}.json")
        .json["entries"]
        .items()
    }
    assert found == {"crane": "La grande grue", "dock": "Le bassin"}
    for part in ("", "js/main.js", "content/package.json", "release.json"):
        headers = stranger.get(path + part).headers
        assert headers["Cache-Control"] == "private, no-store", part
        assert headers["Referrer-Policy"] == "no-referrer", part
        assert headers["X-Robots-Tag"] == "noindex, nofollow", part
        assert "Set-Cookie" not in headers, part
    with harbour.write() as session:
        assert [row.hash for row in session.query(PreviewLink)] != [secret]


def test_a_link_ends_when_it_is_over_or_taken_back(harbour: Studio, ada: StudioClient) -> None:
    path = share(ada).partition("#")[0]
    stranger = harbour.app.test_client()
    assert stranger.get(path).status_code == 200
    with harbour.write() as session:
        link = session.query(PreviewLink).one()
        link.expires_at = utc_now() - timedelta(seconds=1)
        link_id = link.id
    ended = stranger.get(path, headers={"Accept-Language": "en"})
    assert ended.status_code == 404
    assert "This link has ended" in ended.text
    assert stranger.get(f"{path}release.json").status_code == 404

    with harbour.write() as session:
        session.get_one(PreviewLink, link_id).expires_at = utc_now() + timedelta(days=1)
    assert stranger.get(path).status_code == 200
    answer = ada.post(f"/studio/preview-links/{link_id}/end")
    assert answer.status_code == 303
    assert stranger.get(path).status_code == 404
    assert stranger.get(f"{path}content/package.json").status_code == 404
    assert ada.post("/studio/preview-links/999/end").status_code == 404


@pytest.mark.parametrize("secret", ["", "x", "lmp_", "lmp_" + "x" * 43, "lmp_" + "x" * 500])
def test_a_guess_opens_nothing(harbour: Studio, secret: str) -> None:
    assert harbour.app.test_client().get(f"/preview/{secret}/").status_code == 404


def test_a_link_shows_no_more_than_its_maker_may_see(harbour: Studio) -> None:
    narrow = harbour.person("eve", Grant("editor", types=("story", "asset")))
    path = share(narrow).partition("#")[0]
    stranger = harbour.app.test_client()
    shards = stranger.get(f"{path}content/package.json").json["shards"]["fr"]
    text = "".join(
        stranger.get(f"{path}content/lang/fr/shard-{number}.json").text for number in shards
    )
    assert "La grue" in text
    assert "La grande grue" not in text
    assert "Le bassin" not in text


def test_a_link_to_an_entry_by_itself(harbour: Studio, ada: StudioClient) -> None:
    harbour.entry("story", {("title", "fr"): "Seul"}, entry_id="lone")
    path = share(ada, subject="entry:lone").partition("#")[0]
    assert harbour.app.test_client().get(f"{path}release.json").json["preview"] == "draft"
    assert "Ada" in ada.page("/studio/entries/lone/preview").text_content()
    assert "Ada" not in ada.page("/studio/packages/harbour/preview").xpath(
        "string(//*[@id='preview-links'])"
    )


def test_only_who_may_change_packages_shares_them(harbour: Studio) -> None:
    rita = harbour.person("rita", Grant("reviewer"))
    form = {"subject": "harbour", "perspective": "draft", "days": "7"}
    assert rita.post("/studio/preview-links", data=form).status_code == 403
    page = rita.page("/studio/packages/harbour/preview")
    assert page.xpath("//form[@action='/studio/preview-links']") == []


@pytest.mark.parametrize("days", ["", "x", "0", "365"])
def test_a_link_lives_as_long_as_is_offered(ada: StudioClient, days: str) -> None:
    form = {"subject": "harbour", "perspective": "draft", "days": days}
    assert ada.post("/studio/preview-links", data=form).status_code == 422
