"""What a flag does: one task per sample and label set, ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from relearn_labeling.domain.answers import tell_again
from relearn_labeling.domain.errors import InvalidFlag
from relearn_labeling.domain.facts import Fact, Opened
from relearn_labeling.domain.tasks import Flag, LabelTask, Policy, State, task_id

MOST_FLAG_BYTES = 300 * 1024
"""Of all flags of one task: each of its events copies them whole, and must hold its answers beside them."""


def flag_task(
    task: LabelTask | None, flag: Flag, *, label_set_version: int, policy: Policy, now: datetime
) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The flag's task: a new one, or one more reason on the one there is.

    A settled task that has fewer answers than the flag wants reopens; otherwise its outcome is told again, so that the
    flag is settled too and no answer is spent. A flag that the task has already changes nothing.

    Raises:
        InvalidFlag: the sample belongs to another project, or the task has as many flags as an event can hold.
    """
    if not flag.sample_id.startswith(f"{flag.project_id}/sample/"):
        raise InvalidFlag(f"sample {flag.sample_id!r} is none of project {flag.project_id!r}", flag_id=flag.id)
    if task is None:
        created = _new_task(flag, label_set_version=label_set_version, overlap=policy.overlap(flag.stream), now=now)
        return created, (Opened(task=created, flag_id=flag.id, created=True),)
    if any(known.id == flag.id for known in task.flags):
        return task, ()
    if sum(len(known.content) for known in (*task.flags, flag)) > MOST_FLAG_BYTES:
        raise InvalidFlag(f"label task {task.id} has {len(task.flags)} flags, no event can hold more", flag_id=flag.id)
    wanted = policy.overlap(flag.stream)
    state = State.OPEN if len(task.annotations) < wanted else task.state
    joined = replace(task, flags=(*task.flags, flag), overlap=max(task.overlap, wanted), state=state, updated_at=now)
    opened = Opened(task=joined, flag_id=flag.id, created=False)
    if state is State.OPEN:
        return joined, (opened,)
    told, outcome = tell_again(joined, now=now)
    return told, (opened, outcome)


def _new_task(flag: Flag, *, label_set_version: int, overlap: int, now: datetime) -> LabelTask:
    return LabelTask(
        id=task_id(flag.sample_id, label_set_version),
        project_id=flag.project_id,
        sample_id=flag.sample_id,
        label_set_version=label_set_version,
        state=State.OPEN,
        flags=(flag,),
        settled=0,
        overlap=overlap,
        leases=(),
        annotations=(),
        label=None,
        revision=0,
        created_at=now,
        updated_at=now,
    )
