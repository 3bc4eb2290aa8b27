"""Pixels in, numbers out: how a model is fed while it learns and while it is judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from relearn_media import Preprocessing, preprocess

_BATCH = 256  # larger ones leave the processor's cache


def normaliser(preprocessing: Preprocessing) -> Callable[[Tensor], Tensor]:
    """`relearn_media.preprocess` for batches that are torch tensors already; equal up to rounding.

    The result is [n, c, h, w] by shape and channels-last in memory, which convolutions on CPUs prefer.
    """
    mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    scale, offset = 1 / (255 * std), mean / std

    def normalise(pixels: Tensor) -> Tensor:
        return (pixels.to(torch.float32) * scale - offset).permute(0, 3, 1, 2)

    return normalise


def answers(
    model: nn.Module, pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], preprocessing: Preprocessing
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Logits [n, k] and features [n, f] of n rows of [m, h, w, c] uint8 pixels, prepared as serving does.

    The pixels may be mapped from disk: no more than a batch of them is in memory.
    """
    model.eval()
    logits, features = [], []
    with torch.inference_mode():
        for start in range(0, len(rows), _BATCH):
            some = np.asarray(pixels[rows[start : start + _BATCH]])
            batch = torch.from_numpy(preprocess(some, preprocessing))
            some_logits, some_features = model(batch.contiguous(memory_format=torch.channels_last))
            logits.append(some_logits.numpy())
            features.append(some_features.numpy())
    return np.concatenate(logits), np.concatenate(features)
