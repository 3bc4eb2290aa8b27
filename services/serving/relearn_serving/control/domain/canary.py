"""Whether a rollout may go on, must wait, or is undone."""

from dataclasses import dataclass
from enum import Enum
from math import sqrt

from relearn_serving.control.domain.evidence import Evidence, Tally
from relearn_serving.control.domain.route import Phase, Route
from relearn_serving.control.domain.sequential import lower_bound, upper_bound

# A good challenger is undone for its errors in at most one of a hundred rollouts, however long they take.
_FALSE_UNDO = 0.01
# Below a millisecond nobody waits for a model; ratios of microseconds mean nothing.
_LATENCY_FLOOR_S = 0.001
# Share of predictions that may change class between shadow and canary beyond what traffic and chance explain.
_MAX_MIX_CHANGE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """The project's numbers."""

    canary_percent: tuple[int, ...]  # rising, the last is 100
    requests_per_step: int
    max_error_increase: float
    max_latency_ratio: float


class Verdict(Enum):
    HOLD = "hold"
    ADVANCE = "advance"
    FINISH = "finish"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    verdict: Verdict
    reason: str


def decide(route: Route, evidence: Evidence, policy: RolloutPolicy) -> Decision:
    """What follows for a route with a challenger; to be asked whenever there is new evidence."""
    challenger = evidence.shadow + evidence.canary
    if (reason := _errors(challenger, evidence.champion, policy)) is not None:
        return Decision(verdict=Verdict.UNDO, reason=reason)
    if route.phase is not Phase.CANARY:
        return Decision(verdict=Verdict.HOLD, reason="shadow: waits for gate step 2")
    if evidence.in_step < policy.requests_per_step:
        counted = f"{evidence.in_step} of {policy.requests_per_step} challenger requests at {route.weight} %"
        return Decision(verdict=Verdict.HOLD, reason=counted)
    worse = _latency(evidence.canary, evidence.champion, policy) or _mix(evidence, policy)
    if worse is not None:
        return Decision(verdict=Verdict.UNDO, reason=worse)
    counted = f"{evidence.in_step} challenger requests at {route.weight} %, {challenger.errors} errors in all"
    if next_weight(route.weight, policy) is None:
        return Decision(verdict=Verdict.FINISH, reason=counted)
    return Decision(verdict=Verdict.ADVANCE, reason=counted)


def next_weight(weight: int, policy: RolloutPolicy) -> int | None:
    """The step after `weight` percent; None after the last. Follows the policy even when it changed meanwhile."""
    return next((step for step in policy.canary_percent if step > weight), None)


def _errors(challenger: Tally, champion: Tally, policy: RolloutPolicy) -> str | None:
    """Anytime-valid: the two bounds hold together with probability 1 - _FALSE_UNDO at every look."""
    at_least = lower_bound(challenger.errors, challenger.attempts, alpha=_FALSE_UNDO / 2)
    # without a request that the champion answered, the challenger has the traffic to itself and is held to no errors
    at_most = upper_bound(champion.errors, champion.attempts, alpha=_FALSE_UNDO / 2) if champion.attempts else 0.0
    if at_least <= at_most + policy.max_error_increase:
        return None
    return (
        f"errors: {challenger.errors} of {challenger.attempts} of the challenger (at least {at_least:.2%}),"
        f" {champion.errors} of {champion.attempts} of the champion (at most {at_most:.2%}),"
        f" {policy.max_error_increase:.2%} more is allowed"
    )


def _latency(canary: Tally, champion: Tally, policy: RolloutPolicy) -> str | None:
    allowed_s = policy.max_latency_ratio * max(champion.mean_s, _LATENCY_FLOOR_S)
    if champion.predictions == 0 or canary.mean_s <= allowed_s:
        return None
    return (
        f"latency: {1e3 * canary.mean_s:.2f} ms a prediction, the champion takes {1e3 * champion.mean_s:.2f} ms,"
        f" {1e3 * allowed_s:.2f} ms are allowed"
    )


def _mix(evidence: Evidence, policy: RolloutPolicy) -> str | None:
    """The challenger must answer in canary as it did in shadow, as far as the champion shows that traffic stayed.

    Champion and challenger are meant to differ (the challenger is the cure), so they are not compared
    with each other. Without a shadow of some size there is nothing to compare with.
    """
    enough = policy.requests_per_step
    if min(evidence.shadow.predictions, evidence.canary.predictions) < enough:
        return None
    change = _distance(evidence.shadow, evidence.canary)
    traffic = _distance(evidence.champion_beside_shadow, evidence.champion_beside_canary)
    allowed = _MAX_MIX_CHANGE + traffic + _by_chance(evidence.shadow, evidence.canary)
    if change <= allowed:
        return None
    return f"prediction mix: {change:.0%} moved between shadow and canary, traffic and chance explain {allowed:.0%}"


def _distance(one: Tally, other: Tally) -> float:
    """Total variation of the predicted classes, 0..1; 0 where one has none."""
    n, m = sum(one.labels), sum(other.labels)
    if not n or not m:
        return 0.0
    pairs = zip(one.labels, other.labels, strict=False)
    return sum(abs(a / n - b / m) for a, b in pairs) / 2


def _by_chance(one: Tally, other: Tally) -> float:
    """Twice the standard deviation of the distance of two samples of one distribution, summed over classes."""
    n, m = sum(one.labels), sum(other.labels)
    shares = [count / n for count in one.labels]
    return sum(sqrt(share * (1 - share) * (1 / n + 1 / m)) for share in shares)
