"""Devices with clocks of every year, offered what is new, old, expired and forged.

    python -m tests.torture.clocks [ROUNDS] [--seed N]

Each round takes an enrolled device that plays a release through a random run of
events: its clock jumps (1970, 2000, 2038, 2099, a year on, back to now), also in
the middle of a sync; the source publishes, expires, is signed anew, rotates its
root, is put back to an older state, or goes away. After each event the device
syncs. It must always play a release that was once rightly accepted, whole by
hash; never go back; take nothing that was expired at the time the device can
vouch for; and its floor must never fall, nor pass what was signed or shown.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from kiosk_client import trust
from kiosk_client.config import open_data_dir
from kiosk_client.errors import KioskError
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin
from tests.torture.kiosk_kill import check_whole

YEARS = (1970, 2000, 2038, 2099)
EVENTS = 12


@dataclass
class Tally:
    """What the rounds found."""

    rounds: int = 0
    syncs: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)


def run(rounds: int, *, seed: int, folder: Path) -> Tally:
    """Run `rounds` devices through their events.

    Raises:
        AssertionError: something played, or was accepted, that must not be.
    """
    tally = Tally()
    chance = random.Random(seed)
    for number in range(rounds):
        with Origin().serving() as origin:
            _one_device(origin, folder / f"device-{number}", chance, tally)
        tally.rounds += 1
    return tally


def _one_device(origin: Origin, folder: Path, chance: random.Random, tally: Tally) -> None:
    kiosk = Kiosk(open_data_dir(folder, create=True), origin)
    kiosk.enrol()
    edition = 1
    origin.publish(_files(edition))
    kiosk.sync()
    held, floor = 1, trust.load_accepted(kiosk.data.trust).floor
    saved = origin.save()
    for _ in range(EVENTS):
        real = datetime.now(UTC)
        kiosk.clock = chance.choice(
            [
                None,
                None,
                datetime(chance.choice(YEARS), 1, 19, 3, 14, 8, tzinfo=UTC),
                real + timedelta(days=400),
            ]
        )
        event = chance.choice(
            ["publish", "publish", "expire", "sign", "rotate", "restore", "away", "jump", "nothing"]
        )
        now = kiosk.now
        match event:
            case "publish":
                edition += 1
                origin.timestamp.expires = _soon(30)
                origin.publish(_files(edition))
            case "expire":
                origin.refresh(days=-3)
            case "sign":
                origin.published_at = max(origin.published_at, real.replace(microsecond=0))
                origin.refresh(days=30)
            case "rotate":
                origin.rotate_root(role=chance.choice(["root", "timestamp", "snapshot", "targets"]))
            case "restore":
                origin.restore(saved)
            case "away":
                origin.attack(".", "drop")
            case "jump":
                now = partial(_any_year, chance)
        before = trust.load_accepted(kiosk.data.trust)
        expires = _expiry(origin)
        tally.syncs += 1
        try:
            kiosk.sync(now=now)
        except KioskError as error:
            tally.refused[error.code] = tally.refused.get(error.code, 0) + 1
        else:
            tally.accepted += 1
            if event != "jump":
                judged = trust.reference_time(kiosk.now(), before.floor).at
                assert judged <= expires, f"accepted what expired {judged - expires} before"
        playing = kiosk.release
        assert playing is not None, "nothing plays"
        assert held <= playing <= edition, f"plays {playing} after {held}"
        check_whole(kiosk.data, {playing})
        held = playing
        raised = trust.load_accepted(kiosk.data.trust).floor
        assert raised >= floor, f"the floor fell from {floor} to {raised}"
        assert raised <= max(datetime.now(UTC), origin.published_at), f"the floor is {raised}"
        floor = raised
        if event == "restore":
            # The mirror is mended: what comes next builds on the newest state.
            origin.sign()
            origin.refresh(days=30)
        origin.attacks.clear()
        if chance.random() < 0.3:
            saved = origin.save()


def _files(edition: int) -> dict[str, Content]:
    return {
        "package.json": Content(b'{"format":1,"package":"harbour"}'),
        "lang/en/shard-0.json": Content(f'{{"edition":{edition}}}'.encode()),
    }


def _any_year(chance: random.Random) -> datetime:
    return datetime(chance.choice(YEARS), 1, 19, tzinfo=UTC)


def _expiry(origin: Origin) -> datetime:
    """When the timestamp that is served now expires."""
    from tuf.api.metadata import Metadata, Timestamp

    raw = origin.files["metadata/timestamp.json"]
    found: datetime = Metadata[Timestamp].from_bytes(raw).signed.expires
    return found


def _soon(days: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rounds", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261124)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        tally = run(options.rounds, seed=options.seed, folder=Path(folder))
        refused = ", ".join(f"{code} {count}" for code, count in sorted(tally.refused.items()))
        print(f"{tally.rounds} devices, {tally.syncs} syncs: {tally.accepted} accepted, {refused}")


if __name__ == "__main__":
    main()
