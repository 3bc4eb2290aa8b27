"""Skew: how far live predictions are from the held-out ones that the training run measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relearn_monitoring.domain.predictions import FloatArray, IntArray
from relearn_monitoring.domain.reference import Reference, ranks_of
from relearn_runtime.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional:
    """What a training run left of its held-out predictions: [n] confidence, [n, d] embeddings, [n] labels."""

    confidence: FloatArray
    embeddings: FloatArray
    labels: IntArray


def skew(reference: Reference, provisional: Provisional) -> float:
    """The larger Kolmogorov-Smirnov distance of the two, 0..1, over confidence and distance rank.

    Raises:
        InvalidInput: nothing was held out, or it has other classes or another embedding size.
    """
    n = len(provisional.confidence)
    shapes = (provisional.embeddings.shape, provisional.labels.shape)
    if not n or shapes != ((n, len(reference.center)), (n,)) or not 0 <= provisional.labels.max() < reference.classes:
        raise InvalidInput(f"a provisional reference of {n} predictions does not fit: {shapes}")
    distances = [_apart(reference.predictions.confidence, provisional.confidence)]
    if reference.components:
        uniform = (np.arange(1000) + 0.5) / 1000
        distances.append(_apart(uniform, ranks_of(reference, provisional.embeddings, provisional.labels)))
    return max(distances)


def _apart(one: FloatArray, other: FloatArray) -> float:
    """Largest distance of two empirical distribution functions."""
    at = np.concatenate([one, other])
    below = np.searchsorted(np.sort(one), at, side="right") / len(one)
    others = np.searchsorted(np.sort(other), at, side="right") / len(other)
    return float(np.abs(below - others).max())
