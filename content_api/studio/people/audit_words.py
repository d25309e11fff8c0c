"""The audit trail in sentences: who did what to which thing, in the reader's language.

An action without a sentence here is shown as it is written. What people typed is escaped;
only the names of subjects become links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from content_api.accounts.models import AuditRecord
from content_api.accounts.rules import SHARED
from content_api.messages import gettext as _
from content_api.messages import ngettext
from content_api.studio.devices.words import order_names
from content_api.studio.formats import language_name
from content_api.studio.people.words import listed, role_words, scope_name

_WHO, _WHAT = "\ue000who\ue001", "\ue000what\ue001"
"""Stand for the names while a sentence is made: no name can contain them unescaped."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id, of people, entries, devices, venues and groups in the records shown."""

    people: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    venues: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def sentence(row: AuditRecord, names: Names) -> Markup:
    """What a record says, with its subject as a link where it has a page."""
    make = _SENTENCES.get(row.action)
    said = make(row) if make else _("%(who)s: %(action)s %(what)s", **_pair(), action=row.action)
    who = f"<strong>{escape(actor_name(row, names))}</strong>"
    title = escape(subject_name(row, names))
    href = subject_href(row)
    what = f'<a href="{escape(href)}"><bdi>{title}</bdi></a>' if href else f"<bdi>{title}</bdi>"
    text = str(escape(said))
    return Markup(text.replace(_WHO, who).replace(_WHAT, what))  # noqa: S704  each part is escaped


def plain_sentence(row: AuditRecord, names: Names) -> str:
    """As `sentence`, as text."""
    return Markup(sentence(row, names)).striptags()  # noqa: S704  it is markup already


def actor_name(row: AuditRecord, names: Names) -> str:
    """Who did it, as others know them."""
    if row.actor_kind == "system":
        return _("The server")
    return names.people.get(row.actor_id) or row.actor_name


def subject_name(row: AuditRecord, names: Names) -> str:
    """What it was done to, as others know it."""
    known = {
        "user": names.people,
        "entry": names.entries,
        "asset": names.entries,
        "device": names.devices,
        "venue": names.venues,
        "group": names.groups,
    }
    if row.subject_type in known:
        return known[row.subject_type].get(row.subject_id, row.subject_id)
    if row.subject_type == "language":
        return language_name(row.subject_id)
    if row.subject_type in ("token", "preview", "alert-subscription"):
        return str(row.details.get("name") or row.subject_id[:8])
    return row.subject_id.partition("/")[0]


def subject_href(row: AuditRecord) -> str:
    """The page of what it was done to; empty where it has none."""
    first = row.subject_id.partition("/")[0]
    places = {
        "user": f"/studio/people/{first}",
        "entry": f"/studio/entries/{first}/history",
        "asset": f"/studio/media/{first}/",
        "package": f"/studio/packages/{first}/",
        "device": f"/studio/devices/{first}/",
        "venue": f"/studio/venues/{first}/",
        "group": f"/studio/groups/{first}/",
        "rollout": f"/studio/packages/{first}/rollout",
    }
    gone = row.action in ("entry.delete", "asset.delete", "group.delete")
    return "" if gone else places.get(row.subject_type, "")


def action_label(action: str) -> str:
    """An action in a few words, to choose it in a list; unknown ones as they are written."""
    return _labels().get(action, action)


def known_actions() -> list[tuple[str, str]]:
    """Actions and their labels, by label."""
    return sorted(_labels().items(), key=lambda pair: pair[1])


def _pair() -> dict[str, str]:
    return {"who": _WHO, "what": _WHAT}


def _entry_write(row: AuditRecord) -> str:
    touched = row.details.get("touched")
    scopes = sorted({str(pair[1]) for pair in touched if len(pair) == 2}) if touched else []
    if not scopes:
        return _("%(who)s saved %(what)s", **_pair())
    return _(
        "%(who)s changed %(what)s: %(languages)s",
        **_pair(),
        languages=listed(map(scope_name, scopes)),
    )


