"""All of the torture in full, one after the other: hours.

    python -m tests.torture [NAME …]

Each is a script of its own with a short form among the tests. Ends with 1 when
any of them found a broken promise; those that follow are run all the same.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

FULL: dict[str, tuple[str, ...]] = {
    "kiosk_kill": ("1000", "--what", "all"),
    "faults": ("--what", "all"),
    "activation_kill": ("1000",),
    "stick_kill": ("200", "--on", "fat"),
    "hostile": (),
    "clocks": ("1000",),
    "boot": ("10",),
    "soak": ("--hours", "12"),
    "publish_kill": ("--times", "100"),
}
"""Scripts in this folder, and the arguments of their long form."""


def main() -> None:
    """Run those named, or all."""
    names = sys.argv[1:] or list(FULL)
    unknown = sorted(set(names) - set(FULL))
    if unknown:
        sys.exit(f"expected names among {', '.join(FULL)}, got {', '.join(unknown)}")
    failed = []
    for name in names:
        command = [sys.executable, "-m", f"tests.torture.{name}", *FULL[name]]
        print(f"\n== {' '.join(command[2:])}", flush=True)
        began = time.monotonic()
        done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
        print(f"== {name}: status {done.returncode}, {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
