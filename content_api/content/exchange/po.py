"""gettext PO, by polib. Pure.

`msgctxt` names the state of the entry and the path of the text; marks stay as they are
written, for PO has none of its own. What is outdated or a machine's is `fuzzy`, and the
source it was made from stands in `#| msgid`.
"""

from __future__ import annotations

import polib

from content_api.content.exchange.units import (
    MAX_UNITS,
    ExchangeRefused,
    InFile,
    InUnit,
    OutFile,
    is_path,
    parse_origin,
)

MEDIA_TYPE = "text/x-gettext-translation"

_MACHINE = "Machine translation"


def write(out: OutFile) -> bytes:
    """The file."""
    file = polib.POFile(wrapwidth=0)
    file.metadata = {
        "Language": out.target_language.replace("-", "_"),
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "X-Generator": "Lampisterie",
        "X-Source-Language": out.source_language,
        "X-Target-Language": out.target_language,
    }
    for entry in out.entries:
        for unit in entry.units:
            comment = f"{entry.type_label}: {entry.title}\n{unit.label}"
            if unit.max:
                comment += f"\nmax {unit.max}"
            if unit.status == "machine":
                comment += f"\n{_MACHINE}"
            file.append(
                polib.POEntry(
                    msgctxt=f"{entry.origin} {unit.path}",
                    msgid=unit.source,
                    msgstr=unit.target or "",
                    comment=comment,
                    previous_msgid=unit.before,
                    flags=["fuzzy"] if unit.status in ("outdated", "machine") else [],
                )
            )
    return str(file).encode() + b"\n"


def read(text: str) -> InFile:
    """What came back.

    Raises:
        ExchangeRefused: not PO, or more texts than are read.
    """
    try:
        # polib opens what is the name of a file: no name begins like this.
        file = polib.pofile(f"# \n{text}", wrapwidth=0)
    except (OSError, ValueError, UnicodeError, IndexError, KeyError, AttributeError) as error:
        raise ExchangeRefused(
            "broken", f"The file is no gettext PO: {str(error)[:200]}."
        ) from error
    if len(file) > MAX_UNITS:
        raise ExchangeRefused("too-many", f"Expected at most {MAX_UNITS} texts in one file.")
    units = [_read_entry(entry) for entry in file if not entry.obsolete]
    language = file.metadata.get("X-Target-Language") or file.metadata.get("Language", "")
    return InFile(
        "po", file.metadata.get("X-Source-Language", ""), language.replace("_", "-"), tuple(units)
    )


def _read_entry(entry: polib.POEntry) -> InUnit:
    named, _, path = (entry.msgctxt or "").partition(" ")
    origin = parse_origin(named)
    state = "unfinished" if entry.fuzzy else "translated"
    return InUnit(
        origin=origin,
        path=path[:200],
        source=entry.msgid,
        target=(entry.msgstr,) if entry.msgstr else None,
        state=state,
        fault=None if is_path(path) and not entry.msgid_plural else "unreadable",
        name=(entry.msgctxt or entry.msgid)[:200],
    )
