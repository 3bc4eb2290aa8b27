"""The arithmetic of the gate. Intervals are built for few samples, where a plain normal interval has no width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from relearn_runtime.errors import InvalidInput

FloatArray: TypeAlias = npt.NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its standard error; the interval is centered beside the value, as few samples demand.

    Attributes:
        value: the plain (weighted) mean.
        center, standard_error: of the interval.
        samples: how many it rests on.
    """

    value: float
    center: float
    standard_error: float
    samples: int

    def upper_bound(self, level: float) -> float:
        """One-sided upper bound that holds with probability `level`, 0.5 < level < 1."""
        return self.center + float(stats.norm.ppf(level)) * self.standard_error

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided 95 % interval."""
        half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * self.standard_error
        return self.center - half, self.center + half


def inverse_weights(probability: FloatArray) -> FloatArray:
    """Weights of samples that were picked with these probabilities; NaN (not picked but imported) weighs 1.

    Args:
        probability: [n] in (0, 1], or NaN.

    Raises:
        InvalidInput: a probability outside of (0, 1].
    """
    if bool(((probability <= 0) | (probability > 1)).any()):
        raise InvalidInput(f"probabilities must be over 0 and at most 1, got {probability.min()}..{probability.max()}")
    return np.where(np.isnan(probability), 1.0, 1.0 / probability)


def paired_difference(differences: FloatArray, weights: FloatArray) -> Estimate:
    """Mean of challenger's minus champion's correctness on the same samples.

    Half a sample is added to each cell of the 2x2 table (both right, both wrong, one only), which keeps the interval
    honest when few samples disagree or none. Weighted samples count as their effective number, (sum w)^2 / sum w^2.

    Args:
        differences: [n] of -1, 0, 1; n >= 1.
        weights: [n], over 0.

    Source: Agresti and Min (2005), "Simple improved confidence intervals for comparing matched proportions"; effective
    sample size: Kish (1965), "Survey Sampling", section 11.7.
    """
    total = float(weights.sum())
    effective = total**2 / float((weights**2).sum())
    won = effective * float(weights[differences > 0].sum()) / total
    lost = effective * float(weights[differences < 0].sum()) / total
    padded = effective + 2
    variance = (won + lost + 1 - (won - lost) ** 2 / padded) / padded**2
    return Estimate(
        value=(won - lost) / effective,
        center=(won - lost) / padded,
        standard_error=math.sqrt(variance),
        samples=len(differences),
    )


def share(hits: FloatArray, weights: FloatArray) -> Estimate:
    """Weighted share of hits (Agresti and Coull's interval: two hits and two misses added, effective number).

    Args:
        hits: [n] of 0 and 1; n >= 1.
        weights: [n], over 0.
    """
    total = float(weights.sum())
    effective = total**2 / float((weights**2).sum())
    value = float((hits * weights).sum()) / total
    center = (value * effective + 2) / (effective + 4)
    error = math.sqrt(center * (1 - center) / (effective + 4))
    return Estimate(value=value, center=center, standard_error=error, samples=len(hits))


def calibration_error(confidence: FloatArray, correct: FloatArray, weights: FloatArray) -> float:
    """Expected calibration error over bins of equal mass: mean gap of confidence and accuracy, weighted by mass.

    As many bins as hold 20 samples each, 1 to 15.

    Source: Nixon et al. (2019), "Measuring Calibration in Deep Learning", adaptive calibration error.
    """
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, max(1, min(15, len(order) // 20)))
    gaps = [abs(float(((confidence[b] - correct[b]) * weights[b]).sum())) for b in bins]
    return sum(gaps) / float(weights.sum())


def sign_test(successes: int, failures: int) -> float:
    """Probability of at least so many successes if each were a fair coin (exact, one-sided); 1 without any trial."""
    return float(stats.binom.sf(successes - 1, successes + failures, 0.5))


def exact_interval(successes: int, failures: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of the probability of success; (0, 1) without any trial."""
    tail = (1 - CONFIDENCE) / 2
    low = float(stats.beta.ppf(tail, successes, failures + 1)) if successes else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, failures)) if failures else 1.0
    return low, high
