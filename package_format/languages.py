"""Language tags, and choosing one of the languages there are for the one asked for.

Tags are BCP 47 in their shortest true form (`fr`, `zh-Hans`, `pt-BR`). The
matcher knows which script a region writes, so `zh-CN` finds `zh-Hans`, and
never hands out the other script of a language as if it were the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# BCP 47 without grandfathered and extended tags: language, script, region, variants, extensions.
_TAG = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(?:-(?P<script>[A-Za-z]{4}))?"
    r"(?:-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[A-Za-wyz0-9](?:-[A-Za-z0-9]{2,8})+)*)(?:-x(?:-[A-Za-z0-9]{1,8})+)?"
)
# Languages written in more than one script: the script meant when none is named (CLDR likely
# subtags), by region where the region decides.
_SCRIPTS = {
    "zh": {"": "Hans", "TW": "Hant", "HK": "Hant", "MO": "Hant"},
    "sr": {"": "Cyrl", "ME": "Latn"},
    "az": {"": "Latn", "IR": "Arab"},
    "uz": {"": "Latn", "AF": "Arab"},
    "pa": {"": "Guru", "PK": "Arab"},
    "zgh": {"": "Tfng"},
    "kk": {"": "Cyrl", "CN": "Arab"},
}
_RTL_LANGUAGES = {"ar", "he", "fa", "ur", "ps", "dv", "yi", "ckb", "sd", "ug"}
_RTL_SCRIPTS = {"Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm"}


def is_language_tag(text: object) -> bool:
    """Whether `text` is a well-formed language tag of at most 35 characters."""
    return isinstance(text, str) and len(text) <= 35 and _TAG.fullmatch(text) is not None


def canonical_tag(text: str) -> str:
    """`text` with each subtag in its usual case: `ZH-hans-cn` gives `zh-Hans-CN`.

    Raises:
        ValueError: not a well-formed tag.
    """
    found = _TAG.fullmatch(text.replace("_", "-")) if len(text) <= 35 else None
    if not found:
        raise ValueError(f"expected a language tag such as fr, zh-Hans or pt-BR, got {text!r}")
    parts = [found["language"].lower()]
    if found["script"]:
        parts.append(found["script"].title())
    if found["region"]:
        parts.append(found["region"].upper())
    rest = text[found.start("variants") :].lower()
    return "-".join(parts) + rest.replace("_", "-")


def direction(tag: str) -> str:
    """`rtl` or `ltr`, from the script named or usual for the language."""
    language, script, _ = _likely(tag)
    return "rtl" if script in _RTL_SCRIPTS or (not script and language in _RTL_LANGUAGES) else "ltr"


def match_language(requested: str, available: Sequence[str]) -> str | None:
    """The language of `available` that serves a reader of `requested`, or None.

    Same tag first, then same language, script and region, then same language
    and script. A language in another script is no match.
    """
    try:
        wanted = _likely(requested)
    except ValueError:
        return None
    by_fold = {tag.lower(): tag for tag in available}
    exact = by_fold.get(requested.replace("_", "-").lower())
    if exact:
        return exact
    candidates = [(tag, _likely(tag)) for tag in available]
    for tag, likely in candidates:
        if likely == wanted:
            return tag
    for tag, (language, script, region) in candidates:
        if (language, script) == wanted[:2] and not region:
            return tag
    for tag, (language, script, _region) in candidates:
        if (language, script) == wanted[:2]:
            return tag
    return None


def match_languages(requested: Iterable[str], available: Sequence[str]) -> str | None:
    """The first match for a reader's list of languages, best first, or None."""
    for tag in requested:
        found = match_language(tag, available)
        if found:
            return found
    return None


def parse_accept_language(header: str) -> tuple[str, ...]:
    """Tags of an `Accept-Language` header (RFC 9110), best first, without refusals (`q=0`)."""
    found: list[tuple[float, int, str]] = []
    for position, part in enumerate(header[:1000].split(",")):
        tag, _, parameters = part.strip().partition(";")
        quality = 1.0
        parameters = parameters.strip().lower().replace(" ", "")
        if parameters.startswith("q="):
            try:
                quality = float(parameters[2:])
            except ValueError:
                continue
        if 0 < quality <= 1 and is_language_tag(tag):
            found.append((-quality, position, tag))
    return tuple(tag for _, _, tag in sorted(found))


def _likely(tag: str) -> tuple[str, str, str]:
    parsed = _TAG.fullmatch(tag.replace("_", "-"))
    if not parsed:
        raise ValueError(f"expected a language tag such as fr, zh-Hans or pt-BR, got {tag!r}")
    language = parsed["language"].lower()
    region = (parsed["region"] or "").upper()
    script = (parsed["script"] or "").title()
    if not script and language in _SCRIPTS:
        scripts = _SCRIPTS[language]
        script = scripts.get(region, scripts[""])
    return language, script, region
