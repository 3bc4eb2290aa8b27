"""What was made of a sample for people to see, and where it lies."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

from relearn_media.errors import MediaRefused
from relearn_media.probing import MediaInfo
from relearn_media.signatures import Modality

MANIFEST = "rendered.json"  # written last: where it is, everything is


class Rendition(Enum):
    """One thing that is made; the value is its name without an ending."""

    VIEW = "view"
    THUMBNAIL = "thumbnail"
    PEAKS = "peaks"
    SPECTROGRAM = "spectrogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that was made.

    Attributes:
        path: of it.
        media_type: to serve it under.
    """

    path: Path
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a sample is and what was made of it.

    Attributes:
        info: of the sample; frames and rate are those of the view as well.
        view: what a browser shows; None where it shows the sample's own bytes.
        thumbnail: a WebP of at most 320 pixels a side; for a sound its spectrogram, None for a text.
        peaks: a JSON array of 2,000 [lowest, highest] pairs in -1..1, evenly spaced over `length_s`; of a sound, and
            of a video that has one.
        spectrogram: a grey PNG of a sound: time to the right over `length_s`, mel scale upwards from 0 to half the
            sample rate, black 80 dB below white.
    """

    info: MediaInfo
    view: File | None = None
    thumbnail: File | None = None
    peaks: File | None = None
    spectrogram: File | None = None


def manifest(info: MediaInfo, files: dict[Rendition, tuple[str, str]]) -> dict[str, Any]:
    """What `rendered` reads: plain JSON values of a sample and the name and media type of each file."""
    return {"info": info_values(info), "files": {rendition.value: file for rendition, file in files.items()}}


def refusal(refused: MediaRefused) -> dict[str, Any]:
    """What `rendered` reads of a sample that was refused."""
    return {"refused": {"reason": refused.reason, "message": str(refused)}}


def kept(folder: Path) -> Rendered | None:
    """What was made in this folder before; None when nothing was, or not yet.

    Raises:
        MediaRefused: that was refused before.
    """
    try:
        values = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    return rendered(values, folder)


def rendered(values: dict[str, Any], folder: Path) -> Rendered:
    """The value that `manifest` or `refusal` wrote. Raises MediaRefused for the latter."""
    if (refused := values.get("refused")) is not None:
        raise MediaRefused(refused["reason"], refused["message"])
    files = {
        name: File(path=folder / file_name, media_type=media_type)
        for name, (file_name, media_type) in values["files"].items()
    }
    return Rendered(info=info_from(values["info"]), **files)


def info_values(info: MediaInfo) -> dict[str, Any]:
    """Plain JSON values; `info_from` reads them back to an equal object."""
    rate = None if info.frame_rate is None else [info.frame_rate.numerator, info.frame_rate.denominator]
    return asdict(info) | {"modality": info.modality.value, "frame_rate": rate}


def info_from(values: dict[str, Any]) -> MediaInfo:
    """The object that `info_values` wrote."""
    rate = None if values["frame_rate"] is None else Fraction(*values["frame_rate"])
    return MediaInfo(**values | {"modality": Modality(values["modality"]), "frame_rate": rate})
