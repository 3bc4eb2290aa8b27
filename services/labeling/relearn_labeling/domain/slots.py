"""Who may answer a task: `overlap` blind slots, each held by one live lease or used by one answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from relearn_labeling.domain.errors import NoSlot, TaskNotAssigned
from relearn_labeling.domain.tasks import LabelTask, Lease, LeaseEnd, State


def free_slots(task: LabelTask, now: datetime) -> tuple[int, ...]:
    """The slots that are neither answered nor under a live lease, lowest first."""
    used = {annotation.slot for annotation in task.annotations} | {lease.slot for lease in task.live_leases(now)}
    return tuple(slot for slot in range(1, task.overlap + 1) if slot not in used)


def can_lease(task: LabelTask, annotator: str, now: datetime) -> bool:
    """Whether the annotator could be given this task now."""
    mine = task.lease_of(annotator)
    return (
        task.state is State.OPEN
        and not task.is_answered_by(annotator)
        and not (mine is not None and mine.is_live(now))
        and bool(free_slots(task, now))
    )


def lease_task(task: LabelTask, annotator: str, *, duration: timedelta, now: datetime) -> tuple[LabelTask, Lease]:
    """The task with a free slot under the annotator's lease, and that lease.

    Raises:
        NoSlot: the task is closed, no slot is free, or the annotator holds or has used one.
    """
    if not can_lease(task, annotator, now):
        raise NoSlot(f"label task {task.id} has no slot for {annotator!r}", label_task_id=task.id)
    expired = expire_leases(task, now)
    others = tuple(lease for lease in expired.leases if lease.annotator != annotator)
    lease = Lease(annotator=annotator, slot=free_slots(task, now)[0], expires_at=now + duration)
    return replace(expired, leases=(*others, lease)), lease


def return_task(task: LabelTask, annotator: str, *, now: datetime) -> LabelTask:
    """The task with the annotator's lease given back; one that ran out already is as good as given back.

    Raises:
        TaskNotAssigned: the annotator holds no lease.
    """
    lease = task.lease_of(annotator)
    if lease is None or lease.ended is LeaseEnd.RETURNED:
        raise TaskNotAssigned(f"{annotator!r} holds no lease of label task {task.id}", label_task_id=task.id)
    ended = replace(lease, ended=LeaseEnd.RETURNED if lease.is_live(now) else LeaseEnd.EXPIRED)
    return replace(task, leases=tuple(ended if other is lease else other for other in task.leases))


def expire_leases(task: LabelTask, now: datetime) -> LabelTask:
    """The task with the leases that ran out marked so."""
    return replace(task, leases=tuple(_expired(lease, now) for lease in task.leases))


def _expired(lease: Lease, now: datetime) -> Lease:
    return lease if lease.ended is not None or lease.is_live(now) else replace(lease, ended=LeaseEnd.EXPIRED)
