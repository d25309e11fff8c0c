"""Command line: rebuild media/ from a folder of facts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from media.build.collection import build_collection

MEDIA = Path(__file__).resolve().parent.parent


def main() -> int:
    """Build the collection; 0 when done, 1 when the facts are missing or broken."""
    parser = argparse.ArgumentParser(
        prog="python -m media.build", description="Build the sample collection from facts."
    )
    parser.add_argument(
        "--facts", type=Path, required=True, help="folder with sites.json and the other facts"
    )
    parser.add_argument(
        "--into", type=Path, default=MEDIA, help="collection folder to write (default: media)"
    )
    parser.add_argument(
        "--texts-only", action="store_true", help="rebuild entries and packages, draw nothing"
    )
    parser.add_argument("--only", help="draw only assets whose id starts so")
    options = parser.parse_args()
    try:
        counts = build_collection(
            options.facts, options.into, draw=not options.texts_only, only=options.only
        )
    except (OSError, ValueError, KeyError) as error:
        print(f"cannot build the collection: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
