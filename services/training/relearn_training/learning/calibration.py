"""One number that makes confidences mean what they say. Pure numpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# a model that is right on every validation sample has no best temperature: the lower bound keeps it from being sure
LOWEST, HIGHEST = 0.25, 20.0


def probabilities(logits: npt.NDArray[np.floating], temperature: float) -> Floats:
    """softmax(logits / temperature) over the last axis, float64."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def log_loss(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.int64], weights: Floats, temperature: float
) -> float:
    """Weighted mean of -log p(label); logits [n, k], weights [n] >= 0 with a positive sum."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    top = scaled.max(axis=1, keepdims=True)
    normaliser = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
    losses = normaliser - scaled[np.arange(len(labels)), labels]
    return float(losses @ weights / weights.sum())


def temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.int64], weights: Floats) -> float:
    """The temperature in [0.25, 20] with the least weighted log loss, by golden-section search on its logarithm.

    The loss is convex in 1/T, hence unimodal in log T. Source: Guo et al. (2017), "On Calibration of Modern Neural
    Networks", section 4.2.
    """
    shrink = (math.sqrt(5) - 1) / 2
    low, high = math.log(LOWEST), math.log(HIGHEST)
    inner = [high - shrink * (high - low), low + shrink * (high - low)]
    values = [log_loss(logits, labels, weights, math.exp(at)) for at in inner]
    while high - low > 1e-4:
        if values[0] <= values[1]:
            high, inner = inner[1], [inner[1] - shrink * (inner[1] - low), inner[0]]
            values = [log_loss(logits, labels, weights, math.exp(inner[0])), values[0]]
        else:
            low, inner = inner[0], [inner[1], inner[0] + shrink * (high - inner[0])]
            values = [values[1], log_loss(logits, labels, weights, math.exp(inner[1]))]
    return math.exp((low + high) / 2)


def calibration_error(
    probabilities: Floats, labels: npt.NDArray[np.int64], weights: Floats, *, bins: int = 15
) -> float:
    """Expected calibration error of the top probability: |confidence - accuracy| over equal-width bins, weighted."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=weights * (confidence - right), minlength=bins)
    return float(np.abs(gap).sum() / weights.sum())