def _approval(row: AuditRecord) -> str:
    scopes = listed(map(scope_name, sorted(row.details.get("scopes") or {})))
    if row.action == "entry.approve":
        return _("%(who)s approved %(what)s: %(languages)s", **_pair(), languages=scopes)
    return _(
        "%(who)s withdrew the approval of %(what)s: %(languages)s", **_pair(), languages=scopes
    )


def _review(row: AuditRecord) -> str:
    details = row.details
    scopes = details.get("scopes") or [details.get("scope") or SHARED]
    said = listed(scope_name(str(scope)) for scope in scopes)
    if row.action == "review.request":
        return _("%(who)s asked for a review of %(what)s: %(languages)s", **_pair(), languages=said)
    return _("%(who)s sent %(what)s back: %(languages)s", **_pair(), languages=said)


def _release(row: AuditRecord) -> str:
    number = row.subject_id.rpartition("/")[2]
    before = row.details.get("restored_from")
    if before:
        return _(
            "%(who)s restored release %(old)s of %(what)s as release %(number)s",
            **_pair(),
            old=before,
            number=number,
        )
    if row.details.get("channel") == "preview":
        return _(
            "%(who)s published release %(number)s of %(what)s on the preview channel",
            **_pair(),
            number=number,
        )
    return _("%(who)s published release %(number)s of %(what)s", **_pair(), number=number)


def _session_open(row: AuditRecord) -> str:
    by = row.details.get("by")
    if by == "link":
        return _("%(who)s signed in with a link", **_pair())
    if by == "openid":
        return _("%(who)s signed in with the organisation's account", **_pair())
    return _("%(who)s signed in", **_pair())


def _user_change(row: AuditRecord) -> str:
    told = row.details
    if told.get("active") is False:
        return _("%(who)s deactivated %(what)s", **_pair())
    if told.get("active") is True:
        return _("%(who)s let %(what)s sign in again", **_pair())
    own = row.actor_id == row.subject_id
    if "password" in told:
        if own:
            return _("%(who)s set a new password", **_pair())
        return _("%(who)s set a new password for %(what)s", **_pair())
    if "openid" in told:
        return _("%(who)s tied the organisation's account to %(what)s", **_pair())
    if own:
        return _("%(who)s changed their own account", **_pair())
    return _("%(who)s changed the account of %(what)s", **_pair())


def _user_grants(row: AuditRecord) -> str:
    roles = {str(grant.get("role")) for grant in row.details.get("after") or ()}
    if not roles:
        return _("%(who)s took every role from %(what)s", **_pair())
    named = listed(role_words(role).name for role in sorted(roles))
    return _("%(who)s gave %(what)s these roles: %(roles)s", **_pair(), roles=named)


def _link(row: AuditRecord) -> str:
    purpose = row.details.get("purpose")
    if purpose == "invitation":
        return _("%(who)s made an invitation for %(what)s", **_pair())
    if purpose == "openid":
        return _("%(who)s allowed %(what)s to use the organisation's account", **_pair())
    return _("%(who)s made a link for %(what)s to set a new password", **_pair())


def _exchange(row: AuditRecord) -> str:
    return _(
        "%(who)s took texts in %(what)s from the file %(file)s",
        **_pair(),
        file=str(row.details.get("file", "")),
    )


def _collection(row: AuditRecord) -> str:
    details = row.details
    counts = [details.get(name) for name in ("created", "changed")]
    total = sum(n if isinstance(n, int) else len(n or ()) for n in counts)
    return ngettext(
        "%(who)s imported the collection %(what)s: %(n)s entry",
        "%(who)s imported the collection %(what)s: %(n)s entries",
        total,
        **_pair(),
    )


