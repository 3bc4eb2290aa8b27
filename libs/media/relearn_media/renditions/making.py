"""Makes what people see of a sample; runs in the worker process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import av.logging
from PIL import Image

from relearn_media.containers import Measured, Pictures, Sound
from relearn_media.frames import near, rgb
from relearn_media.images import ImageLimits, shrunk
from relearn_media.limits import AudioLimits, MediaLimits, TextLimits, VideoLimits
from relearn_media.probing import MediaInfo, measure_within, probe
from relearn_media.renditions.browser import plays_as_it_is, write_sound, write_video
from relearn_media.renditions.rendered import Rendition
from relearn_media.renditions.sound import Peaks, Spectrogram, sound_blocks
from relearn_media.signatures import HEAD_BYTES, Container, container_of

_THUMBNAIL_SIDE = 320
_PEAKS = 2000
_SPECTROGRAM_COLUMNS, _SPECTROGRAM_ROWS = 1500, 192
_VIDEO_SIDE = 1920  # of the view; larger videos are shown smaller

Made = dict[Rendition, tuple[str, str]]


def quiet() -> None:
    """Stops FFmpeg from logging what it thinks of a file."""
    av.logging.set_level(av.logging.PANIC)


def limits_from(values: Mapping[str, Mapping[str, Any]]) -> MediaLimits:
    """The limits that `dataclasses.asdict` took apart."""
    return MediaLimits(
        image=ImageLimits(**values["image"]),
        text=TextLimits(**values["text"]),
        audio=AudioLimits(**values["audio"]),
        video=VideoLimits(**values["video"]),
    )


def make(source: Path, folder: Path, wanted: frozenset[Rendition], limits: MediaLimits) -> tuple[MediaInfo, Made]:
    """Writes what is wanted, and exists for this kind of media, into the folder.

    Returns:
        What the sample is, and the name and media type of each file.

    Raises:
        MediaRefused: see the README.
    """
    with source.open("rb") as file:
        container = container_of(file.read(HEAD_BYTES))
        if container in (Container.PNG, Container.JPEG):
            return probe(source, limits), _of_image(source, folder, wanted, limits)
        if container is Container.TEXT:
            return probe(source, limits), {}
        measured, info = measure_within(file, container, source.stat().st_size, limits)
    made: Made = {}
    if measured.sound is not None:
        made |= _of_sound(source, folder, wanted, measured, measured.sound)
    if measured.pictures is not None:
        made |= _of_video(source, folder, wanted, measured, measured.pictures)
    return info, made


def _of_image(source: Path, folder: Path, wanted: frozenset[Rendition], limits: MediaLimits) -> Made:
    # also where no thumbnail is wanted: a picture that can't be decoded is refused, not shown broken
    image = shrunk(source.read_bytes(), limits.image, max_side=_THUMBNAIL_SIDE)
    return _thumbnail(image, folder) if Rendition.THUMBNAIL in wanted else {}


def _of_sound(source: Path, folder: Path, wanted: frozenset[Rendition], measured: Measured, sound: Sound) -> Made:
    made: Made = {}
    heard_only = measured.pictures is None
    seen = wanted & ({Rendition.PEAKS, Rendition.SPECTROGRAM, Rendition.THUMBNAIL} if heard_only else {Rendition.PEAKS})
    if seen:
        peaks, spectrogram = _looked_at(source, measured, sound)
        if Rendition.PEAKS in seen:
            (folder / "peaks.json").write_text(json.dumps(peaks.pairs(), separators=(",", ":")))
            made[Rendition.PEAKS] = ("peaks.json", "application/json")
        picture = Image.fromarray(spectrogram.picture())
        if Rendition.SPECTROGRAM in seen:
            picture.save(folder / "spectrogram.png")
            made[Rendition.SPECTROGRAM] = ("spectrogram.png", "image/png")
        if Rendition.THUMBNAIL in seen:
            made |= _thumbnail(picture.resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE // 3)), folder)
    if heard_only and Rendition.VIEW in wanted and not plays_as_it_is(measured, sound):
        write_sound(source, measured, sound, folder / "view.ogg")
        made[Rendition.VIEW] = ("view.ogg", "audio/ogg")
    return made


def _looked_at(source: Path, measured: Measured, sound: Sound) -> tuple[Peaks, Spectrogram]:
    """Both from one decoding; the peaks of a video reach over all its length, also where it is silent."""
    length = max(1, round(measured.length_s * sound.sample_rate))
    peaks = Peaks(length=length, stretches=_PEAKS)
    spectrogram = Spectrogram(
        length=length, sample_rate=sound.sample_rate, columns=_SPECTROGRAM_COLUMNS, rows=_SPECTROGRAM_ROWS
    )
    for samples in sound_blocks(source, measured, sound):
        peaks.add(samples)
        spectrogram.add(samples)
    return peaks, spectrogram


def _of_video(source: Path, folder: Path, wanted: frozenset[Rendition], measured: Measured, pictures: Pictures) -> Made:
    made: Made = {}
    if Rendition.THUMBNAIL in wanted:
        middle = near(source, measured, pictures, pictures.length_s / 2)
        image = Image.fromarray(rgb(middle, pictures))
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        made |= _thumbnail(image, folder)
    if Rendition.VIEW in wanted:
        write_video(source, measured, pictures, folder / "view.webm", max_side=_VIDEO_SIDE)
        made[Rendition.VIEW] = ("view.webm", "video/webm")
    return made


def _thumbnail(image: Image.Image, folder: Path) -> Made:
    image.save(folder / "thumbnail.webp", quality=80, method=4)
    return {Rendition.THUMBNAIL: ("thumbnail.webp", "image/webp")}
