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
    values = pixels.astype(np.float64)
    flat = values.ravel()
    mean = float(flat.sum()) / flat.size
    variance = max(0.0, float(flat @ flat) / flat.size - mean * mean)
    across, down = np.diff(values, axis=1), np.diff(values, axis=0)
    edges = across.size + down.size
    total = float(np.abs(across, out=across).sum()) + float(np.abs(down, out=down).sum())
    return ImageStatistics(
        width=width,
        height=height,
        channels=channels,
        brightness=mean / 255.0,
        contrast=variance**0.5 / 255.0,
        sharpness=total / edges / 255.0 if edges else 0.0,
    )