def _order(row: AuditRecord) -> str:
    kind = str(row.details.get("kind", ""))
    names = order_names()
    asked = names[kind][0] if kind in names else kind
    sentences = {
        "order.give": _("%(who)s asked %(what)s: %(order)s", **_pair(), order=asked),
        "order.withdraw": _(
            "%(who)s took an order back from %(what)s: %(order)s", **_pair(), order=asked
        ),
        "order.done": _(
            "The device %(what)s did what was asked: %(order)s", **_pair(), order=asked
        ),
        "order.failed": _(
            "The device %(what)s could not do what was asked: %(order)s", **_pair(), order=asked
        ),
    }
    return sentences[row.action]


def _rollout(row: AuditRecord) -> str:
    release = row.details.get("release", "")
    if row.action == "rollout.begin":
        return _(
            "%(who)s began to roll out release %(release)s of %(what)s",
            **_pair(),
            release=release,
        )
    if row.action == "rollout.share":
        return _(
            "%(who)s gives release %(release)s of %(what)s to %(share)s of the devices",
            **_pair(),
            release=release,
            share=f"{row.details.get('share', '')} %",
        )
    if row.action == "rollout.hold":
        return _("%(who)s held release %(release)s of %(what)s", **_pair(), release=release)
    if row.action == "rollout.resume":
        return _("%(who)s let the rollout of %(what)s go on", **_pair())
    return _("%(who)s gave release %(release)s of %(what)s to all", **_pair(), release=release)


_SENTENCES: dict[str, Callable[[AuditRecord], str]] = {
    "alert.change": lambda _r: _("%(who)s changed who is told of alerts: %(what)s", **_pair()),
    "alert.secret": lambda _r: _("%(who)s made another secret for the webhook %(what)s", **_pair()),
    "alert.subscribe": lambda _r: _("%(who)s has %(what)s told of alerts", **_pair()),
    "alert.test": lambda _r: _("%(who)s sent a test to %(what)s", **_pair()),
    "alert.unsubscribe": lambda _r: _("%(who)s has %(what)s told no more of alerts", **_pair()),
    "asset.delete": lambda _r: _("%(who)s deleted the media %(what)s", **_pair()),
    "asset.file": lambda r: (
        _("%(who)s replaced the file of %(what)s", **_pair())
        if r.details.get("replaces")
        else _("%(who)s uploaded %(what)s", **_pair())
    ),
    "collection.import": _collection,
    "comment.create": lambda _r: _("%(who)s commented on %(what)s", **_pair()),
    "comment.resolve": lambda _r: _("%(who)s settled a comment on %(what)s", **_pair()),
    "device.change": lambda _r: _("%(who)s changed the device %(what)s", **_pair()),
    "device.create": lambda _r: _("%(who)s added the device %(what)s", **_pair()),
    "device.enrol": lambda _r: _("The device %(what)s was enrolled", **_pair()),
    "device.invite": lambda _r: _("%(who)s made an enrolment code for %(what)s", **_pair()),
    "device.replace": lambda _r: _("The machine of the device %(what)s was replaced", **_pair()),
    "device.revoke": lambda _r: _("%(who)s revoked the device %(what)s", **_pair()),
    "entry.approve": _approval,
    "entry.create": lambda _r: _("%(who)s created %(what)s", **_pair()),
    "entry.delete": lambda _r: _("%(who)s deleted %(what)s", **_pair()),
    "entry.withdraw": _approval,
    "entry.write": _entry_write,
    "exchange.import": _exchange,
    "group.change": lambda _r: _("%(who)s changed the group %(what)s", **_pair()),
    "group.create": lambda _r: _("%(who)s added the group %(what)s", **_pair()),
    "group.delete": lambda _r: _("%(who)s removed the group %(what)s", **_pair()),
    "language.delete": lambda _r: _("%(who)s removed the language %(what)s", **_pair()),
    "language.write": lambda _r: _("%(who)s changed the language %(what)s", **_pair()),
    "link.create": _link,
    "order.done": _order,
    "order.failed": _order,
    "order.give": _order,
    "order.withdraw": _order,
    "package.change": lambda _r: _("%(who)s changed the package %(what)s", **_pair()),
    "package.create": lambda _r: _("%(who)s created the package %(what)s", **_pair()),
    "preview.end": lambda _r: _("%(who)s ended a link to a preview", **_pair()),
    "preview.share": lambda _r: _("%(who)s shared a preview by a link", **_pair()),
    "release.cancel": lambda _r: _("%(who)s called off a release of %(what)s", **_pair()),
    "release.create": _release,
    "release.fail": lambda _r: _("A release of %(what)s could not be published", **_pair()),
    "release.restore": _release,
    "release.schedule": lambda _r: _("%(who)s planned a release of %(what)s", **_pair()),
    "review.request": _review,
    "review.send_back": _review,
    "rollout.begin": _rollout,
    "rollout.finish": _rollout,
    "rollout.hold": _rollout,
    "rollout.policy": lambda _r: _("%(who)s has %(what)s published by stages", **_pair()),
    "rollout.remove": lambda _r: _("%(who)s has %(what)s published to all at once", **_pair()),
    "rollout.resume": _rollout,
    "rollout.share": _rollout,
    "session.close": lambda _r: _("%(who)s signed out", **_pair()),
    "session.close-all": lambda r: (
        _("%(who)s signed out everywhere", **_pair())
        if r.actor_id == r.subject_id
        else _("%(who)s signed %(what)s out everywhere", **_pair())
    ),
    "session.open": _session_open,
    "token.create": lambda _r: _("%(who)s made the API token %(what)s", **_pair()),
    "token.revoke": lambda _r: _("%(who)s ended the token %(what)s", **_pair()),
    "translation.claim": lambda r: _(
        "%(who)s marked a text of %(what)s in %(language)s",
        **_pair(),
        language=language_name(str(r.details.get("language", ""))),
    ),
    "user.change": _user_change,
    "user.create": lambda _r: _("%(who)s added %(what)s", **_pair()),
    "user.grants": _user_grants,
    "venue.change": lambda _r: _("%(who)s changed the venue %(what)s", **_pair()),
    "venue.create": lambda _r: _("%(who)s added the venue %(what)s", **_pair()),
}


