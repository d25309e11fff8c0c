"""A small package, `harbour`, as plain values: no database, no disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from content_api.content.types import BlockType, ContentType, ContentTypes, Field
from content_api.packages.source import AssetFacts, LanguageFacts, PackageContent, RenditionFacts

SHARED = "*"


def label(text: str) -> dict[str, str]:
    """A label in two languages."""
    return {"fr": text, "en": f"{text} (en)"}


def field(field_id: str, kind: str, **options: Any) -> Field:
    """A field called after its id."""
    return Field(id=field_id, kind=kind, label=label(field_id), **options)


TYPES = ContentTypes(
    types={
        "place": ContentType(
            id="place",
            label=label("Lieu"),
            plural=label("Lieux"),
            help={},
            fields=(
                field("title", "text", localized=True, required="publish", max=20, advise=15),
                field("lead", "markdown", localized=True),
                field("coords", "geopoint"),
                field("kind", "choice", choices={"pit": {"fr": "Fosse", "en": "Pit"}}),
                field("image", "asset", accept=("image",)),
                field("narration", "asset", localized=True, fallback="none", accept=("audio",)),
                field("near", "references", of=("place",)),
                field("story", "blocks", of=("paragraph", "figure")),
            ),
        ),
        "asset": ContentType(
            id="asset",
            label=label("Média"),
            plural=label("Médias"),
            help={},
            fields=(
                field("alt", "text", localized=True),
                field("caption", "markdown", localized=True),
                field("credit", "text", localized=True),
                field("transcript", "markdown", localized=True),
                field("decorative", "boolean"),
                field("rights", "rights"),
                field("subtitles", "asset", localized=True, fallback="none", accept=("subtitles",)),
                field("poster", "asset", accept=("image",)),
            ),
        ),
    },
    blocks={
        "paragraph": BlockType(
            id="paragraph",
            label=label("Paragraphe"),
            plural=label("Paragraphes"),
            help={},
            fields=(field("text", "markdown", localized=True),),
        ),
        "figure": BlockType(
            id="figure",
            label=label("Figure"),
            plural=label("Figures"),
            help={},
            fields=(field("image", "asset", required="publish"),),
        ),
    },
)

LANGUAGES = {
    "fr": LanguageFacts("fr", "Français", "ltr", ("en",)),
    "en": LanguageFacts("en", "English", "ltr", ("fr",)),
    "ar": LanguageFacts("ar", "العربية", "rtl", ("en", "fr")),
}

BODY: dict[str, Any] = {
    "title": {"fr": "Le port", "en": "The harbour"},
    "languages": ["fr", "en"],
    "default_language": "fr",
    "profiles": ["tablet", "wall"],
    "theme": {"accent": "#b5482f", "attract": ["crane-photo"]},
    "settings": {"idle_seconds": 75},
    "timezone": "Europe/Paris",
    "sections": [
        {
            "id": "places",
            "view": "map",
            "title": {"fr": "Lieux", "en": "Places"},
            "entries": ["crane", "dock"],
        }
    ],
}


def digest(text: str) -> str:
    """64 hexadecimal digits that stand for `text`."""
    return (text.encode().hex() * 64)[:64]


def picture(asset_id: str = "crane-photo", **changes: Any) -> AssetFacts:
    """A picture with an encoding for tablets and one for walls."""
    facts = AssetFacts(
        id=asset_id,
        kind="image",
        media_type="image/png",
        width=1600,
        height=1200,
        renditions=(
            RenditionFacts(
                "640.webp", digest(f"{asset_id}640"), 1000, "image/webp", 640, 480, ("tablet",)
            ),
            RenditionFacts(
                "1600.webp", digest(f"{asset_id}1600"), 9000, "image/webp", 1600, 1200, ("wall",)
            ),
        ),
    )
    return replace(facts, **changes)


def sound(asset_id: str) -> AssetFacts:
    """A sound that every profile takes as it is."""
    return AssetFacts(
        id=asset_id,
        kind="audio",
        media_type="audio/mpeg",
        duration=12.5,
        renditions=(RenditionFacts("original.mp3", digest(asset_id), 5000, "audio/mpeg"),),
    )


def approved(body: Mapping[str, Any], *scopes: str) -> dict[str, Mapping[str, Any]]:
    """One body, approved for these scopes."""
    return dict.fromkeys(scopes or (SHARED, "fr", "en"), body)


CRANE = {
    "fields": {
        "title": {"fr": "La grue", "en": "The crane"},
        "lead": {"en": "A crane of *1904*."},
        "coords": {SHARED: {"lat": 50.4, "lon": 2.9}},
        "kind": {SHARED: "pit"},
        "image": {SHARED: "crane-photo"},
        "narration": {"fr": "crane-voice-fr"},
        "near": {SHARED: ["dock", "elsewhere"]},
    },
    "blocks": {
        "story": {
            "order": ["b1", "b2", "b3"],
            "items": {
                "b1": {"type": "paragraph", "fields": {"text": {"fr": "Un."}}},
                "b2": {"type": "figure", "fields": {"image": {SHARED: "crane-photo"}}},
                "b3": {"type": "paragraph", "fields": {"text": {"fr": None, "en": "Three."}}},
            },
        }
    },
}

DOCK = {"fields": {"title": {"fr": "Le quai", "en": "The dock"}}, "blocks": {}}

PHOTO = {
    "fields": {
        "alt": {"fr": "Une grue", "en": "A crane"},
        "credit": {"fr": "Photo : H."},
        "rights": {SHARED: {"holder": "H.", "licence": "CC BY 4.0", "expires": "2030-01-01"}},
    }
}

VOICE = {
    "fields": {
        "credit": {"fr": "Voix : V."},
        "transcript": {"fr": "Voici la grue."},
        "rights": {SHARED: {"holder": "V.", "licence": "CC BY 4.0"}},
        "subtitles": {"fr": "voice-subtitles"},
    }
}

SUBTITLES = {"fields": {"rights": {SHARED: {"holder": "V."}}}}


def make_content(**changes: Any) -> PackageContent:
    """The harbour: a crane with picture, sound and story, and a dock."""
    content = PackageContent(
        slug="harbour",
        body=BODY,
        types=TYPES,
        languages=LANGUAGES,
        documents={
            "crane": approved(CRANE),
            "dock": approved(DOCK),
            "crane-photo": approved(PHOTO),
            "crane-voice-fr": approved(VOICE),
            "voice-subtitles": approved(SUBTITLES),
        },
        entry_types={
            "crane": "place",
            "dock": "place",
            "elsewhere": "place",
            "crane-photo": "asset",
            "crane-voice-fr": "asset",
            "voice-subtitles": "asset",
        },
        assets={
            "crane-photo": picture(),
            "crane-voice-fr": sound("crane-voice-fr"),
            "voice-subtitles": AssetFacts(
                id="voice-subtitles",
                kind="subtitles",
                media_type="text/vtt",
                renditions=(RenditionFacts("original.vtt", digest("vtt"), 300, "text/vtt"),),
            ),
        },
    )
    return replace(content, **changes)


def with_document(
    content: PackageContent, entry: str, documents: Mapping[str, Mapping[str, Any]]
) -> PackageContent:
    """`content` with other approved documents of one entry."""
    return replace(content, documents={**content.documents, entry: documents})


def with_body(content: PackageContent, **changes: Any) -> PackageContent:
    """`content` with another package body."""
    return replace(content, body={**content.body, **changes})
