"""Light augmentation: a small move and a mirror."""

from __future__ import annotations

import torch
from torch import Tensor


def shift_and_mirror(pixels: Tensor, indices: Tensor, *, shift: float, generator: torch.Generator) -> Tensor:
    """A batch, each picture moved by up to `shift` of its size and mirrored half of the time.

    One gather does it all. What a move uncovers repeats the edge.

    Args:
        pixels: [n, h, w, c] uint8.
        indices: [b] int64 into `pixels`.
        shift: share of height and width, in [0, 0.5); 2 of 28 pixels is 0.07.

    Returns:
        [b, h, w, c] uint8.
    """
    _, height, width, _ = pixels.shape
    rows = _moved(len(indices), height, shift, generator)
    columns = _moved(len(indices), width, shift, generator)
    mirrored = torch.rand(len(indices), 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    return pixels[indices[:, None, None], rows[:, :, None], columns[:, None, :]]


def _moved(n: int, size: int, shift: float, generator: torch.Generator) -> Tensor:
    reach = round(size * shift)
    offsets = torch.randint(-reach, reach + 1, (n, 1), generator=generator)
    return (torch.arange(size)[None, :] + offsets).clamp_(0, size - 1)
