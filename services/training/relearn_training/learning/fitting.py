"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from relearn_training.learning.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How many steps at which rate.

    Attributes:
        learning_rate: peak; it rises over the first `warm_up` share of the steps, then falls to zero along a cosine.
        steps, steps_per_epoch: at least 1.
    """

    learning_rate: float
    steps: int
    steps_per_epoch: int
    warm_up: float = 0.15
    weight_decay: float = 0.01

    @property
    def epochs(self) -> int:
        return math.ceil(self.steps / self.steps_per_epoch)

    def rate(self, step: int) -> float:
        """Learning rate of a step in 0..steps-1."""
        rising = max(1, round(self.steps * self.warm_up))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, self.steps - rising)))


def fit(
    model: nn.Module,
    *,
    recipe: Recipe,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    batches: Iterator[npt.NDArray[np.int64]],
    normalise: Callable[[Tensor], Tensor],
    schedule: Schedule,
    generator: torch.Generator,
    on_epoch: Callable[[int, float], None],
) -> None:
    """Fit `model` in place with AdamW.

    Args:
        pixels, labels: [n, h, w, c] uint8 and [n] class indices.
        batches: index arrays, one a step.
        normalise: from [b, h, w, c] uint8 to [b, c, h, w] float32.
        generator: of the augmentation.
        on_epoch: called with the epoch, from 1, and its mean training loss; it may use the model.
    """
    images, targets = torch.from_numpy(pixels), torch.from_numpy(labels)
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=schedule.weight_decay)
    total, since = 0.0, 0
    model.train()
    for step, indices in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        chosen = torch.from_numpy(indices)
        logits, _ = model(normalise(recipe.augment(images, chosen, generator)))
        loss = recipe.loss(logits, targets[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total, since = total + float(loss.detach()), since + 1
        if (step + 1) % schedule.steps_per_epoch == 0 or step + 1 == schedule.steps:
            on_epoch(math.ceil((step + 1) / schedule.steps_per_epoch), total / since)
            total, since = 0.0, 0
            model.train()