def _labels() -> dict[str, str]:
    return {
        "alert": _("Alerts: who is told"),
        "asset": _("Media: everything"),
        "asset.delete": _("Media: deleted"),
        "asset.file": _("Media: file uploaded"),
        "collection.import": _("Collection imported"),
        "comment": _("Comments"),
        "device": _("Devices: everything"),
        "device.change": _("Device changed"),
        "device.create": _("Device added"),
        "device.enrol": _("Device enrolled"),
        "device.invite": _("Device: code made"),
        "device.replace": _("Device: machine replaced"),
        "device.revoke": _("Device revoked"),
        "entry": _("Entries: everything"),
        "entry.approve": _("Entry approved"),
        "entry.create": _("Entry created"),
        "entry.delete": _("Entry deleted"),
        "entry.withdraw": _("Entry: approval withdrawn"),
        "entry.write": _("Entry changed"),
        "exchange.import": _("Texts taken from a file"),
        "group": _("Groups of devices: everything"),
        "language": _("Languages: everything"),
        "link.create": _("Person: link made"),
        "order": _("Orders to devices"),
        "package": _("Packages: everything"),
        "package.change": _("Package changed"),
        "package.create": _("Package created"),
        "preview": _("Links to previews"),
        "release": _("Releases: everything"),
        "release.create": _("Release published"),
        "release.restore": _("Release restored"),
        "release.schedule": _("Release planned"),
        "review": _("Reviews: asked for, sent back"),
        "rollout": _("Rollouts: everything"),
        "session": _("Signing in and out"),
        "token": _("Tokens"),
        "translation.claim": _("Translation marked"),
        "user": _("People: everything"),
        "user.change": _("Person changed"),
        "user.create": _("Person added"),
        "user.grants": _("Roles changed"),
        "venue": _("Venues: everything"),
    }


def details_of(row: AuditRecord) -> list[tuple[str, Any]]:
    """The details as they are kept, for who wants to know exactly."""
    return sorted(row.details.items())
