"""Spoken texts by a synthetic voice, with subtitles timed sentence by sentence.

espeak-ng reads, ffmpeg encodes; both are needed only here, when building.
"""

from __future__ import annotations

import functools
import io
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from media.build.assets import OWN_RIGHTS, Asset
from media.build.facts import read_text

_PAUSE = 0.55  # seconds of silence after a sentence
_LEAD = 0.3  # and before the first
_NAMES = {"fr": ("français", "French"), "en": ("anglais", "English")}


def speech_assets() -> Iterator[Asset]:
    """For each spoken text and voice: the sound, then one track of subtitles a language."""
    for name, words in read_text("speech").items():
        for voice_tag in words["voices"]:
            sound_id = f"{name}-{voice_tag}"
            tags = [tag for tag in ("fr", "en", "ja") if tag in words["sentences"][0]]
            tracks = {tag: f"{sound_id}-st-{tag.lower()}" for tag in tags}
            french, english = _NAMES[voice_tag]
            yield Asset(
                sound_id,
                "mp3",
                functools.partial(_encode, name, voice_tag),
                alt={},
                caption={
                    "fr": f"{words['title']['fr']}. Lu en {french} par une voix de synthèse.",
                    "en": f"{words['title']['en']}. Read in {english} by a synthetic voice.",
                    "ja": f"{words['title']['ja']}。合成音声による朗読。",
                },
                credit={
                    "fr": "Texte : Lampisterie. Voix de synthèse : eSpeak NG.",
                    "en": "Text: Lampisterie. Synthetic voice: eSpeak NG.",
                    "ja": "文章：Lampisterie。合成音声：eSpeak NG。",
                },
                rights=OWN_RIGHTS,
                transcript={
                    tag: " ".join(_shown(sentence, tag) for sentence in words["sentences"])
                    for tag in tags
                },
                subtitles=tracks,
            )
            for tag, track in tracks.items():
                yield Asset(
                    track,
                    "vtt",
                    functools.partial(_subtitles, name, voice_tag, tag),
                    credit={"fr": "Sous-titres : Lampisterie.", "en": "Subtitles: Lampisterie."},
                )


def vtt(cues: list[tuple[float, float, str]]) -> bytes:
    """A WebVTT file of (start, end, text), times in seconds."""
    parts = ["WEBVTT"]
    for start, end, text in cues:
        parts.append(f"{_clock(start)} --> {_clock(end)}\n{text}")
    return ("\n\n".join(parts) + "\n").encode()


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _shown(sentence: dict[str, Any], tag: str) -> str:
    """What is read on screen: figures instead of numbers spelt out for the voice."""
    text: str = (sentence.get("shown") or {}).get(tag) or sentence[tag]
    return text


@functools.cache
def _spoken(name: str, voice_tag: str) -> tuple[bytes, int, list[tuple[float, float]]]:
    """Samples (16-bit mono), their rate, and when each sentence is spoken."""
    words = read_text("speech")[name]
    samples, times, rate = b"", [], 0
    for sentence in words["sentences"]:
        spoken, rate = _speak(sentence[voice_tag], words["voices"][voice_tag])
        if not samples:
            samples = _silence(_LEAD, rate)
        start = len(samples) / 2 / rate
        samples += spoken
        times.append((start, len(samples) / 2 / rate))
        samples += _silence(_PAUSE, rate)
    return samples, rate, times


def _speak(text: str, voice: str) -> tuple[bytes, int]:
    command = ["espeak-ng", "-v", voice, "-s", "148", "-p", "42", "-g", "4", "--stdout", text]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    # espeak-ng writes to a pipe, so the header does not know the length.
    with wave.open(io.BytesIO(raw)) as sound:
        return sound.readframes(len(raw) // 2 - 22), sound.getframerate()


def _silence(seconds: float, rate: int) -> bytes:
    return b"\0\0" * int(seconds * rate)


def _encode(name: str, voice_tag: str) -> bytes:
    samples, rate, _ = _spoken(name, voice_tag)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sound.mp3"
        subprocess.run(
            [
                "ffmpeg",
                "-loglevel",
                "error",
                "-f",
                "s16le",
                "-ar",
                str(rate),
                "-ac",
                "1",
                "-i",
                "-",
                "-af",
                "highpass=f=70,loudnorm=I=-17:TP=-1.5",
                "-ar",
                "44100",
                "-b:a",
                "56k",
                "-map_metadata",
                "-1",
                "-fflags",
                "+bitexact",
                "-flags:a",
                "+bitexact",
                "-write_xing",
                "1",
                "-id3v2_version",
                "0",
                str(target),
            ],
            input=samples,
            check=True,
        )
        return target.read_bytes()


def _subtitles(name: str, voice_tag: str, tag: str) -> bytes:
    sentences = read_text("speech")[name]["sentences"]
    _, _, times = _spoken(name, voice_tag)
    return vtt(
        [
            (start, end + _PAUSE * 0.7, _shown(sentence, tag))
            for (start, end), sentence in zip(times, sentences, strict=True)
        ]
    )
