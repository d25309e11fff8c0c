"""`content-api venue` and `content-api device`: places, displays, enrolment codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from content_api.accounts.rules import SYSTEM
from content_api.command_line import json_option, print_json, reading, with_settings, writing
from content_api.devices import fleet_commands
from content_api.settings import Settings
from package_format.manifest import PROFILES

if TYPE_CHECKING:
    from marshmallow import Schema


@click.group()
def venue() -> None:
    """Places with devices."""


@venue.command("add")
@click.argument("name")
@click.option("--id", "venue_id", help="Its id; made from the name by default.")
@click.option("--timezone", default="UTC", show_default=True, help="As Asia/Tokyo.")
@json_option
@with_settings
def add_venue(
    settings: Settings, name: str, venue_id: str | None, timezone: str, as_json: bool
) -> None:
    """Add a venue."""
    from content_api.devices import schemas, service

    given = {"name": name, "timezone": timezone, "id": venue_id}
    values = _checked(schemas.NewVenueSchema(), given)
    with writing(settings) as session:
        made = service.create_venue(
            session,
            SYSTEM,
            name=values["name"],
            timezone=values["timezone"],
            venue_id=values.get("id"),
        )
    if as_json:
        print_json({"id": made.id, "name": made.name, "timezone": made.timezone})
    else:
        click.echo(made.id)


@venue.command("list")
@json_option
@with_settings
def list_venues(settings: Settings, as_json: bool) -> None:
    """List the venues."""
    from content_api.devices import service

    with reading(settings) as session:
        found = [
            {"id": row.id, "name": row.name, "timezone": row.timezone}
            for row in service.list_venues(session, limit=10_000)
        ]
    if as_json:
        print_json(found)
        return
    for row in found:
        click.echo(f"{row['id']:<24} {row['timezone']:<20} {row['name']}")


@click.group()
def device() -> None:
    """Displays: add, invite, list, revoke."""


@device.command("add")
@click.argument("name")
@click.option("--venue", "venue_id", required=True, help="Id of its venue.")
@click.option("--package", "package_slug", required=True, help="What it shows.")
@click.option("--profile", type=click.Choice(PROFILES), default="tablet", show_default=True)
@click.option("--channel", type=click.Choice(["live", "preview"]), default="live")
@click.option("--language", "languages", multiple=True, help="One it takes; repeat. Default: all.")
@click.option("--id", "device_id", help="Its id; made from the name by default.")
@json_option
@with_settings
def add_device(settings: Settings, as_json: bool, **given: Any) -> None:
    """Add a device to a venue and print a code that enrols it."""
    from content_api.devices import schemas, service

    values = _checked(
        schemas.NewDeviceSchema(),
        {
            "name": given["name"],
            "venue": given["venue_id"],
            "package": given["package_slug"],
            "profile": given["profile"],
            "channel": given["channel"],
            "languages": list(given["languages"]) or None,
            "id": given["device_id"],
        },
    )
    with writing(settings) as session:
        made = service.create_device(session, SYSTEM, values)
        code, expires = service.invite_device(session, SYSTEM, made.id)
    if as_json:
        print_json({"id": made.id, "code": code, "expires_at": expires})
    else:
        click.echo(f"Device {made.id}")
        click.echo(f"Code   {code} (good until {expires:%Y-%m-%d %H:%M}Z)")


@device.command("invite")
@click.argument("device_id", metavar="DEVICE")
@json_option
@with_settings
def invite_device(settings: Settings, device_id: str, as_json: bool) -> None:
    """Print a new enrolment code for a device; codes given before end."""
    from content_api.devices import service

    with writing(settings) as session:
        code, expires = service.invite_device(session, SYSTEM, device_id)
    if as_json:
        print_json({"id": device_id, "code": code, "expires_at": expires})
    else:
        click.echo(code)


@device.command("list")
@click.option("--venue", "venue_id", help="Only those of this venue.")
@json_option
@with_settings
def list_devices(settings: Settings, venue_id: str | None, as_json: bool) -> None:
    """List the devices and how each stands."""
    from content_api.database import utc_now
    from content_api.devices import service
    from content_api.devices.rules import fleet_word

    now = utc_now()
    with reading(settings) as session:
        found: list[dict[str, Any]] = [
            {
                "id": row.id,
                "venue": row.venue,
                "name": row.name,
                "state": fleet_word(row.enrolled_at, row.last_seen_at, row.revoked_at, now),
                "package": row.package,
                "profile": row.profile,
                "languages": row.languages,
                "last_seen_at": row.last_seen_at,
                "active": (row.last_heartbeat or {}).get("active"),
            }
            for row in service.list_devices(session, venue=venue_id, limit=10_000)
        ]
    if as_json:
        print_json(found)
        return
    for row in found:
        playing = f"release {row['active']['release']}" if row["active"] else "-"
        click.echo(
            f"{row['id']:<24} {row['state']:<15} {row['package']:<20} {playing:<12} {row['name']}"
        )


@device.command("revoke")
@click.argument("device_id", metavar="DEVICE")
@with_settings
def revoke_device(settings: Settings, device_id: str) -> None:
    """Take a device's token back; it goes on playing what it holds."""
    from content_api.devices import service

    with writing(settings) as session:
        service.revoke_device(session, SYSTEM, device_id)
    click.echo(f"{device_id} is revoked.")


def _checked(schema: Schema, given: dict[str, Any]) -> dict[str, Any]:
    # The command line is held to the same form as the API.
    from marshmallow import ValidationError

    try:
        found: dict[str, Any] = schema.load(
            {name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        name, messages = next(iter(error.messages_dict.items()))
        while isinstance(messages, dict):
            messages = next(iter(messages.values()))
        raise click.UsageError(f"{name}: {messages[0]}") from error
    return found


device.add_command(fleet_commands.give_order)
device.add_command(fleet_commands.list_orders)

commands: list[click.Command] = [venue, device, *fleet_commands.commands]
