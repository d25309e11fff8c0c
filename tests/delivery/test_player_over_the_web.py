"""The player at /play/<package>/: its page, the release's files, and what is kept away."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from content_api.delivery.player import player_dir
from tests.delivery.conftest import Harbour, put


def content(partner: FlaskClient, path: str, **headers: str) -> Any:
    """The answer for a file of the live release."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return partner.get(f"/play/harbour/content/{path}", headers=named)


def test_the_page_comes_with_a_policy_that_lets_nothing_in(partner: FlaskClient) -> None:
    answer = partner.get("/play/harbour/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; style-src 'self'; img-src 'self' data: blob:;")
    assert "unsafe" not in policy
    assert partner.get("/play/harbour").status_code == 308


def test_modules_and_styles_have_the_types_browsers_insist_on(partner: FlaskClient) -> None:
    script = partner.get("/play/harbour/js/main.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    tag = script.headers["ETag"]
    again = partner.get("/play/harbour/js/main.js", headers={"If-None-Match": tag})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "package.json",
        "node_modules/x.js",
        "../server.py",
        "..%2fserver.py",
        "js/../../server.py",
        ".gitignore",
        "js",
        "content/../package.json",
        "content/lang/xx/shard-0.json",
    ],
)
def test_what_is_no_file_of_the_player_is_not_there(partner: FlaskClient, path: str) -> None:
    assert player_dir() is not None
    assert partner.get(f"/play/harbour/{path}").status_code == 404


def test_a_package_that_is_not_live_has_no_player(partner: FlaskClient) -> None:
    assert partner.get("/play/dockyard/").status_code == 404


def test_release_json_tells_the_player_what_it_plays(partner: FlaskClient) -> None:
    answer = partner.get("/play/harbour/release.json")
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.get_json()
    assert found.pop("published_at").endswith("Z")
    assert found.pop("today") == datetime.now(ZoneInfo("Asia/Tokyo")).date().isoformat()
    assert found == {
        "package": "harbour",
        "channel": "live",
        "release": 1,
        "default_language": "fr",
        "languages": [
            {"tag": "fr", "name": "Français", "dir": "ltr", "fallback": []},
            {"tag": "en", "name": "English", "dir": "ltr", "fallback": ["fr"]},
            {"tag": "ja", "name": "日本語", "dir": "ltr", "fallback": ["en", "fr"]},
        ],
        "profile": "tablet",
        "shell": "web",
        "device": None,
        "stale_days": None,
    }


def test_a_file_of_the_release_answers_ranges_exactly(partner: FlaskClient) -> None:
    whole = content(partner, "package.json")
    size = len(whole.data)
    assert whole.headers["Content-Type"] == "application/json"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Cache-Control"] == "no-cache"
    for asked, status, expected, told in (
        ("bytes=0-0", 206, whole.data[:1], f"bytes 0-0/{size}"),
        ("bytes=1-3", 206, whole.data[1:4], f"bytes 1-3/{size}"),
        ("bytes=-2", 206, whole.data[-2:], f"bytes {size - 2}-{size - 1}/{size}"),
        (f"bytes={size - 1}-", 206, whole.data[-1:], f"bytes {size - 1}-{size - 1}/{size}"),
        (f"bytes={size}-", 416, b"", f"bytes */{size}"),
        ("bytes=0-1,3-4", 200, whole.data, None),
        ("lines=1-2", 200, whole.data, None),
    ):
        answer = content(partner, "package.json", Range=asked)
        assert (answer.status_code, answer.data) == (status, expected), asked
        assert answer.headers.get("Content-Range") == told, asked
        assert answer.headers["Content-Length"] == str(len(expected)), asked


def test_a_range_of_another_release_is_answered_whole(
    harbour: Harbour, partner: FlaskClient
) -> None:
    tag = content(partner, "package.json").headers["ETag"]
    assert content(partner, "package.json", Range="bytes=0-0", If_Range=tag).status_code == 206
    harbour.change_body(title={"fr": "Le vieux port", "en": "The old harbour", "ja": "古い港"})
    harbour.publish()
    changed = content(partner, "package.json", Range="bytes=0-0", If_Range=tag)
    assert changed.status_code == 200
    assert "Le vieux port" in changed.get_data(as_text=True)


def test_a_head_request_says_the_same_without_a_body(partner: FlaskClient) -> None:
    answer = partner.head("/play/harbour/content/package.json", headers={"Range": "bytes=0-0"})
    whole = content(partner, "package.json")
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(whole.data))


def test_an_address_with_a_hash_is_kept_for_ever_only_while_it_is_true(
    harbour: Harbour, partner: FlaskClient
) -> None:
    tag = content(partner, "package.json").headers["ETag"].strip('"')
    address = f"package.json?v={tag[:12]}"
    assert "immutable" in content(partner, address).headers["Cache-Control"]
    assert content(partner, "package.json?v=").headers["Cache-Control"] == "no-cache"
    harbour.change_body(title={"fr": "Le vieux port", "en": "The old harbour", "ja": "古い港"})
    harbour.publish()
    assert content(partner, address).headers["Cache-Control"] == "no-cache"


def test_a_new_release_is_played_at_once(harbour: Harbour, partner: FlaskClient) -> None:
    harbour.edit("island", put("title", "fr", "L’îlot"), scopes=("fr",))
    assert harbour.publish() == 2
    assert partner.get("/play/harbour/release.json").get_json()["release"] == 2
