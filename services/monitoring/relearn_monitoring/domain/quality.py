"""How good is a version, now? From audits only: labels bought at random, weighted by their probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from scipy import stats

from relearn_monitoring.domain.detector import BETS
from relearn_runtime.errors import InvalidInput

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One audited prediction whose label is known.

    Attributes:
        probability: with which it was picked, in (0, 1].
        correct: whether the model said what the label says.
    """

    probability: float
    correct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Accuracy with its 95 % interval, and the audits it rests on."""

    accuracy: float
    lower: float
    upper: float
    audits: int


def quality(audits: Sequence[Audit]) -> Quality | None:
    """Weighted accuracy with a Wilson interval; None without audits.

    The Hájek estimator: each audit stands for 1 / probability predictions. With unequal probabilities the interval
    uses Kish's effective number of audits; with equal ones that is their number.

    Raises:
        InvalidInput: a probability outside (0, 1].

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference"; Kish (1965),
    "Survey Sampling".
    """
    if not audits:
        return None
    if any(not 0 < audit.probability <= 1 for audit in audits):
        raise InvalidInput("the probability of an audit must be in (0, 1]")
    weights = [1 / audit.probability for audit in audits]
    total = sum(weights)
    accuracy = sum(weight for weight, audit in zip(weights, audits, strict=True) if audit.correct) / total
    effective = total**2 / sum(weight**2 for weight in weights)
    lower, upper = wilson(accuracy, effective)
    return Quality(accuracy=accuracy, lower=lower, upper=upper, audits=len(audits))


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share observed in n > 0 draws."""
    spread = _Z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * (share * (1 - share) / n + spread / (4 * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def evidence_of_harm(correct: Sequence[bool], *, limit: float) -> float:
    """Largest e-value so far against "the accuracy is at least `limit`"; valid whenever one looks.

    The probability that it ever reaches 1 / a while the accuracy is at least `limit` is at most a.

    Args:
        correct: outcomes in the order they became known.
        limit: accuracy in [0, 1] that is still good enough.

    Source: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting";
    the average over bets as in `detector`.
    """
    capital, largest = [1.0] * len(BETS), 1.0
    gains = [bet / (1 + bet * (1 - limit)) for bet in BETS]
    for right in correct:
        surprise = (0.0 if right else 1.0) - (1 - limit)
        capital = [value * (1 + gain * surprise) for value, gain in zip(capital, gains, strict=True)]
        largest = max(largest, sum(capital) / len(capital))
    return largest


def p_value_of_harm(correct: Sequence[bool], *, limit: float) -> float:
    """Exact one-sided p-value of "the accuracy is at least `limit`", for one look at a number fixed before."""
    return float(stats.binom.cdf(sum(correct), len(correct), limit)) if correct else 1.0
