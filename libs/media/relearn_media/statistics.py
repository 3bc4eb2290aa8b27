"""Cheap numbers about a picture, from the decoding that happened anyway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStatistics:
    """What monitoring may watch about inputs.

    Attributes:
        width, height, channels: of the pixels described.
        brightness: mean of all values, in [0, 1].
        contrast: standard deviation of all values, in [0, 0.5].
        sharpness: mean absolute difference of horizontal and vertical neighbours, in [0, 1]; blur lowers it,
            noise raises it.
    """

    width: int
    height: int
    channels: int
    brightness: float
    contrast: float
    sharpness: float


def statistics(pixels: npt.NDArray[np.uint8]) -> ImageStatistics:
    """The statistics of [h, w, c] uint8 pixels, h, w, c >= 1."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.size == 0:
        raise ValueError(f"pixels must be non-empty uint8 [h, w, c], got {pixels.dtype} {pixels.shape}")
    height, width, channels = pixels.shape
    flat = pixels.reshape(-1).astype(np.float32)
    mean = float(np.add.reduce(flat)) / flat.size
    flat -= mean  # before squaring: float32 would lose the variance of a bright, flat picture
    variance = float(flat @ flat) / flat.size
    rows = pixels.reshape(height, width * channels).astype(np.int16)
    across, down = rows[:, channels:] - rows[:, :-channels], rows[1:] - rows[:-1]
    edges = across.size + down.size
    total = sum(int(np.add.reduce(np.abs(step, out=step), axis=None, dtype=np.int64)) for step in (across, down))
    return ImageStatistics(
        width=width,
        height=height,
        channels=channels,
        brightness=mean / 255.0,
        contrast=variance**0.5 / 255.0,
        sharpness=total / edges / 255.0 if edges else 0.0,
    )
