"""What a file says of itself: pixels, seconds, rates, cues. Its bytes stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import mutagen
from mutagen.flac import FLAC as MutagenFlac
from mutagen.mp3 import MP3 as MutagenMp3
from mutagen.mp4 import MP4 as MutagenMp4
from mutagen.oggopus import OggOpus
from mutagen.wave import WAVE

from content_api.media import films, texts
from content_api.media.errors import FileDamaged
from content_api.media.sniff import (
    FLAC,
    GEOJSON,
    M4A,
    MP3,
    MP4,
    OPUS,
    VTT,
    WAV,
    Content,
    Format,
)

_READERS: dict[Format, Any] = {
    MP3: MutagenMp3,
    M4A: MutagenMp4,
    OPUS: OggOpus,
    FLAC: MutagenFlac,
    WAV: WAVE,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Pixels, seconds, and under `more` what only some formats have."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    more: dict[str, Any] = field(default_factory=dict)


def read_facts(content: Content, found: Format) -> Facts:
    """The facts of a sound, film, subtitles or map layer that `sniff` has accepted.

    Raises:
        FileDamaged: it does not say how long it is.
    """
    if found == VTT:
        cues, ended = texts.check_vtt(content)
        return Facts(duration=ended, more={"cues": cues})
    if found == GEOJSON:
        features, bounds = texts.check_geojson(content)
        return Facts(more={"features": features, "bounds": list(bounds) if bounds else None})
    if found.kind == "video" or found.media_type == "audio/webm":
        tracks = films.read_mp4(content) if found == MP4 else films.read_webm(content)
        more: dict[str, Any] = {"codecs": list(tracks.codecs)}
        if found == MP4:
            more["starts_fast"] = tracks.starts_fast
        if tracks.duration:
            more["bitrate"] = round(len(content) * 8 / tracks.duration)
        return Facts(tracks.width, tracks.height, tracks.duration, more)
    return _sound(content, found)


def _sound(content: Content, found: Format) -> Facts:
    try:
        # An mmap reads like a file, so a long sound is not copied into memory.
        stream = BytesIO(content) if isinstance(content, bytes) else content
        stream.seek(0)
        stated = _READERS[found](fileobj=stream).info
    except (mutagen.MutagenError, ValueError, IndexError, OverflowError) as error:
        raise FileDamaged(
            f"The {found.label} is damaged: it does not say how long it is."
        ) from error
    duration = float(getattr(stated, "length", 0) or 0)
    if not 0 < duration < 7 * 24 * 3600:
        raise FileDamaged(f"The {found.label} is damaged: it says it lasts {duration:.0f} seconds.")
    more = {
        name: getattr(stated, attribute)
        for name, attribute in (
            ("bitrate", "bitrate"),
            ("channels", "channels"),
            ("sample_rate", "sample_rate"),
        )
        if isinstance(getattr(stated, attribute, None), int)
    }
    return Facts(duration=round(duration, 3), more=more)
