"""Which task is worth most: alerts and rollouts wait for some, models learn from others, some only keep us informed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from relearn_labeling.domain.tasks import Flag, LabelTask, Stream


class Rank(IntEnum):
    """Order of the queue, lowest first; within a rank the older task goes first."""

    SETTLES = 0
    TEACHES = 1
    INFORMS = 2


_WHY = {
    Rank.SETTLES: "an open alert or a rollout waits for it",
    Rank.TEACHES: "the next model learns from it",
    Rank.INFORMS: "it tells how good the model is",
}


def rank(flags: Sequence[Flag]) -> Rank:
    """The rank of the most urgent flag; `flags` is not empty."""
    return min(_rank(flag) for flag in flags)


def rank_of(task: LabelTask) -> Rank:
    """The rank of a task: by the flags that wait, or by all of them once none does."""
    return rank(task.waiting_flags or task.flags)


def why(task: LabelTask) -> str:
    """Why the task stands where it does: the rank, and what the monitor saw."""
    flags = task.waiting_flags or task.flags
    urgent = min(flags, key=_rank)
    others = len(flags) - 1
    more = f" (and {others} more {'flag' if others == 1 else 'flags'})" if others else ""
    return f"{urgent.stream}: {blind_why(task)}; {urgent.reason or 'no reason given'}{more}"


def blind_why(task: LabelTask) -> str:
    """The same for an annotator: nothing that tells what a model answered."""
    return _WHY[rank_of(task)]


def _rank(flag: Flag) -> Rank:
    if flag.stream is Stream.DISAGREEMENT or (flag.stream is Stream.AUDIT and flag.alert_id):
        return Rank.SETTLES
    return Rank.TEACHES if flag.stream is Stream.SELECTED else Rank.INFORMS
