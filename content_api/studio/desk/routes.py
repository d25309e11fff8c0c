"""The desk: what needs the person who is signed in."""

from __future__ import annotations

from typing import Any

from flask import Response

from content_api.accounts.access import current_actor
from content_api.accounts.rules import allows
from content_api.content.types import content_types
from content_api.database import session, utc_now
from content_api.devices.fleet import Wanted, find_devices, find_venues
from content_api.messages import current_language
from content_api.studio.desk import work
from content_api.studio.devices.shown import shown_devices
from content_api.studio.formats import content_languages, reader_zone
from content_api.studio.pages import Pages, render

pages = Pages("desk", __name__, url_prefix="/studio")


@pages.get("/")
@pages.signed_in("everybody may see what waits for them; each part asks for its own right")
def desk_page() -> Response:
    """What waits for this person, and nothing else."""
    actor = current_actor()
    db = session()
    tags = content_languages()
    prefer = [current_language(), *(t for t, row in tags.items() if row.source is None), *tags]
    troubled = []
    if allows(actor, "device.read"):
        wanted = Wanted(state="trouble")
        found_devices = find_devices(db, wanted, utc_now(), limit=work.FEW + 1)
        venues = find_venues(db, {device.venue for device in found_devices})
        troubled = shown_devices(found_devices, venues.values()) if found_devices else []
    found: dict[str, Any] = {
        "unsaved": work.unsaved_work(db, actor, prefer),
        "back": work.sent_back(db, actor, prefer),
        "reviews": work.reviews(db, actor, prefer),
        "comments": work.comments(db, actor, prefer),
        "translate": work.to_translate(db, actor),
        "drafts": work.drafts(db, actor, prefer),
        "ending": work.ending_rights(db, actor, utc_now().astimezone(reader_zone()).date(), prefer),
        "packages": work.unpublished(db, actor),
        "devices": troubled,
    }
    return render(
        "desk/desk.html",
        **found,
        few=work.FEW,
        nothing=not any(found.values()),
        types=content_types(),
        first_steps=allows(actor, "user.write"),
    )
