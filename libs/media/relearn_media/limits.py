"""Caps on every kind of media, held against headers before anything is decoded and against what decoding gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from relearn_media.images import ImageLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """Caps on texts."""

    max_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLimits:
    """Caps on sounds, and on the sound of a video.

    Attributes:
        max_length_s: of the sound, as its packets say.
        min_sample_rate, max_sample_rate: in Hz.
    """

    max_bytes: int = 1024 * 1024 * 1024
    max_length_s: float = 4 * 3600.0
    min_sample_rate: int = 1000
    max_sample_rate: int = 384_000
    max_channels: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoLimits:
    """Caps on videos.

    Attributes:
        max_pixels, max_side: of one frame.
        max_frames: of the file and of the constant-frame-rate numbering.
        max_frame_rate: frames a second; a video of constant rate above it is refused, one of a varying rate is
            numbered at this rate at most.
    """

    max_bytes: int = 4 * 1024 * 1024 * 1024
    max_length_s: float = 2 * 3600.0
    max_pixels: int = 4096 * 2304
    max_side: int = 8192
    max_frames: int = 500_000
    max_frame_rate: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What `probe` and the renditions accept, by kind."""

    image: ImageLimits = field(default_factory=ImageLimits)
    text: TextLimits = field(default_factory=TextLimits)
    audio: AudioLimits = field(default_factory=AudioLimits)
    video: VideoLimits = field(default_factory=VideoLimits)
