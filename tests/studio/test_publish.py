"""Publishing in the studio: problems, comparison, now and at an hour, progress, restore."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.approvals import withdraw
from content_api.database import read_session, utc_now
from content_api.packages.background import publish_requested, request_release
from content_api.packages.changes import Changes, Download, LanguageChanges
from content_api.packages.models import Release
from content_api.packages.progress import read_progress, reporter
from content_api.packages.publish import restore_release
from content_api.packages.schedule import publish_due
from content_api.repository.service import find_manifest, repository_lock
from content_api.studio.publish.comparing import counts_of, is_same, rows_of, sizes_of
from tests.studio.conftest import Live, Studio, StudioClient, Windows, axe_faults, count_queries
from tests.studio.harbour import retitle, sign_repository, write_harbour

PAGE = "/studio/packages/harbour/publish"
PATIENCE = 60.0


@pytest.fixture
def harbour(studio: Studio) -> Studio:
    """The studio with the harbour, approved and not published yet."""
    sign_repository(studio.settings)
    with studio.write() as session:
        write_harbour(session, studio.types)
    return studio


@pytest.fixture
def publisher(harbour: Studio) -> StudioClient:
    """Somebody who publishes."""
    return harbour.person("paula", Grant("publisher"))


def releases(studio: Studio) -> list[Release]:
    """The harbour's releases, the first first."""
    with read_session(studio.engine) as session:
        return list(session.scalars(select(Release).order_by(Release.id)))


def press(person: StudioClient, seen: int | None = None) -> Any:
    """Press “publish now” on the page as it is, or as it was with `seen`."""
    if seen is None:
        seen = int(person.page(PAGE).xpath('//input[@name="seen"]/@value')[0])
    return person.post(PAGE, data={"seen": str(seen)})


