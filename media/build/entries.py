"""Turn facts into entries: places, tours, events, dates and terms.

A name goes out with where it comes from (`name_status`); a name that is only
our transliteration stays out. A doubt goes out as the entry's `note`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from media.build.dates import spoken_date, trim_date
from media.build.facts import Facts, Record, read_text
from media.build.languages import TAGS
from media.build.writing import Entry

Language = dict[str, str]

_SHOWN_STATUS = {"official", "attested", "common", "translation"}
# The facts speak of Portuguese; what the collection shows in Brazil is Brazilian.
_TAG_OF = {"pt": "pt-BR"}
_MODES = {"liquid-galaxy": "galaxy"}


def place_entries(facts: Facts, images: dict[str, list[str]]) -> Iterator[Entry]:
    """One entry a place; `images` gives each place its pictures, the main one first."""
    words = read_text("places")
    labels = read_text("chronology")
    japanese = read_text("japanese")["places"]
    for site in facts.sites:
        entry = Entry(site["id"], "place")
        _name_place(entry, site)
        lead = words["leads"].get(site["id"], site["text"])
        entry.say("lead", {**lead, **_only(japanese.get(site["id"]), "ja")})
        kind = "town" if site["kind"] == "place" else str(site["kind"]).replace("-", "_")
        entry.share("kind", kind)
        entry.share("coords", {"lat": site["lat"], "lon": site["lon"]})
        entry.share("precision_m", site["precisionM"])
        entry.share("country", site["country"])
        for tag, commune in _commune(site, words["communes"]).items():
            entry.fields.setdefault("commune", {})[tag] = commune
        company = site.get("company")
        entry.share("company", words["companies"].get(company, company))
        entry.share("inscribed", site.get("inscribed1360") or None)
        unesco = site.get("unesco") or {}
        if site.get("inscribed1360") and isinstance(unesco.get("component"), int):
            entry.share("component", unesco["component"])
            entry.share("element", unesco.get("element"))
        entry.share("great_site", site.get("greatSite"))
        entry.say("chronology", _chronology(site, labels))
        pictures = images.get(site["id"], [])
        entry.share("image", pictures[0] if pictures else None)
        entry.share("gallery", pictures[1:])
        _doubts(entry, site["id"], site, facts)
        yield entry


def tour_entries(facts: Facts, images: dict[str, list[str]]) -> Iterator[Entry]:
    """One entry a route, its stops as blocks that say what they rest on."""
    words = read_text("tours")
    for route in facts.routes:
        entry = Entry(route["id"], "tour")
        entry.say("title", {**route["title"], **words["titles"].get(route["id"], {})})
        entry.say("lead", {**route["summary"], **words["leads"].get(route["id"], {})})
        entry.share("mode", _MODES.get(route["mode"], route["mode"]))
        pictures = images.get(route["id"], [])
        entry.share("image", pictures[0] if pictures else None)
        reasons = words["reasons"]
        cameras = words["cameras"].get(route["id"], {})
        for stop in sorted(route["stops"], key=lambda stop: int(stop["order"])):
            entry.add_block(
                "stops",
                "stop",
                {
                    "place": stop["site"],
                    "camera": _camera(facts.site(stop["site"]), cameras.get(stop["site"])),
                    "distance_km": stop.get("fromPreviousKm"),
                    "basis": stop["basis"],
                },
                {"text": reasons[stop["why"]]} if stop.get("why") else {},
            )
        entry.share("distance_km", route["straightLineKm"])
        entry.say("known", words["known"].get(route["id"], route["known"]))
        entry.say("suggested", words["suggested"].get(route["id"], route["suggested"]))
        _doubts(entry, route["id"], route, facts)
        yield entry


def event_entries(facts: Facts) -> Iterator[Entry]:
    """One entry an event, its dates cut to what is known."""
    season = set(read_text("tours")["season_noir"])
    japanese = read_text("japanese")["events"]
    for event in facts.events:
        entry = Entry(event["id"], "event")
        entry.say("title", {**event["title"], **_only(japanese.get(event["id"]), "ja")})
        entry.share("kind", event["kind"].replace("-", "_"))
        precision = event["datePrecision"]
        start = trim_date(event["start"], precision)
        end = trim_date(event["end"], precision)
        entry.share("start", start)
        entry.share("end", end if end != start else None)
        entry.share("status", event["status"])
        actual = event.get("actual") or {}
        entry.share("actual_start", actual.get("start"))
        entry.share("actual_end", actual.get("end"))
        entry.share("locality", event.get("place"))
        entry.share("place", event.get("site"))
        entry.share("season", "noir" if event["id"] in season else None)
        _doubts(entry, event["id"], event, facts)
        yield entry


def timeline_entries(facts: Facts) -> Iterator[Entry]:
    """One entry a dated fact, named after its date."""
    japanese = read_text("japanese")["timeline"]
    for fact in facts.timeline:
        entry_id = f"chrono-{fact['date']}"
        entry = Entry(entry_id, "timeline_entry")
        entry.say("title", {**fact["text"], **_only(japanese.get(entry_id), "ja")})
        entry.share("date", fact["date"])
        entry.share("circa", fact.get("circa"))
        entry.share("theme", fact["theme"])
        entry.share("place", fact.get("site"))
        _doubts(entry, entry_id, fact, facts)
        yield entry


def term_entries(facts: Facts) -> Iterator[Entry]:
    """One entry a term; the Japanese carries its readings as ruby."""
    definitions = read_text("definitions")
    for term in facts.glossary:
        entry = Entry(term["id"], "glossary_term")
        words = {tag: text for tag, text in term["terms"].items() if tag in TAGS}
        japanese = term.get("ja") or {}
        if "ja" in words and japanese.get("ruby"):
            words["ja"] = _ruby(japanese["ruby"])
        entry.say("term", words)
        for tag in words:
            if tag not in ("fr", "en"):
                status = "attested" if tag in term["attestedIn"] else "translation"
                entry.fields.setdefault("name_status", {})[tag] = status
        if japanese.get("reading"):
            entry.fields["reading"] = {"ja": japanese["reading"]}
        if japanese.get("alt"):
            entry.fields["aliases"] = {"ja": "、".join(japanese["alt"])}
        entry.share("domain", term["domain"])
        own = definitions.get(term["id"])
        entry.say("definition", {**(term.get("definition") or {}), **(own or {})})
        _doubts(entry, term["id"], term, facts)
        if own and "sources" not in entry.fields:
            entry.share("sources", source_line(["OWN"], facts))
        yield entry


def _name_place(entry: Entry, site: Record) -> None:
    """Title, reading and, for each language, where the name comes from."""
    titles: Language = {}
    for language, name in site["names"].items():
        tag = _TAG_OF.get(language, language)
        status = site.get("nameStatus", {}).get(language)
        if tag not in TAGS or (status and status not in _SHOWN_STATUS):
            continue
        titles[tag] = name
        if status:
            entry.fields.setdefault("name_status", {})[tag] = status
    entry.say("title", titles)
    reading = site.get("readings", {}).get("ja")
    if reading and "ja" in titles:
        entry.fields["reading"] = {"ja": reading}


def _commune(site: Record, overrides: dict[str, Any]) -> Language:
    """The town by language: `新宿区（東京都） / Shinjuku, Tokyo` is Japanese, then Latin."""
    if site["id"] in overrides:
        return overrides[site["id"]] or {}
    native, slash, latin = str(site["commune"]).partition(" / ")
    if not slash:
        return {"fr": native}
    return {"fr": latin, "zh-Hans" if site["country"] == "CN" else "ja": native}


def _chronology(site: Record, labels: dict[str, Language | None]) -> Language:
    lines: dict[str, list[str]] = {"fr": [], "en": []}
    for dated in site["dates"]:
        label = labels[dated["event"]]
        if label is None:
            continue
        for tag, found in lines.items():
            colon = " : " if tag == "fr" else ": "
            found.append(f"- **{spoken_date(dated['date'], tag)}**{colon}{label[tag]}")
    return {tag: "\n".join(found) for tag, found in lines.items()}


def _camera(site: Record, view: dict[str, float] | None) -> dict[str, float] | None:
    if view is None:
        return None
    return {
        "lat": site["lat"],
        "lon": site["lon"],
        "altitude": 0,
        "heading": view["heading"],
        "tilt": view["tilt"],
        "range": view["range"],
    }


def _doubts(entry: Entry, note_id: str, fact: Record, facts: Facts) -> None:
    entry.share("confidence", fact["confidence"])
    entry.say("note", read_text("notes").get(note_id))
    if fact.get("sources"):
        entry.share("sources", source_line(fact["sources"], facts))


def source_line(keys: list[str], facts: Facts) -> str:
    """`Publisher (KEY)` for each source, general knowledge by that name."""
    named = []
    for key in keys:
        publisher = facts.sources.get(key, {}).get("publisher", "-")
        named.append(
            f"{publisher} ({key})" if publisher != "-" else f"connaissances générales ({key})"
        )
    return " · ".join(named)


def _ruby(parts: list[list[str]]) -> str:
    return "".join(f"{{{part[0]}|{part[1]}}}" if len(part) == 2 else part[0] for part in parts)


def _only(text: str | None, tag: str) -> Language:
    return {tag: text} if text else {}
