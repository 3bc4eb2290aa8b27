"""Who may answer a task: `overlap` blind slots, each held by one live lease or used by one answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from relearn_labeling.domain.errors import LeaseExpired, NoSlot, TaskClosed, TaskNotAssigned
from relearn_labeling.domain.facts import Disputed, Fact
from relearn_labeling.domain.settling import settled
from relearn_labeling.domain.tasks import LabelTask, Lease, LeaseEnd, SkipReason, State

DOUBTS = 2
"""Annotators who must say that a sample has no answer before a task closes without one."""


def free_slots(task: LabelTask, now: datetime) -> tuple[int, ...]:
    """The slots that are neither answered nor under a live lease, lowest first."""
    used = {annotation.slot for annotation in task.annotations} | {lease.slot for lease in task.live_leases(now)}
    return tuple(slot for slot in range(1, task.overlap + 1) if slot not in used)


def can_lease(task: LabelTask, annotator: str, now: datetime) -> bool:
    """Whether the annotator could be given this task now."""
    mine = task.lease_of(annotator)
    return (
        task.state is State.OPEN
        and task.is_for(annotator)
        and not task.is_answered_by(annotator)
        and not (mine is not None and mine.is_live(now))
        and bool(free_slots(task, now))
    )


def lease_task(task: LabelTask, annotator: str, *, duration: timedelta, now: datetime) -> tuple[LabelTask, Lease]:
    """The task with a free slot under the annotator's lease, and that lease.

    Raises:
        NoSlot: the task is closed or assigned to others, no slot is free, or the annotator holds or has used one.
    """
    if not can_lease(task, annotator, now):
        raise NoSlot(f"label task {task.id} has no slot for {annotator!r}", label_task_id=task.id)
    expired = expire_leases(task, now)
    others = tuple(lease for lease in expired.leases if lease.annotator != annotator)
    lease = Lease(annotator=annotator, slot=free_slots(task, now)[0], leased_at=now, expires_at=now + duration)
    return replace(expired, leases=(*others, lease)), lease


def renew_lease(task: LabelTask, annotator: str, *, duration: timedelta, now: datetime) -> tuple[LabelTask, Lease]:
    """The task with the annotator's lease as long as a new one, and that lease.

    Raises:
        TaskClosed, TaskNotAssigned, LeaseExpired: as for an answer.
    """
    held = held_lease(task, annotator, now)
    renewed = replace(held, expires_at=max(held.expires_at, now + duration))
    return replace(task, leases=tuple(renewed if lease is held else lease for lease in task.leases)), renewed


def return_task(
    task: LabelTask, annotator: str, *, now: datetime, reason: SkipReason | None = None
) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task with the annotator's lease given back; one that ran out already is as good as given back.

    Where two annotators gave it back because it has no answer, and nobody is at it, it closes as disputed: a person who
    sees everything has to look.

    Raises:
        TaskNotAssigned: the annotator holds no lease.
    """
    lease = task.lease_of(annotator)
    if lease is None or lease.ended is LeaseEnd.RETURNED:
        raise TaskNotAssigned(f"{annotator!r} holds no lease of label task {task.id}", label_task_id=task.id)
    end = LeaseEnd.RETURNED if lease.is_live(now) else LeaseEnd.EXPIRED
    ended = replace(lease, ended=end, skip_reason=reason)
    returned = replace(task, leases=tuple(ended if other is lease else other for other in task.leases))
    doubts = sum(lease.skip_reason is not None and lease.skip_reason.doubts for lease in returned.leases)
    if doubts < DOUBTS or returned.live_leases(now):
        return returned, ()
    closed = settled(returned, state=State.DISPUTED, label=returned.label, now=now)
    return closed, (Disputed(task=closed, at=now, unanswerable=True),)


def held_lease(task: LabelTask, annotator: str, now: datetime) -> Lease:
    """The annotator's live lease.

    Raises:
        TaskClosed: the task has all the answers it wants.
        TaskNotAssigned: the annotator holds no lease.
        LeaseExpired: the lease ran out, whether or not its slot was taken since.
    """
    if task.state is not State.OPEN:
        raise TaskClosed(f"label task {task.id} has all its answers", label_task_id=task.id)
    lease = task.lease_of(annotator)
    if lease is None or lease.ended is LeaseEnd.RETURNED:
        raise TaskNotAssigned(f"{annotator!r} holds no lease of label task {task.id}", label_task_id=task.id)
    if not lease.is_live(now):
        message = f"the lease of label task {task.id} ran out at {lease.expires_at.isoformat()}"
        raise LeaseExpired(message, label_task_id=task.id)
    return lease


def expire_leases(task: LabelTask, now: datetime) -> LabelTask:
    """The task with the leases that ran out marked so."""
    return replace(task, leases=tuple(_expired(lease, now) for lease in task.leases))


def _expired(lease: Lease, now: datetime) -> Lease:
    return lease if lease.ended is not None or lease.is_live(now) else replace(lease, ended=LeaseEnd.EXPIRED)
