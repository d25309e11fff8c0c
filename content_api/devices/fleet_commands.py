"""`content-api device order` and `content-api rollout`: the fleet from a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from content_api.accounts.rules import SYSTEM
from content_api.command_line import json_option, print_json, reading, with_settings, writing
from content_api.settings import Settings

if TYPE_CHECKING:
    from content_api.devices.fleet_models import Order, Rollout

KINDS = ("sync", "restart-player", "verify", "screenshot", "reload-settings", "restart-agent")
"""As `fleet_models.ORDER_KINDS`, which a help text must not wait for."""


@click.command("order")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--device", help="Id of the device.")
@click.option("--group", help="All devices of this group.")
@click.option("--venue", help="All devices of this venue.")
@click.option(
    "--hours",
    type=click.IntRange(1, 720),
    default=24,
    show_default=True,
    help="How long it may wait for a device to ask.",
)
@json_option
@with_settings
def give_order(settings: Settings, kind: str, as_json: bool, hours: int, **where: Any) -> None:
    """Tell devices to do something once: each learns of it at its next heartbeat."""
    from content_api.devices import orders

    with writing(settings) as session:
        given = [
            _order(order)
            for order in orders.give_order(
                session, SYSTEM, kind, life=timedelta(hours=hours), **where
            )
        ]
    if as_json:
        print_json(given)
        return
    for row in given:
        click.echo(f"{row['id']:<8} {row['kind']:<16} {row['device']}")


@click.command("orders")
@click.option("--device", help="Only those of this device.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@with_settings
def list_orders(settings: Settings, device: str | None, limit: int, as_json: bool) -> None:
    """List orders, the newest first, and how each stands."""
    from content_api.devices import orders

    with reading(settings) as session:
        found = [_order(order) for order in orders.list_orders(session, device=device, limit=limit)]
    if as_json:
        print_json(found)
        return
    for row in found:
        click.echo(
            f"{row['id']:<8} {row['state']:<8} {row['kind']:<16} {row['device']:<24} "
            f"{row['message'] or ''}"
        )


@click.group()
def rollout() -> None:
    """Releases that go to a share of the devices first."""


@rollout.command("list")
@json_option
@with_settings
def list_rollouts(settings: Settings, as_json: bool) -> None:
    """List the packages and channels with a policy, and the release under way of each."""
    from content_api.devices import rollouts

    with reading(settings) as session:
        found = [_rollout(row) for row in rollouts.list_rollouts(session)]
    if as_json:
        print_json(found)
        return
    for row in found:
        under_way = (
            f"release {row['release']} to {row['share']} %"
            if row["release"] is not None
            else f"release {row['base'] or '-'} for all"
        )
        click.echo(f"{row['package']:<24} {row['channel']:<8} {row['state']:<8} {under_way}")


@rollout.command("policy")
@click.argument("package")
@click.argument("share", type=click.IntRange(1, 100))
@click.option("--channel", default="live", show_default=True)
@click.option(
    "--fault-bound",
    type=click.IntRange(0, 100),
    default=5,
    show_default=True,
    help="Percent of updated devices in trouble above which a release is held.",
)
@with_settings
def set_policy(
    settings: Settings, package: str, share: int, channel: str, fault_bound: int
) -> None:
    """Let new releases of a package begin with SHARE percent of its devices."""
    from content_api.devices import rollouts

    with writing(settings) as session:
        rollouts.set_policy(
            session, SYSTEM, package, channel, first_share=share, fault_bound=fault_bound
        )
    click.echo(f"New releases of {package} on {channel} begin with {share} % of the devices.")


@rollout.command("remove")
@click.argument("package")
@click.option("--channel", default="live", show_default=True)
@with_settings
def remove_policy(settings: Settings, package: str, channel: str) -> None:
    """Let every release of a package go to all devices at once again."""
    from content_api.devices import rollouts

    with writing(settings) as session:
        rollouts.remove_policy(session, SYSTEM, package, channel)
    click.echo(f"Releases of {package} on {channel} go to all devices at once.")


@rollout.command("share")
@click.argument("package")
@click.argument("share", type=click.IntRange(0, 100))
@click.option("--channel", default="live", show_default=True)
@with_settings
def change_share(settings: Settings, package: str, share: int, channel: str) -> None:
    """Let SHARE percent of the devices take the release under way; 100 ends the rollout."""
    from content_api.devices import rollouts

    with writing(settings) as session:
        found = _rollout(rollouts.change_share(session, SYSTEM, package, channel, share))
    click.echo(_state(found))


def _step(name: str, help_text: str) -> click.Command:
    @click.command(name, help=help_text)
    @click.argument("package")
    @click.option("--channel", default="live", show_default=True)
    @with_settings
    def step(settings: Settings, package: str, channel: str) -> None:
        from content_api.devices import rollouts

        steps: dict[str, Callable[..., Rollout]] = {
            "hold": rollouts.hold,
            "resume": rollouts.resume,
            "finish": rollouts.finish_rollout,
        }
        with writing(settings) as session:
            found = _rollout(steps[name](session, SYSTEM, package, channel))
        click.echo(_state(found))

    return step


for _name, _help in (
    ("hold", "Let no further device take the release under way."),
    ("resume", "Go on with a release that is held."),
    ("finish", "Let all devices take the release under way."),
):
    rollout.add_command(_step(_name, _help))


def _order(order: Order) -> dict[str, Any]:
    names = ("id", "device", "batch", "kind", "state", "message", "created_at", "expires_at")
    return {name: getattr(order, name) for name in names}


def _rollout(found: Rollout) -> dict[str, Any]:
    names = ("package", "channel", "first_share", "fault_bound", "base", "release", "share")
    return {name: getattr(found, name) for name in (*names, "state", "reason")}


def _state(row: dict[str, Any]) -> str:
    if row["release"] is None:
        return f"Release {row['base']} is for all devices."
    return f"Release {row['release']}: {row['state']}, {row['share']} % of the devices."


commands: list[click.Command] = [rollout]