def settled(studio: Studio) -> Release:
    """The newest release, once nothing is on its way."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        newest = releases(studio)[-1]
        if newest.state not in ("scheduled", "publishing"):
            return newest
        time.sleep(0.05)
    raise AssertionError("the release did not end")


# -- Now -------------------------------------------------------------------------------------


def test_publish_now_answers_at_once_and_the_release_goes_live(
    harbour: Studio, publisher: StudioClient
) -> None:
    answer = press(publisher)
    assert answer.status_code == 303
    release = settled(harbour)
    assert (release.state, release.number, release.created_by) == (
        "live",
        1,
        publisher.actor.id,
    )
    assert answer.headers["Location"] == f"{PAGE}?release={release.id}"
    assert find_manifest(harbour.settings, "harbour", "live").release == 1  # type: ignore[union-attr]
    page = publisher.page(answer.headers["Location"])
    assert "Release 1 is on its way to displays" in page.text_content()
    assert page.xpath('//tr[@class="publish__live"]//td[3]')[0].text_content() == "Paula"


def test_a_second_press_publishes_nothing_twice(harbour: Studio, publisher: StudioClient) -> None:
    first, second = press(publisher, 0), press(publisher, 0)
    assert first.headers["Location"] == second.headers["Location"]
    settled(harbour)
    third = press(publisher, 0)
    assert third.headers["Location"] == first.headers["Location"]
    assert [row.number for row in releases(harbour)] == [1]


def test_two_presses_at_the_same_moment_make_one_release(
    harbour: Studio, publisher: StudioClient
) -> None:
    answers: list[Any] = []
    others = [StudioClient(harbour.app, publisher.person) for _number in range(3)]
    threads = [
        threading.Thread(target=lambda client=client: answers.append(press(client, 0)))
        for client in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    settled(harbour)
    assert len(releases(harbour)) == 1


def test_who_looked_before_somebody_else_published_is_told_to_look_again(
    harbour: Studio, publisher: StudioClient
) -> None:
    seen = int(publisher.page(PAGE).xpath('//input[@name="seen"]/@value')[0])
    press(harbour.person("petra", Grant("publisher")))
    settled(harbour)
    answer = press(publisher, seen)
    assert answer.headers["Location"] == PAGE
    assert "published or planned meanwhile" in publisher.get(PAGE).text
    assert len(releases(harbour)) == 1


def test_a_missing_translation_stops_it_and_says_what_to_do(
    harbour: Studio, publisher: StudioClient
) -> None:
    with harbour.write() as session:
        retitle(session, harbour.types, "crane", "ja", "", approved=True)
        retitle(session, harbour.types, "crane", "fr", "", approved=True)
        retitle(session, harbour.types, "crane", "en", "", approved=True)
    answer = press(publisher)
    assert answer.status_code == 422
    assert "Nothing was published" in answer.text
    assert "The text is missing in Japanese." in answer.text
    assert 'href="/studio/entries/crane/?languages=ja#f-title-ja"' in answer.text
    assert releases(harbour) == []


def test_a_publication_whose_server_stopped_before_it_began_is_done_by_the_next(
    harbour: Studio, publisher: StudioClient
) -> None:
    with harbour.write() as session:
        request_release(session, harbour.types, publisher.actor, "harbour", utc_now(), seen=0)
    assert "Waiting for its turn" in publisher.get(PAGE).text
    publish_due(harbour.engine, harbour.settings, utc_now())
    assert [row.state for row in releases(harbour)] == ["live"]


def test_a_publication_cut_off_on_the_way_ends_as_failed_and_says_so(
    harbour: Studio, publisher: StudioClient
) -> None:
    with harbour.write() as session:
        release, _new = request_release(
            session, harbour.types, publisher.actor, "harbour", utc_now(), seen=0
        )
        release.state = "publishing"
        release.number = 1
    assert publish_due(harbour.engine, harbour.settings, utc_now())
    page = publisher.page(f"{PAGE}?release={release.id}")
    assert "The server stopped before it was done." in page.text_content()
    assert releases(harbour)[0].state == "failed"


def test_a_release_that_two_take_up_is_published_by_one_and_not_spoilt_by_the_other(
    harbour: Studio, publisher: StudioClient
) -> None:
    with harbour.write() as session:
        release, _new = request_release(
            session, harbour.types, publisher.actor, "harbour", utc_now(), seen=0
        )
    publish_requested(harbour.settings, publisher.actor, "harbour", release.id)
    publish_requested(harbour.settings, publisher.actor, "harbour", release.id)
    [row] = releases(harbour)
    assert (row.state, row.number, row.problems) == ("live", 1, None)
    assert read_progress(harbour.settings, release.id) is None


def test_progress_is_told_while_it_goes_on_and_the_page_stops_asking_after(
    harbour: Studio, publisher: StudioClient
) -> None:
    with repository_lock(harbour.settings):
        release_id = press(publisher).headers["Location"].partition("release=")[2]
        address = f"{PAGE}/releases/{release_id}"
        part = publisher.get(address, headers={"HX-Request": "true"})
        assert 'hx-trigger="every 1s"' in part.text
        assert "HX-Trigger" not in part.headers
        reporter(harbour.settings, int(release_id))("write", 3, 12)
        said = publisher.get(address, headers={"HX-Request": "true"}).text
        assert "Writing files" in said
        assert "3 of 12 files" in said
    settled(harbour)
    part = publisher.get(address, headers={"HX-Request": "true"})
    assert "every 1s" not in part.text
    assert part.headers["HX-Trigger"] == "released"


# -- At an hour ------------------------------------------------------------------------------


def test_an_hour_is_of_the_packages_zone(harbour: Studio, publisher: StudioClient) -> None:
    day = (datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(days=3)).date()
    answer = publisher.post(f"{PAGE}/plan", data={"at": f"{day}T09:00"})
    assert answer.status_code == 303
    [row] = releases(harbour)
    assert row.state == "scheduled"
    assert row.publish_at == datetime.fromisoformat(f"{day}T00:00:00+00:00")
    publisher.post(f"{PAGE}/plan", data={"at": f"{day}T09:00"})
    assert len(releases(harbour)) == 1
    page = publisher.get(PAGE).text
    assert "Day and hour in Tokyo" in page
    assert publish_due(harbour.engine, harbour.settings, row.publish_at)
    assert releases(harbour)[0].state == "live"


def test_the_same_moment_is_told_in_the_persons_own_zone(publisher: StudioClient) -> None:
    said = publisher.get(f"{PAGE}/moment?at=2099-07-01T09:00").text
    assert "In Paris, your zone: Wednesday, July 1, 2099 2:00" in said
    assert "over in Tokyo" in publisher.get(f"{PAGE}/moment?at=2001-01-01T09:00").text
    assert "Give a day and an hour" in publisher.get(f"{PAGE}/moment?at=soon").text


def test_an_hour_that_clocks_skip_or_repeat_is_explained(studio: Studio) -> None:
    with studio.write() as session:
        write_harbour(session, studio.types, {"timezone": "Europe/Paris"})
    person = studio.person("paula", Grant("publisher"))
    assert "does not exist in Paris" in person.get(f"{PAGE}/moment?at=2027-03-28T02:30").text
    assert "comes twice" in person.get(f"{PAGE}/moment?at=2027-10-31T02:30").text
    assert "comes twice" not in person.get(f"{PAGE}/moment?at=2027-10-31T04:30").text
    answer = person.post(f"{PAGE}/plan", data={"at": "2027-03-28T02:30"})
    assert answer.status_code == 422
    assert "does not exist in Paris" in answer.text
    assert 'value="2027-03-28T02:30"' in answer.text
    assert releases(studio) == []


def test_a_planned_release_is_cancelled_once(harbour: Studio, publisher: StudioClient) -> None:
    publisher.post(f"{PAGE}/plan", data={"at": "2099-01-01T09:00"})
    [row] = releases(harbour)
    assert publisher.post(f"{PAGE}/cancel/{row.id}").status_code == 303
    assert releases(harbour)[0].state == "cancelled"
    assert publisher.post(f"{PAGE}/cancel/{row.id}").status_code == 303
    assert "no longer waits" in publisher.get(PAGE).text


def test_a_planned_release_that_failed_shows_its_problems(
    harbour: Studio, publisher: StudioClient
) -> None:
    publisher.post(f"{PAGE}/plan", data={"at": "2099-01-01T09:00"})
    with harbour.write() as session:
        for scope in ("*", "fr", "en", "ja"):
            for entry in ("crane", "quay"):
                withdraw(session, SYSTEM, entry, scope)
    publish_due(harbour.engine, harbour.settings, datetime(2099, 1, 1, 1, tzinfo=UTC))
    [row] = releases(harbour)
    assert row.state == "failed"
    page = publisher.get(PAGE).text
    assert "Nothing is approved in Japanese" in page


# -- Problems and comparison -----------------------------------------------------------------


def test_problems_stand_by_entry_and_can_be_those_of_one_language(
    harbour: Studio, publisher: StudioClient
) -> None:
    with harbour.write() as session:
        withdraw(session, SYSTEM, "quay", "fr")
    part = publisher.get(f"{PAGE}/problems", headers={"HX-Request": "true"}).text
    assert "It can be published." in part
    assert "Not approved in French" in part
    assert "Stories" not in part
    other = publisher.get(f"{PAGE}/problems?language=en", headers={"HX-Request": "true"}).text
    assert "Not approved in French" not in other


def test_the_comparison_names_what_is_new_changed_and_removed(
    harbour: Studio, publisher: StudioClient
) -> None:
    part = f"{PAGE}/changes"
    assert "first release" in publisher.get(part).text
    press(publisher)
    settled(harbour)
    assert "Nothing would change" in publisher.get(part).text
    with harbour.write() as session:
        retitle(session, harbour.types, "crane", "fr", "La grande grue", approved=True)
        withdraw(session, SYSTEM, "quay", "en")
    page = publisher.page(part)
    rows = {
        row.xpath("th//a")[0].text_content(): [
            " ".join(cell.text_content().split()) for cell in row.xpath("td")
        ]
        for row in page.xpath('//th[@class="publish__item"]/..')
    }
    assert rows["Quai (en)"] == ["·unchanged", "·unchanged", "removed"]
    [crane] = [row for name, row in rows.items() if "Quai" not in name]
    assert crane == ["·unchanged", "changed", "·unchanged"]


def test_the_page_asks_no_more_of_the_database_with_more_releases(
    harbour: Studio, publisher: StudioClient
) -> None:
    publisher.get(PAGE)
    with count_queries(harbour.engine) as few:
        publisher.get(PAGE)
    with harbour.write() as session:
        for number in range(15):
            session.add(
                Release(
                    package="harbour",
                    channel="live",
                    state="failed",
                    number=number + 10,
                    created_by=f"nobody-{number}",
                    problems=[],
                )
            )
    with count_queries(harbour.engine) as many:
        publisher.get(PAGE)
    assert len(many) <= len(few) + 1


def test_rows_counts_and_sizes_of_a_comparison() -> None:
    changes = Changes(
        before=1,
        after=None,
        package_changed=False,
        languages={
            "fr": LanguageChanges(new=("b",), changed=("a",)),
            "ja": LanguageChanges(removed=("c",), changed=("b",)),
        },
        downloads=(
            Download("tablet", ("fr", "ja"), 3, 30, 20),
            Download("tablet", ("fr",), 2, 20, 10),
            Download("tablet", ("ja",), 2, 20, 12),
        ),
    )
    rows = rows_of(changes)
    assert [(row.id, row.kind) for row in rows] == [
        ("a", "changed"),
        ("b", "changed"),
        ("c", "removed"),
    ]
    assert rows[1].marks == {"fr": "new", "ja": "changed"}
    assert counts_of(changes)["ja"] == {"new": 0, "changed": 1, "removed": 1}
    assert not is_same(changes)
    [sizes] = sizes_of(changes)
    assert sizes.whole.gzip_bytes == 20
    assert sizes.by_language["ja"].gzip_bytes == 12


# -- Restore ---------------------------------------------------------------------------------


def test_any_two_releases_are_compared_and_an_item_is_read_before_and_after(
    harbour: Studio, publisher: StudioClient
) -> None:
    address = f"{PAGE}/compare"
    assert "no two releases yet" in publisher.get(address).text
    press(publisher)
    settled(harbour)
    with harbour.write() as session:
        retitle(session, harbour.types, "crane", "fr", "La grande grue", approved=True)
    item = f"{PAGE}/item/crane?language=fr"
    planned = publisher.page(f"{item}&from=1&to=")
    assert planned.xpath("//dd/ins/text()")[0].strip() in "La grande grue"
    press(publisher)
    settled(harbour)
    assert "Choose two different" not in publisher.get(address).text
    assert "Choose two different" in publisher.get(f"{address}?from=1&to=1").text
    assert "is not kept" in publisher.get(f"{address}?from=1&to=9").text
    page = publisher.page(f"{address}?from=1&to=2")
    [link] = page.xpath('//a[@class="publish__look"]/@href')
    assert link == f"{item}&from=1&to=2"
    part = publisher.get(link, headers={"HX-Request": "true"}).text
    assert "grande" in part
    assert "<html" not in part
    back = publisher.page(f"{address}?from=2&to=1").text_content()
    assert "From release 2, which displays show now, to release 1." in back
    assert publisher.get(f"{PAGE}/item/nowhere?language=xx").status_code == 404
    assert publisher.get(f"{item}&from=7&to=2").status_code == 404
    assert harbour.person("rosa", Grant("reader")).get(link).status_code == 200


def test_an_old_release_is_restored_once_after_showing_what_it_changes(
    harbour: Studio, publisher: StudioClient
) -> None:
    press(publisher)
    settled(harbour)
    with harbour.write() as session:
        retitle(session, harbour.types, "crane", "fr", "La grande grue", approved=True)
    press(publisher)
    settled(harbour)
    address = f"{PAGE}/restore/1"
    page = publisher.page(address)
    assert "From release 2, which displays show now, to release 1." in page.text_content()
    assert "changed" in page.text_content()
    for _press in range(2):
        assert publisher.post(address, data={"seen": "2"}).status_code == 303
    rows = releases(harbour)
    assert [(row.number, row.state, row.restored_from) for row in rows] == [
        (1, "superseded", None),
        (2, "superseded", None),
        (3, "live", 1),
    ]
    assert "shows again what release 1 showed" in publisher.get(PAGE).text


def test_a_release_that_was_never_live_cannot_be_restored(
    harbour: Studio, publisher: StudioClient
) -> None:
    assert publisher.get(f"{PAGE}/restore/1").status_code == 404
    assert publisher.get(f"{PAGE}/restore/99999999999").status_code == 404
    with pytest.raises(Exception, match="no release 1"):
        restore_release(harbour.engine, harbour.settings, publisher.actor, "harbour", 1)


# -- Who may ---------------------------------------------------------------------------------


def test_who_may_not_publish_sees_it_all_and_presses_nothing(
    harbour: Studio, publisher: StudioClient
) -> None:
    publisher.post(f"{PAGE}/plan", data={"at": "2099-01-01T09:00"})
    for role in ("reader", "translator", "editor", "reviewer"):
        person = harbour.person(role, Grant(role))
        page = person.page(PAGE)
        assert "Your roles do not include publishing" in page.text_content()
        assert page.xpath('//main//form[@method="post"]') == []
        assert person.post(PAGE, data={"seen": "0"}).status_code == 403
        assert person.post(f"{PAGE}/plan", data={"at": "2099-01-02T09:00"}).status_code == 403
        assert person.post(f"{PAGE}/cancel/{releases(harbour)[0].id}").status_code == 403
        assert person.post(f"{PAGE}/restore/1").status_code == 403
    assert [row.state for row in releases(harbour)] == ["scheduled"]


# -- In a browser ----------------------------------------------------------------------------


def test_the_publisher_sees_it_through_in_the_browser(live: Live, windows: Windows) -> None:
    with live.write() as session:
        write_harbour(session, live.types)
    person = live.person("paula", Grant("publisher"))
    page = windows.open(live, person, PAGE)
    page.get_by_text("Everything is ready.").wait_for()
    page.get_by_text("this is its first release").wait_for()
    assert axe_faults(page) == []
    page.get_by_label("Day and hour in Tokyo").fill("2099-07-01T09:00")
    page.get_by_text("In Paris, your zone: Wednesday, July 1, 2099 2:00").wait_for()
    page.get_by_role("button", name="Publish now").dblclick()
    page.get_by_text("is on its way to displays").wait_for(timeout=PATIENCE * 1000)
    page.get_by_text("Nothing would change").wait_for()
    rows = page.locator("#releases tbody tr")
    assert rows.count() == 1
    assert "on displays" in (rows.first.text_content() or "")
    assert axe_faults(page) == []
    assert windows.faults == []
