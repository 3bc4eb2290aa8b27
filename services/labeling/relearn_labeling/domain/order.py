"""Which task goes first: what an alert or a rollout waits for, then the most value for each second of labeling.

A task may wait in proportion to what its label costs for its value, and never more than a week: `due_at` is when its
turn comes, so that age breaks ties and nothing starves. The queue is sorted by (rank, due_at).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum
from math import prod

from relearn_labeling.domain.tasks import Flag, LabelTask, Reason, Source, Stream

WAIT_S = 360.0
"""How long a task may wait for each second that its label costs, at value 1."""
LONGEST_WAIT = timedelta(days=7)
_LEAST_VALUE = 0.01
_UNKNOWN_VALUE = 0.5
_AUDIT_VALUE = 0.25


class Rank(IntEnum):
    """Order of the queue, lowest first.

    What settles something goes before everything else; the budgets of alerts and rollouts bound it.
    """

    SETTLES = 0
    WAITS = 1


def rank_of(task: LabelTask) -> Rank:
    """The rank of a task: by the reasons that wait, or by all of them once none does."""
    return Rank.SETTLES if any(_settles(reason) for reason in _reasons(task)) else Rank.WAITS


def value_of(task: LabelTask) -> float:
    """What the label is worth, 0..1: at least one of its reasons is, each taken to be so independently."""
    return max(1 - prod(1 - _value(reason) for reason in _reasons(task)), _LEAST_VALUE)


def cost_s(task: LabelTask) -> float:
    """Seconds of labeling until the task has its answers; at least one answer's."""
    return max(task.overlap - len(task.annotations), 1) * task.answer_s


def due_at(task: LabelTask) -> datetime:
    """When its turn comes: `WAIT_S` for each second that its label costs, divided by its value, after it was opened."""
    return task.created_at + min(timedelta(seconds=WAIT_S * cost_s(task) / value_of(task)), LONGEST_WAIT)


def why(task: LabelTask) -> str:
    """Why the task stands where it does, for people who may know what a model answered."""
    reasons = _reasons(task)
    first = _first(reasons)
    others = len(reasons) - 1
    more = f" (and {others} more {'reason' if others == 1 else 'reasons'})" if others else ""
    worth = f"value {value_of(task):.2f} for about {cost_s(task):.0f} s of labeling"
    return f"{_kind(first)}: {_why(first)}; {first.reason or 'no reason given'}{more}; {worth}"


def blind_why(task: LabelTask) -> str:
    """The same for an annotator: nothing that tells what a model answered."""
    return _why(_first(_reasons(task)))


def _reasons(task: LabelTask) -> tuple[Reason, ...]:
    return task.waiting or task.reasons


def _first(reasons: tuple[Reason, ...]) -> Reason:
    """The most urgent reason, the oldest of equals."""
    return min(reasons, key=lambda reason: (not _settles(reason), -_value(reason)))


def _settles(reason: Reason) -> bool:
    if isinstance(reason, Flag):
        return reason.stream is Stream.DISAGREEMENT or (reason.stream is Stream.AUDIT and bool(reason.alert_id))
    return False


def _value(reason: Reason) -> float:
    """What is known of the value of a label for this reason alone, 0..1."""
    if not isinstance(reason, Flag):
        return _UNKNOWN_VALUE if reason.value is None else min(max(reason.value, 0.0), 1.0)
    if _settles(reason):
        return 1.0
    if reason.stream is Stream.AUDIT:
        return _AUDIT_VALUE
    return _UNKNOWN_VALUE if reason.confidence is None else min(max(1 - reason.confidence, 0.0), 1.0)


def _kind(reason: Reason) -> str:
    return str(reason.stream) if isinstance(reason, Flag) else str(reason.source)


def _why(reason: Reason) -> str:
    if _settles(reason):
        return "an open alert or a rollout waits for it"
    if isinstance(reason, Flag):
        return _WHY_FLAGGED[reason.stream]
    return _WHY_REQUESTED[reason.source]


_WHY_FLAGGED = {
    Stream.SELECTED: "the next model learns from it",
    Stream.AUDIT: "it tells how good the model is",
}
_WHY_REQUESTED = {
    Source.UNKNOWN: "somebody asked for it",
    Source.HAND: "somebody asked for it",
    Source.IMPORT: "it came with an import",
    Source.DRAW: "the next model learns from it",
    Source.AGAIN: "it is asked once more",
}
