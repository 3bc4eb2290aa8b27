"""From pixels to a model's input, the same in training and in serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from relearn_media.images import ImageSpec

_RESIZE = "stretch-bilinear"  # what `decode` does; stored, so that another way can be told apart later


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How pictures become a model's input; stored in the model artifact.

    Attributes:
        height, width, channels: size of the picture before the model; channels 1 (grey) or 3 (RGB).
        mean, std: one value a channel, for values scaled to [0, 1]; std > 0.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        ImageSpec(height=self.height, width=self.width, channels=self.channels)  # its ranges hold here as well
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need {self.channels} values, got {len(self.mean)} and {len(self.std)}")
        if not all(np.isfinite(self.mean)) or not all(np.isfinite(s) and s > 0 for s in self.std):
            raise ValueError(f"mean must be finite and std positive, got {self.mean} and {self.std}")

    @property
    def spec(self) -> ImageSpec:
        """What `decode_image` needs, with the default limits."""
        return ImageSpec(height=self.height, width=self.width, channels=self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` reads them back to an equal object."""
        return {
            "kind": "image",
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
            "resize": _RESIZE,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The object that `to_dict` wrote.

        Raises:
            ValueError: another kind, another way to resize, a missing or impossible value.
        """
        if values.get("kind") != "image" or values.get("resize") != _RESIZE:
            raise ValueError(f"unknown preprocessing: kind {values.get('kind')!r}, resize {values.get('resize')!r}")
        try:
            return cls(
                height=int(values["height"]),
                width=int(values["width"]),
                channels=int(values["channels"]),
                mean=tuple(float(value) for value in values["mean"]),
                std=tuple(float(value) for value in values["std"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"incomplete preprocessing: {error!r}") from error


def preprocess(pixels: npt.NDArray[np.uint8], preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """(pixels / 255 - mean) / std, as [n, c, h, w] float32, contiguous.

    Args:
        pixels: [n, h, w, c] uint8 with the h, w, c of `preprocessing`; n = 0 is allowed.
    """
    expected = (preprocessing.height, preprocessing.width, preprocessing.channels)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != expected:
        raise ValueError(f"pixels must be uint8 [n, {expected}], got {pixels.dtype} {pixels.shape}")
    scale, offset = _scale_and_offset(preprocessing.mean, preprocessing.std)
    scaled = pixels.astype(np.float32)
    scaled *= scale
    scaled -= offset
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


@lru_cache(maxsize=64)
def _scale_and_offset(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Each [c], for values in [0, 255]; not rebuilt for every small batch."""
    means, stds = np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)
    return (1.0 / (255.0 * stds)).astype(np.float32), (means / stds).astype(np.float32)
