"""Reading XML that strangers send, and small helpers to write it.

No document type, so no entities; no network; lxml's own limits on depth and size stay on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from content_api.content.exchange.units import MAX_FILE, ExchangeRefused

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def decode(raw: bytes) -> str:
    """A file's text: UTF-8, or UTF-16 with its mark.

    Raises:
        ExchangeRefused: too large, or in another encoding.
    """
    if len(raw) > MAX_FILE:
        raise ExchangeRefused(
            "too-large",
            f"Expected a file of at most {MAX_FILE // 1_000_000} MB, got {len(raw) / 1e6:.1f} MB: "
            "export fewer entries at once.",
        )
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ExchangeRefused(
            "encoding", "Expected a file in UTF-8: save it again in that encoding."
        ) from error


def parse(text: str) -> Any:
    """The root element of an XML document.

    Raises:
        ExchangeRefused: not well-formed, or with a document type.
    """
    text = _DECLARATION.sub("", text, count=1)
    if "<!DOCTYPE" in text:
        raise ExchangeRefused("doctype", "Expected XLIFF without a document type (<!DOCTYPE>).")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode("utf-8", "strict"), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError, ValueError) as error:
        raise ExchangeRefused(
            "broken", f"The file is not well-formed XML: {str(error)[:200]}."
        ) from error


def name_of(element: Any) -> tuple[str, str]:
    """Namespace and local name of an element; empty for what is none."""
    if not isinstance(element.tag, str):
        return "", ""
    found = etree.QName(element)
    return found.namespace or "", found.localname


def children(element: Any, namespace: str, *names: str) -> Iterator[Any]:
    """The child elements of these names."""
    for child in element:
        if name_of(child)[0] == namespace and name_of(child)[1] in names:
            yield child


def first(element: Any, namespace: str, name: str) -> Any:
    """The first child of this name, or None."""
    return next(children(element, namespace, name), None)


def add(parent: Any, tag: str, text: str | None = None, /, **attributes: str | None) -> Any:
    """A new last child in its parent's namespace; attributes that are None are left out."""
    child = etree.SubElement(parent, f"{{{name_of(parent)[0]}}}{tag}")
    for key, value in attributes.items():
        if value is not None:
            child.set(key.rstrip("_").replace("_", "-"), kept(value))
    if text is not None:
        child.text = kept(text)
    return child


def add_text(element: Any, text: str) -> None:
    """Text after everything that an element holds so far."""
    text = kept(text)
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def kept(text: str) -> str:
    """Text without the characters that XML has no way to write."""
    return _NOT_XML.sub("\ufffd", text)


def to_bytes(root: Any) -> bytes:
    """A document, the same bytes for the same content."""
    _indent(root, 0)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


_TEXTS = frozenset({"source", "target", "note", "data"})


def _indent(element: Any, level: int) -> None:
    # Not lxml's own: it would put line ends into texts that begin with a mark.
    if not len(element) or name_of(element)[1] in _TEXTS:
        return
    element.text = "\n" + " " * (level + 1)
    for child in element:
        _indent(child, level + 1)
        child.tail = "\n" + " " * (level + 1)
    element[-1].tail = "\n" + " " * level
