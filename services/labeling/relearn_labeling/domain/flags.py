"""What a flag does: it opens a task, or joins the one that its sample has."""

from __future__ import annotations

from datetime import datetime

from relearn_labeling.domain.answers import tell_again
from relearn_labeling.domain.errors import InvalidFlag
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.opening import joined, new_task
from relearn_labeling.domain.tasks import USUAL_ANSWER_S, Flag, LabelTask, Policy, State

MOST_FLAG_BYTES = 300 * 1024
"""Of all flags of one task: each of its events copies them whole, and must hold its answers beside them."""


def flag_task(
    task: LabelTask | None,
    flag: Flag,
    *,
    label_set_version: int,
    policy: Policy,
    now: datetime,
    answer_s: float = USUAL_ANSWER_S,
) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The flag's task: a new one, or one more reason on the one there is.

    A settled task that has fewer answers than the flag wants reopens; otherwise its outcome is told again, so that the
    flag is settled too and no answer is spent. A flag that the task has already changes nothing.

    Args:
        answer_s: what an answer takes in this project, in seconds.

    Raises:
        InvalidFlag: the sample belongs to another project, or the task has as many flags as an event can hold.
    """
    if not flag.sample_id.startswith(f"{flag.project_id}/sample/"):
        raise InvalidFlag(f"sample {flag.sample_id!r} is none of project {flag.project_id!r}", flag_id=flag.id)
    wanted = policy.overlap(flag.stream)
    if task is None:
        created, fact = new_task(flag, label_set_version=label_set_version, overlap=wanted, answer_s=answer_s, now=now)
        return created, (fact,)
    flags = task.flags
    if any(known.id == flag.id for known in flags):
        return task, ()
    if sum(len(known.content) for known in (*flags, flag)) > MOST_FLAG_BYTES:
        raise InvalidFlag(f"label task {task.id} has {len(flags)} flags, no event can hold more", flag_id=flag.id)
    more, opened = joined(task, flag, overlap=wanted, answer_s=answer_s, now=now)
    if more.state is State.OPEN:
        return more, (opened,)
    told, outcome = tell_again(more, now=now)
    return told, (opened, outcome)
