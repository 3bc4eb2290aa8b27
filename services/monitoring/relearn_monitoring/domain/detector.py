"""The e-detector: says as soon as possible that a score's mean has risen, with a bound on false alarms.

For a score x in [0, 1] whose mean is at most m while nothing has changed, each factor 1 + l (x - m) / (1 + l m) is
positive with mean at most 1, so the Shiryaev-Roberts sum M = (M + 1) * factor has mean at most t after t predictions,
whatever their dependence. An alarm when the average M over bets and scores reaches `run` therefore comes on average no
earlier than after `run` predictions.

Source: Shin, Ramdas, Rinaldo (2022), "E-detectors: a nonparametric framework for sequential change detection"
(arXiv 2203.03532): Shiryaev-Roberts e-detectors and the bound on their average run length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from relearn_monitoring.domain.predictions import FloatArray
from relearn_runtime.errors import InvalidInput

BETS = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EDetector:
    """One detector over several scores.

    Attributes:
        limits: the mean of each score that still counts as unchanged, in [0, 1].
        values: M of each score and bet, scores first.
        seen: scores taken in since it was reset.
    """

    limits: tuple[float, ...]
    values: tuple[float, ...]
    seen: int = 0

    @property
    def value(self) -> float:
        """What is compared with the threshold: the average over scores and bets."""
        return sum(self.values) / len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Where the threshold was reached: index among the scores just given, and the value there."""

    index: int
    value: float


def fresh(limits: tuple[float, ...]) -> EDetector:
    """A detector that has seen nothing.

    Raises:
        InvalidInput: no score, or a limit outside [0, 1].
    """
    if not limits or any(not 0 <= limit <= 1 for limit in limits):
        raise InvalidInput(f"limits must be in [0, 1], at least one, got {limits}")
    return EDetector(limits=limits, values=(0.0,) * (len(limits) * len(BETS)))


def watch(detector: EDetector, scores: FloatArray, *, run: float) -> tuple[EDetector, Alarm | None]:
    """The detector after these scores, or up to the first alarm among them.

    Args:
        scores: [n, s] in [0, 1], oldest first, one column per limit.
        run: average number of scores between two false alarms, > 0.

    Returns:
        The detector (its state at the alarm, when there is one; it has seen nothing of the rest), and the alarm.

    Raises:
        InvalidInput: wrong shape, or a score outside [0, 1].
    """
    if scores.ndim != 2 or scores.shape[1] != len(detector.limits):
        raise InvalidInput(f"scores must be [n, {len(detector.limits)}], got {scores.shape}")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InvalidInput("scores must be in [0, 1]")
    bets, limits = np.array(BETS), np.array(detector.limits)
    gain = bets / (1 + bets * limits[:, None])  # [s, b]
    factors = (1 + gain * (scores - limits)[:, :, None]).reshape(len(scores), -1)
    threshold = run * len(detector.values)
    values = np.array(detector.values)
    # A plain loop: the result must not depend on how the predictions were cut into batches.
    for index, factor in enumerate(factors):
        values += 1
        values *= factor
        if (total := values.sum()) >= threshold:
            after = replace(detector, values=tuple(values.tolist()), seen=detector.seen + index + 1)
            return after, Alarm(index=index, value=float(total) / len(values))
    return replace(detector, values=tuple(values.tolist()), seen=detector.seen + len(scores)), None
