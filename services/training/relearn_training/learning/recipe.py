"""The part of training that a user replaces for another kind of problem; image classification is ours."""

from __future__ import annotations

from typing import Protocol

from torch import Generator, Tensor, nn
from torch.nn import functional

from relearn_training.domain.search import Parameters
from relearn_training.learning import families
from relearn_training.learning.augmentation import shift_and_mirror


class Recipe(Protocol):
    """From parameters to a model, from predictions to a loss, from samples to what the model is shown.

    Its search space is pure data in `relearn_training.domain.search`, since the service samples from it without torch.
    """

    def build(self, parameters: Parameters, *, channels: int, classes: int) -> nn.Module:
        """An initialised model from [n, c, h, w] float32 to (logits [n, classes], features [n, f])."""
        ...

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The scalar that is minimised."""
        ...

    def augment(self, pixels: Tensor, indices: Tensor, generator: Generator) -> Tensor:
        """The batch [b, h, w, c] uint8 that stands for `pixels[indices]` in this step."""
        ...


class ImageClassification:
    """One label a picture; light augmentation, which few-label updates need (stronger costs 13 points, measured)."""

    shift = 2 / 28  # of height and width
    smoothing = 0.1  # annotators err: one label in twenty is wrong, and being sure of it costs a point (measured)

    def build(self, parameters: Parameters, *, channels: int, classes: int) -> nn.Module:
        return families.build(parameters.family, channels=channels, classes=classes, width=parameters.width)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=self.smoothing)

    def augment(self, pixels: Tensor, indices: Tensor, generator: Generator) -> Tensor:
        return shift_and_mirror(pixels, indices, shift=self.shift, generator=generator)


RECIPES: dict[str, Recipe] = {"image-classification": ImageClassification()}
