"""What the form of an asset says, as operations on its entry. Pure.

Only what differs from the revision the form was made of becomes an operation, so that
saving one language touches no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

TEXTS = ("alt", "caption", "credit", "transcript")
SHARED = "*"

LICENCES = (
    "CC0 1.0",
    "CC BY 4.0",
    "CC BY-SA 4.0",
    "CC BY-NC 4.0",
    "CC BY-NC-SA 4.0",
    "CC BY-ND 4.0",
    "CC BY-NC-ND 4.0",
    "Licence Ouverte 2.0",
    "Domaine public",
)
"""Licences a studio knows by name; any other can be written. `Domaine public` is what French
collections state, and what the sample's partners do."""

OTHER = "other"


def operations_of(
    form: Mapping[str, str], body: Mapping[str, Any], tags: Collection[str]
) -> list[dict[str, Any]]:
    """Operations that bring `body` to what `form` says; fields it does not hold stay.

    Names are `alt.fr` for texts, `decorative`, `focal_x` and `focal_y` (percent), `poster`,
    and `rights_*`.
    """
    fields = body.get("fields", {})
    found: list[dict[str, Any]] = []
    for path, scope, value in _given(form, fields, tags):
        before = fields.get(path, {}).get(scope)
        if value == before and type(value) is type(before):
            continue
        if value is None:
            found.append({"op": "unset", "path": path, "scope": scope})
        else:
            found.append({"op": "set", "path": path, "scope": scope, "value": value})
    return found


def still_described(
    form: Mapping[str, str], body: Mapping[str, Any], tags: Collection[str]
) -> list[str]:
    """Languages in which a picture that is called decorative would still have a text."""
    fields = body.get("fields", {})
    decorative = _decorative(form, fields)
    if not decorative:
        return []
    written = dict(fields.get("alt", {}))
    written.update({tag: form[f"alt.{tag}"].strip() for tag in tags if f"alt.{tag}" in form})
    return [tag for tag, text in written.items() if text]


def values_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows of a document: texts by `alt.fr`, and the shared fields."""
    fields = body.get("fields", {})
    found: dict[str, Any] = {
        f"{path}.{tag}": text or "" for path in TEXTS for tag, text in fields.get(path, {}).items()
    }
    decorative = fields.get("decorative", {}).get(SHARED)
    found["decorative"] = {True: "yes", False: "no"}.get(decorative, "")
    focal = fields.get("focal", {}).get(SHARED) or {}
    for axis in ("x", "y"):
        found[f"focal_{axis}"] = _percent(focal[axis]) if axis in focal else ""
    rights = fields.get("rights", {}).get(SHARED) or {}
    licence = rights.get("licence", "")
    found["rights_licence"] = licence if licence in ("", *LICENCES) else OTHER
    found["rights_licence_other"] = licence if licence not in ("", *LICENCES) else ""
    for part in ("holder", "url", "expires"):
        found[f"rights_{part}"] = rights.get(part, "")
    found["poster"] = fields.get("poster", {}).get(SHARED) or ""
    return found


def _given(
    form: Mapping[str, str], fields: Mapping[str, Any], tags: Collection[str]
) -> Iterator[tuple[str, str, Any]]:
    for path in TEXTS:
        for tag in tags:
            name = f"{path}.{tag}"
            if name in form:
                # A form sends line ends as CR LF; documents hold LF.
                yield path, tag, form[name].replace("\r\n", "\n").strip() or None
    if "decorative" in form:
        chosen = {"yes": True, "no": False}.get(form["decorative"])
        yield "decorative", SHARED, chosen
    if "focal_x" in form and "focal_y" in form:
        yield "focal", SHARED, _focal(form, fields.get("focal", {}).get(SHARED))
    if "rights_holder" in form:
        yield "rights", SHARED, _rights(form)
    if "poster" in form:
        yield "poster", SHARED, form["poster"].strip() or None


def _decorative(form: Mapping[str, str], fields: Mapping[str, Any]) -> bool:
    if "decorative" in form:
        return form["decorative"] == "yes"
    return fields.get("decorative", {}).get(SHARED) is True


def _focal(form: Mapping[str, str], before: Any) -> Any:
    x, y = form["focal_x"].strip(), form["focal_y"].strip()
    if not x or not y:
        return None
    if before and (x, y) == (_percent(before["x"]), _percent(before["y"])):
        # Shown rounded: a point nobody moved keeps its digits.
        return before
    try:
        return {"x": float(x.replace(",", ".")) / 100, "y": float(y.replace(",", ".")) / 100}
    except ValueError:
        # The service says what it expected, as it does to everybody.
        return {"x": x, "y": y}


def _rights(form: Mapping[str, str]) -> Any:
    licence = form.get("rights_licence", "").strip()
    if licence == OTHER:
        licence = form.get("rights_licence_other", "").strip()
    given = {
        "holder": form["rights_holder"].strip(),
        "licence": licence,
        "url": form.get("rights_url", "").strip(),
        "expires": form.get("rights_expires", "").strip(),
    }
    return {name: text for name, text in given.items() if text} or None


def _percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0")
