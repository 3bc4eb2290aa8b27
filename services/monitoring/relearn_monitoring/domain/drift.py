"""Is a window drifting? Scores from its profile, and thresholds calibrated at the same number of predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from relearn_monitoring.domain import profile as profiles
from relearn_monitoring.domain.frechet import frechet
from relearn_monitoring.domain.predictions import STATISTICS, FloatArray
from relearn_monitoring.domain.profile import Profile
from relearn_monitoring.domain.reference import Reference, observe, signals

RESAMPLES = 200
MOST_CALIBRATED = 2048
"""Larger windows have the thresholds of this many predictions: calibrating takes a millisecond a prediction."""

_MIN_LABEL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What windows of n predictions score while nothing is wrong.

    Attributes:
        n: predictions in the windows it was made from.
        label_means, label_deviations: [c] of n_label times the Fréchet distance; NaN for labels too rare to tell.
        thresholds: of each signal.
    """

    n: int
    label_means: FloatArray
    label_deviations: FloatArray
    thresholds: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftScore:
    """One signal against its threshold."""

    signal: str
    value: float
    threshold: float

    @property
    def over(self) -> bool:
        return self.value > self.threshold


def grid(n: int) -> int:
    """The calibrated window size that serves n predictions: the next power of the square root of 2 from below, at most
    MOST_CALIBRATED.

    A smaller window scatters more, so its thresholds are on the safe side.
    """
    return min(MOST_CALIBRATED, int(2 ** (np.floor(2 * np.log2(max(1, n)) + 1e-9) / 2)))


def calibrate(reference: Reference, *, n: int, alpha: float, generator: np.random.Generator) -> Calibration:
    """Thresholds for windows of n predictions, each signal exceeding its own with probability alpha.

    The half of the reference that did not fit is resampled; its distance from the fit is in every draw, as it is in
    every window. Tails are extrapolated by a gamma distribution of the same mean and variance.

    Source: Greco et al. (2025), "Unsupervised concept drift detection from deep learning representations in
    real-time" (DriftLens): thresholds from resampled windows, per label.
    """
    calibrating = reference.calibrating
    drawn = []
    for _ in range(RESAMPLES):
        rows = generator.integers(len(calibrating), size=n)
        drawn.append(profiles.profile_of(observe(reference, calibrating[rows]), reference))
    distances = np.stack([_label_distances(reference, drawn_profile, n=n) for drawn_profile in drawn])
    enough = (~np.isnan(distances)).sum(axis=0) >= RESAMPLES // 2
    known_distances = np.where(enough, distances, np.nan)
    means, deviations = np.full(len(enough), np.nan), np.full(len(enough), np.nan)
    means[enough] = np.nanmean(known_distances[:, enough], axis=0)
    deviations[enough] = np.nanstd(known_distances[:, enough], axis=0) + 1e-9
    blank = Calibration(n=n, label_means=means, label_deviations=deviations, thresholds={})
    values = [_values(reference, one, blank) for one in drawn]
    thresholds = {name: _tail(np.array([value[name] for value in values]), alpha) for name in values[0]}
    return Calibration(n=n, label_means=means, label_deviations=deviations, thresholds=thresholds)


def scores(reference: Reference, window: Profile, calibration: Calibration) -> list[DriftScore]:
    """How far each distribution has moved."""
    values = _values(reference, window, calibration)
    return [
        DriftScore(signal=name, value=value, threshold=calibration.thresholds[name]) for name, value in values.items()
    ]


def _values(reference: Reference, window: Profile, calibration: Calibration) -> dict[str, float]:
    """Value of each signal.

    "frechet": largest standardised Fréchet distance over labels. "confidence" and input statistics:
    Kolmogorov-Smirnov distance over the reference's quantile bins. "outputs": the largest one over class
    probabilities (BBSD; Rabanser et al. (2019), "Failing Loudly"). "label-mix": total variation.
    The rank of the distance is left to the e-detector: the half that is resampled defines it, so that resampling would
    not know how far ranks of new predictions stray.
    """
    shares = window.bins / max(1, window.n)
    moved = np.abs(np.cumsum(shares - reference.shares, axis=1)).max(axis=1)
    by_name = dict(zip(signals(reference), moved.tolist(), strict=True))
    values = {"confidence": by_name["confidence"]}
    if reference.components:
        distances = _label_distances(reference, window, n=calibration.n)
        standardised = (distances - calibration.label_means) / calibration.label_deviations
        values["frechet"] = float(np.nanmax(standardised)) if (~np.isnan(standardised)).any() else 0.0
    values["outputs"] = max(value for name, value in by_name.items() if name.startswith("output-"))
    values["label-mix"] = float(np.abs(window.labels / max(1, window.n) - reference.label_shares).sum() / 2)
    return values | {name: by_name[name] for name in STATISTICS}


def _label_distances(reference: Reference, window: Profile, *, n: int) -> FloatArray:
    """[c] n_label times the Fréchet distance of each predicted label; NaN with fewer than 5 predictions.

    A larger window counts as one of n predictions: what the reference itself is off by must not grow with the window.
    """
    means, covariances = profiles.gaussians(window)
    distances = np.full(reference.classes, np.nan)
    many = window.labels >= _MIN_LABEL
    if reference.components and many.any():
        apart = frechet(
            mean=means[many],
            covariance=covariances[many],
            other_mean=reference.class_means[many],
            other_root=reference.roots[many],
        )
        distances[many] = window.labels[many] * min(1.0, n / window.n) * apart
    return distances


def _tail(values: FloatArray, alpha: float) -> float:
    """The value exceeded with probability alpha, never below the largest one drawn."""
    low = min(0.0, float(values.min()))
    mean, variance = float(values.mean()) - low, float(values.var())
    if mean <= 0 or variance <= 1e-18:
        return float(values.max()) + 1e-9
    far = low + float(stats.gamma.isf(alpha, mean**2 / variance, scale=variance / mean))
    return max(far, float(values.max()))
