"""Champion and shadow on the same inputs: how often they differ, and how many of those to ask about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from relearn_monitoring.domain.policy import Policy

REPORT_EVERY = 200
"""Pairs between two reports when nothing else changes."""


class StopReason(StrEnum):
    """Why no more disagreements are asked about."""

    NONE = ""
    TOO_FEW = "TOO_FEW_DISAGREEMENTS"
    BUDGET = "BUDGET_EXHAUSTED"
    ENOUGH = "ENOUGH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One champion against one challenger.

    Attributes:
        pairs: inputs both answered; disagreements: those they answered differently.
        picked: disagreements on their way to a flag, or flagged.
        asked: flagged.
        wanted: asked for by the gate so far.
        looks: of the gate that decided nothing.
        wanted_by: id of the event by which it asked for more than at first; empty before.
        revision: raised with each report.
        reported_pairs: pairs in the last report.
    """

    project_id: str
    champion: str
    challenger: str
    wanted: int
    wanted_by: str = ""
    looks: int = 0
    pairs: int = 0
    disagreements: int = 0
    picked: int = 0
    asked: int = 0
    revision: int = 0
    reported_pairs: int = 0
    stop_reason: StopReason = StopReason.NONE


def counted(comparison: Comparison, *, pairs: int, disagreements: int) -> Comparison:
    """With new pairs, and the disagreements among them."""
    return replace(comparison, pairs=comparison.pairs + pairs, disagreements=comparison.disagreements + disagreements)


def to_ask(comparison: Comparison, policy: Policy, *, budget_left: int) -> int:
    """How many disagreements may be picked now: none before there are pairs enough to know whether they are rare."""
    if comparison.pairs < policy.shadow_pairs or too_few(comparison, policy):
        return 0
    return max(0, min(comparison.wanted - comparison.picked, budget_left))


def too_few(comparison: Comparison, policy: Policy) -> bool:
    """Whether the two hardly differ, so that labels would judge nothing. What was asked stays asked."""
    rare = comparison.disagreements < policy.min_disagreement * comparison.pairs
    return comparison.pairs >= policy.shadow_pairs and rare and comparison.picked == 0


def stop_reason(comparison: Comparison, policy: Policy, *, budget_left: int) -> StopReason:
    """Why nothing more is asked now; NONE while asking goes on or has not begun."""
    if too_few(comparison, policy):
        return StopReason.TOO_FEW
    if comparison.asked >= comparison.wanted:
        return StopReason.ENOUGH
    starved = comparison.picked < comparison.wanted and comparison.pairs >= policy.shadow_pairs and budget_left <= 0
    return StopReason.BUDGET if starved else StopReason.NONE


def wants_more(comparison: Comparison, *, looks: int, per_look: int, by: str) -> Comparison:
    """After a look that decided nothing, told by an event: as many again. The same look twice changes nothing."""
    if looks <= comparison.looks:
        return comparison
    return as_the_gate_counts(replace(comparison, looks=looks, wanted_by=by), per_look=per_look)


def as_the_gate_counts(comparison: Comparison, *, per_look: int) -> Comparison:
    """With as many wanted as the policy of now asks for, as the gate does; never fewer than before."""
    return replace(comparison, wanted=max(comparison.wanted, per_look * (comparison.looks + 1)))


def due(before: Comparison, after: Comparison) -> bool:
    """Whether the change is worth a report: something else happens now, or many pairs have come."""
    said = (before.stop_reason, before.wanted) != (after.stop_reason, after.wanted)
    enough = after.pairs - before.reported_pairs >= REPORT_EVERY
    return said or enough or (before.picked == 0) != (after.picked == 0)


def reported(comparison: Comparison) -> Comparison:
    """As it goes out: the next revision."""
    return replace(comparison, revision=comparison.revision + 1, reported_pairs=comparison.pairs)
