"""Gate step 2, before canary: the exact sign test on random disagreements of champion and challenger.

At most two looks, each at half the significance: when the first `per_look` disagreements are settled, and once more
when twice as many are. Nothing is decided between looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from relearn_registry.domain.judgements import Finding, Held, Measurement, Verdict
from relearn_registry.domain.statistics import exact_interval, sign_test

LOOKS = 2
TOO_FEW, EXHAUSTED = "TOO_FEW_DISAGREEMENTS", "BUDGET_EXHAUSTED"


class Requirement(Enum):
    """What a challenger has to be."""

    BETTER = auto()
    NOT_WORSE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The project's numbers for step 2."""

    requirement: Requirement
    per_look: int
    significance: float
    deadline: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One input that both versions answered differently, and what people said.

    Attributes:
        number: its place among those asked for this pair, from 1.
        settled: labels can no longer be expected for it: it has one, or is disputed.
        label: what people accepted; None when open or disputed.
        trained_on: the challenger's dataset version held a label of this sample.
    """

    number: int
    champion_label: str
    challenger_label: str
    settled: bool
    label: str | None
    label_id: str
    trained_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What monitoring last said about the pair."""

    pairs: int
    disagreements: int
    asked: int
    stop_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about a pair.

    Attributes:
        disagreements: None while it is not known which labels the challenger was trained on.
        looks: how often the test was undecided already.
        since: when the shadow started.
    """

    disagreements: Sequence[Disagreement] | None
    comparison: Comparison | None
    looks: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the disagreements of a look were settled."""

    wins: int
    losses: int
    neither: int
    disputed: int
    trained_on: int
    label_ids: tuple[str, ...]

    @property
    def counted(self) -> int:
        """Those that speak for one of the two."""
        return self.wins + self.losses


def judge(evidence: Evidence, *, policy: Policy, now: datetime) -> Finding | None:
    """What the gate says now, or None while it waits."""
    look = evidence.looks + 1
    wanted = policy.per_look * look
    asked = sorted((d for d in evidence.disagreements or () if d.number <= wanted), key=lambda d: d.number)
    tally = tally_of(asked)
    if len(asked) == wanted and all(d.settled for d in asked):
        return _look(tally, look=look, policy=policy, evidence=evidence)
    if stopped := _stopped(evidence, wanted=wanted, policy=policy, now=now):
        verdict, reason = stopped
        measured = _measurements(tally, evidence, limit=None)
        return Finding(verdict=verdict, reason=reason, measurements=measured, label_ids=tally.label_ids, look=look - 1)
    return None


def not_approved(held: Held, *, policy: Policy, now: datetime) -> Finding | None:
    """The end of a pass that nobody approved in time: newer versions wait behind it; None before the deadline."""
    if now < held.held_at + policy.deadline:
        return None
    reason = f"DEADLINE: nobody approved it for {policy.deadline} ({held.finding.reason})"
    return replace(held.finding, verdict=Verdict.REJECTED, reason=reason)


def tally_of(disagreements: Sequence[Disagreement]) -> Tally:
    """Counts the settled ones; what the challenger was trained on never counts, for nobody."""
    settled = [d for d in disagreements if d.settled]
    fair = [d for d in settled if not d.trained_on]
    wins = [d for d in fair if d.label == d.challenger_label]
    losses = [d for d in fair if d.label == d.champion_label]
    disputed = [d for d in fair if d.label is None]
    return Tally(
        wins=len(wins),
        losses=len(losses),
        neither=len(fair) - len(wins) - len(losses) - len(disputed),
        disputed=len(disputed),
        trained_on=len(settled) - len(fair),
        label_ids=tuple(d.label_id for d in fair if d.label in (d.challenger_label, d.champion_label)),
    )


def _look(tally: Tally, *, look: int, policy: Policy, evidence: Evidence) -> Finding:
    limit = policy.significance / LOOKS
    verdict, why = _verdict(tally, look=look, policy=policy, limit=limit)
    p_value = sign_test(tally.wins, tally.losses)
    counted = (
        f"{tally.wins} for the challenger, {tally.losses} for the champion of {policy.per_look * look} disagreements, "
        + (f"p = {p_value:.4f}" if p_value >= 0.0001 else "p < 0.0001")
    )
    return Finding(
        verdict=verdict,
        reason=f"{why}: {counted}",
        measurements=_measurements(tally, evidence, limit=limit),
        label_ids=tally.label_ids,
        look=look,
    )


def _verdict(tally: Tally, *, look: int, policy: Policy, limit: float) -> tuple[Verdict, str]:
    last = look == LOOKS
    if sign_test(tally.wins, tally.losses) < limit:
        return Verdict.PASSED, "better than the champion"
    if policy.requirement is Requirement.NOT_WORSE:
        if sign_test(tally.losses, tally.wins) < limit:
            return Verdict.REJECTED, "worse than the champion"
        if last or tally.wins >= tally.losses:
            return Verdict.PASSED, "not worse than the champion"
        return Verdict.UNDECIDED, "neither worse nor as good yet"
    if last:
        return Verdict.REJECTED, f"not shown to be better after {LOOKS} looks"
    if sign_test(tally.wins + policy.per_look, tally.losses) >= limit:
        return Verdict.REJECTED, "no outcome of the next look could show it to be better"
    return Verdict.UNDECIDED, "not decided yet, asking for more"


def _stopped(evidence: Evidence, *, wanted: int, policy: Policy, now: datetime) -> tuple[Verdict, str] | None:
    seen = evidence.comparison
    if seen and seen.stop_reason == TOO_FEW and seen.asked < wanted:
        rate = f"{seen.disagreements} disagreements in {seen.pairs} pairs are too few to ask"
        if policy.requirement is Requirement.NOT_WORSE:
            return Verdict.PASSED, f"{TOO_FEW}: {rate}; not worse was asked for"
        return Verdict.REJECTED, f"{TOO_FEW}: {rate}"
    if seen and seen.stop_reason == EXHAUSTED and seen.asked < wanted:
        return Verdict.REJECTED, f"{EXHAUSTED}: {seen.asked} of {wanted} disagreements could be asked"
    if now >= evidence.since + policy.deadline:
        unknown = "; which labels it was trained on is not known" if evidence.disagreements is None else ""
        return Verdict.REJECTED, f"DEADLINE: undecided for {policy.deadline}{unknown}"
    return None


def _measurements(tally: Tally, evidence: Evidence, *, limit: float | None) -> tuple[Measurement, ...]:
    low, high = exact_interval(tally.wins, tally.losses)
    measured = [
        Measurement(name="sign_test/wins", value=tally.wins),
        Measurement(name="sign_test/losses", value=tally.losses),
        Measurement(name="sign_test/neither", value=tally.neither),
        Measurement(name="sign_test/disputed", value=tally.disputed),
        Measurement(name="sign_test/trained_on", value=tally.trained_on),
        Measurement(
            name="sign_test/p_value",
            value=sign_test(tally.wins, tally.losses),
            samples=tally.counted,
            limit=limit,
        ),
    ]
    if tally.counted:
        share = tally.wins / tally.counted
        measured.append(
            Measurement(name="sign_test/win_share", value=share, lower=low, upper=high, samples=tally.counted)
        )
    if seen := evidence.comparison:
        measured.append(Measurement(name="shadow/pairs", value=seen.pairs))
        measured.append(Measurement(name="shadow/disagreements", value=seen.disagreements, samples=seen.pairs))
    return tuple(measured)
