"""One door to the three formats: write by name, read by what a file is. Pure."""

from __future__ import annotations

from content_api.content.exchange import po, xliff2, xliff12, xml
from content_api.content.exchange.units import ExchangeRefused, InFile, OutFile

EXTENSIONS = {"xliff12": "xlf", "xliff2": "xlf", "po": "po"}
MEDIA_TYPES = {"xliff12": xliff12.MEDIA_TYPE, "xliff2": xliff2.MEDIA_TYPE, "po": po.MEDIA_TYPE}

_WRITERS = {"xliff12": xliff12.write, "xliff2": xliff2.write, "po": po.write}


def write_file(out: OutFile, form: str) -> bytes:
    """The bytes of `out` in the format `form`; the same for the same texts.

    Raises:
        KeyError: no such format.
    """
    return _WRITERS[form](out)


def read_file(raw: bytes) -> InFile:
    """What a translator sent back, whichever of the formats it is in.

    Raises:
        ExchangeRefused: too large, broken, or in no format of ours.
    """
    text = xml.decode(raw)
    if not text.lstrip().startswith("<"):
        if "msgid" not in text:
            raise ExchangeRefused(
                "other-format", "Expected a file of XLIFF 1.2, XLIFF 2.0 or gettext PO."
            )
        return po.read(text)
    root = xml.parse(text)
    namespace, name = xml.name_of(root)
    if name == "xliff" and namespace == xliff12.NAMESPACE:
        return xliff12.read(root)
    if name == "xliff" and namespace == xliff2.NAMESPACE:
        return xliff2.read(root)
    raise ExchangeRefused(
        "other-format",
        f"Expected a file of XLIFF 1.2, XLIFF 2.0 or gettext PO, got <{name[:40]}> "
        f"of {namespace[:100] or 'no namespace'}.",
    )
