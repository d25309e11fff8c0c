"""Kill a publishing process at a random moment, many times; afterwards all must be whole.

    python -m tests.torture.publish_kill --times 100 [--seed 1] [--data-dir DIR]

Each round edits an entry, starts a process that publishes, and kills it (SIGKILL) after a
random time between nothing and a little more than a whole publication takes. Then:

* the stock TUF client, which has followed from the start, accepts the repository and
  fetches a manifest whose every file is there, byte for byte;
* the release it names is the old one or the new one, never a third;
* the release table, once reconciled, says the same as the signed metadata.

Prints one line of figures and exits with 0, or says what broke and exits with 1.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, select

from content_api.accounts.rules import SYSTEM
from content_api.content.models import Entry
from content_api.content.service import approve, save_entry
from content_api.content.types import load_types
from content_api.database import open_engine, read_session, write_session
from content_api.migrations.upgrade import upgrade_database
from content_api.packages.models import Release
from content_api.packages.publish import publish_release
from content_api.packages.reconcile import recover
from content_api.repository import metadata
from content_api.repository.store import hash_file
from content_api.settings import Settings, load_settings
from package_format.layout import blob_path
from package_format.manifest import parse_manifest, select_files
from tests.packages.conftest import seed, title
from tests.repository.conftest import StockClient

ROOT = Path(__file__).parents[2]


PUBLISH = """
import sys
from content_api.accounts.rules import SYSTEM
from content_api.database import open_engine
from content_api.packages.publish import publish_release
from content_api.settings import load_settings
settings = load_settings({}, data_dir=sys.argv[1])
engine = open_engine(settings.database_url)
print("ready", flush=True)
publish_release(engine, settings, SYSTEM, "harbour")
"""


class Broken(Exception):
    """Something that must hold does not."""


def main() -> int:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--data-dir", type=Path, default=None)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = options.data_dir or Path(tempfile.mkdtemp(prefix="publish-kill-"))
    try:
        found = run(folder, options.times, chance)
    except Broken as error:
        print(f"BROKEN: {error} (data kept in {folder})", file=sys.stderr)
        return 1
    if options.data_dir is None:
        shutil.rmtree(folder)
    print(
        f"{options.times} kills: {found['live']} went live, {found['old']} left the release "
        f"before, {found['finished']} had finished; the repository was whole each time"
    )
    return 0


def run(folder: Path, times: int, chance: random.Random) -> Counter[str]:
    """Publish once, then kill `times` publications; how they ended.

    Raises:
        Broken: names what does not hold.
    """
    settings = load_settings({}, data_dir=folder / "server")
    settings.data_dir.mkdir(parents=True)
    upgrade_database(settings.database_url)
    seed(settings)
    engine = open_engine(settings.database_url)
    publish_release(engine, settings, SYSTEM, "harbour")
    edit(engine, settings, -1, chance)
    whole = kill_one(settings, 60)
    if whole is None:
        raise Broken("a publication that nobody kills takes more than a minute")
    client = StockClient(
        settings.repository_dir,
        folder / "client",
        metadata.newest_root(settings.repository_dir),
    )
    ended: Counter[str] = Counter()
    try:
        before = check(engine, settings, client, {2})
        for number in range(times):
            edit(engine, settings, number, chance)
            outcome = kill_one(settings, chance.uniform(0, whole * 1.1))
            # The next number may be skipped when the one before it was signed by nobody.
            with read_session(engine) as session:
                highest = max(session.scalars(select(Release.number)).all(), key=lambda n: n or 0)
            now = check(engine, settings, client, {before, highest or before})
            ended["finished" if outcome is not None else "live" if now != before else "old"] += 1
            before = now
    finally:
        engine.dispose()
    return ended


def edit(engine: Engine, settings: Settings, number: int, chance: random.Random) -> None:
    """Change and approve an entry, so that each publication has something to write."""
    types = load_types(settings.types_dir)
    entry = f"place-{chance.randrange(20)}"
    app = Flask(__name__)
    app.extensions["lampisterie_types"] = types
    with app.app_context(), write_session(engine) as session:
        rev = session.get_one(Entry, entry).head_rev
        operations = [title("fr", f"Lieu, état {number}")]
        saved = save_entry(session, SYSTEM, entry, rev, operations, types=types)
        approve(session, SYSTEM, entry, "fr", saved.rev, types=types)


def kill_one(settings: Settings, seconds: float) -> float | None:
    """Start a publication and kill it after `seconds`; None, or the time it took if less."""
    child = subprocess.Popen(
        [sys.executable, "-c", PUBLISH, str(settings.data_dir)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    if child.stdout.readline() != b"ready\n":
        raise Broken(f"the publishing process did not start: exit code {child.wait()}")
    started = time.monotonic()
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return None
    finally:
        child.stdout.close()
    if child.returncode != 0:
        raise Broken(f"a publication failed by itself: exit code {child.returncode}")
    return time.monotonic() - started


def check(engine: Engine, settings: Settings, client: StockClient, allowed: set[int]) -> int:
    """Hold repository and table to what they promise; the number of the release that is live."""
    manifest = parse_manifest(client.manifest())
    if manifest.release not in allowed:
        raise Broken(f"release {manifest.release} is live, expected one of {sorted(allowed)}")
    for entry in {entry.sha256: entry for entry in manifest.files}.values():
        path = settings.repository_dir / blob_path(entry.sha256)
        if not path.exists() or hash_file(path) != (entry.sha256, entry.size):
            raise Broken(f"{entry.path} of release {manifest.release} is not whole")
    for profile in manifest.profiles:
        if not select_files(manifest, profile, manifest.tags):
            raise Broken(f"release {manifest.release} has nothing for {profile}")
    recover(engine, settings)
    with read_session(engine) as session:
        rows = session.scalars(
            select(Release).where(Release.state.in_(("live", "publishing")))
        ).all()
        if [(row.number, row.state) for row in rows] != [(manifest.release, "live")]:
            raise Broken(
                f"the table says {[(row.number, row.state) for row in rows]}, "
                f"signed is release {manifest.release}"
            )
    return manifest.release


if __name__ == "__main__":
    sys.exit(main())
