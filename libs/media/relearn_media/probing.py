"""What some bytes are, within limits, before anything is made of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from relearn_media.errors import ImageError, MediaRefused
from relearn_media.images import ImageLimits, upright_size
from relearn_media.limits import MediaLimits
from relearn_media.signatures import HEAD_BYTES, Container, Modality, container_of
from relearn_media.texts import code_units, decode_text

if TYPE_CHECKING:
    from relearn_media.containers import Measured

_AUDIO_TYPES = {
    Container.WAV: "audio/wav",
    Container.FLAC: "audio/flac",
    Container.OGG: "audio/ogg",
    Container.MP3: "audio/mpeg",
    Container.MP4: "audio/mp4",
    Container.EBML: "audio/webm",
    Container.AVI: "audio/x-msvideo",
}
_VIDEO_TYPES = {
    Container.OGG: "video/ogg",
    Container.MP4: "video/mp4",
    Container.EBML: "video/webm",
    Container.AVI: "video/x-msvideo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a sample is. What a kind of media doesn't have is None.

    Attributes:
        media_type: found in the bytes, such as `image/png`; safe to serve under, with `nosniff`.
        size_bytes: as it came.
        width, height: pixels, upright: after the turn that the file asks for.
        frames: of the constant-frame-rate numbering, see `frame_grid`.
        frame_rate: frames a second of that numbering.
        length_s: audio and video.
        channels, sample_rate: of the sound; also None for a video without.
        code_units: length of a text in UTF-16 code units, without its byte order mark.
    """

    media_type: str
    modality: Modality
    size_bytes: int
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    frame_rate: Fraction | None = None
    length_s: float | None = None
    channels: int | None = None
    sample_rate: int | None = None
    code_units: int | None = None


def probe(source: bytes | Path, limits: MediaLimits | None = None) -> MediaInfo:
    """What a sample is, by its bytes; nothing but the first picture of a video is decoded.

    Sounds and videos need the extra `av`, and go through C code that hostile bytes may bring down: a service asks
    `relearn_media.renditions.Renditions.probe`, which does this in a process of its own.

    Raises:
        MediaRefused: with a reason of the README's table.
    """
    limits = limits or MediaLimits()
    if isinstance(source, bytes):
        return _probe(io.BytesIO(source), len(source), limits)
    with source.open("rb") as file:
        return _probe(file, source.stat().st_size, limits)


def _probe(file: BinaryIO, size: int, limits: MediaLimits) -> MediaInfo:
    container = container_of(file.read(HEAD_BYTES))
    file.seek(0)
    if container in (Container.PNG, Container.JPEG):
        return _image(file, size, limits.image)
    if container is Container.TEXT:
        _check_size("TEXT_TOO_LARGE", size, limits.text.max_bytes)
        text = decode_text(file.read(), limits.text)
        return MediaInfo(
            media_type="text/plain; charset=utf-8",
            modality=Modality.TEXT,
            size_bytes=size,
            code_units=code_units(text),
        )
    return measure_within(file, container, size, limits)[1]


def _image(file: BinaryIO, size: int, limits: ImageLimits) -> MediaInfo:
    if size > limits.max_bytes:
        raise ImageError("IMAGE_TOO_LARGE", f"{size} bytes encoded, at most {limits.max_bytes} are accepted")
    info, width, height = upright_size(file.read(), limits)
    return MediaInfo(
        media_type=info.format.value,
        modality=Modality.IMAGE,
        size_bytes=size,
        width=width,
        height=height,
    )


def measure_within(file: BinaryIO, container: Container, size: int, limits: MediaLimits) -> tuple[Measured, MediaInfo]:
    """What is in a sound or video file of so many bytes, for decoding it and for telling it. Raises MediaRefused."""
    _check_size("MEDIA_TOO_LARGE", size, max(limits.audio.max_bytes, limits.video.max_bytes))
    from relearn_media.containers import measure  # needs the extra `av`, which pictures and texts do without

    measured = measure(file, container, limits)
    sound, pictures = measured.sound, measured.pictures
    if pictures is None:
        _check_size("AUDIO_TOO_LARGE", size, limits.audio.max_bytes)
    else:
        _check_size("VIDEO_TOO_LARGE", size, limits.video.max_bytes)
    return measured, MediaInfo(
        media_type=(_AUDIO_TYPES if pictures is None else _VIDEO_TYPES)[container],
        modality=Modality.AUDIO if pictures is None else Modality.VIDEO,
        size_bytes=size,
        width=None if pictures is None else pictures.width,
        height=None if pictures is None else pictures.height,
        frames=None if pictures is None else pictures.grid.frames,
        frame_rate=None if pictures is None else pictures.grid.rate,
        length_s=measured.length_s,
        channels=None if sound is None else sound.channels,
        sample_rate=None if sound is None else sound.sample_rate,
    )


def _check_size(reason: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise MediaRefused(reason, f"{size} bytes, at most {max_bytes} are accepted")
