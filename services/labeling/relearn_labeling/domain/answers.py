"""What answers make of a task: all slots are collected first, then the majority decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relearn_labeling.domain.errors import LeaseExpired, NotInLabelSet, TaskClosed, TaskNotAssigned
from relearn_labeling.domain.facts import Accepted, Answered, Disputed, Fact, Superseded
from relearn_labeling.domain.tasks import Annotation, Label, LabelTask, Lease, LeaseEnd, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an annotator says: the class of the whole sample, and how long it took if told."""

    annotator: str
    class_name: str
    time_spent: timedelta | None = None


def submit(
    task: LabelTask, answer: Answer, *, classes: Collection[str], annotation_id: str, label_id: str, now: datetime
) -> tuple[LabelTask, Annotation, tuple[Fact, ...]]:
    """The task with one more answer; the last slot decides it.

    Args:
        classes: the project's label set.
        label_id: id of the label, should a new one be accepted.

    Raises:
        TaskClosed: it has all the answers it wants.
        TaskNotAssigned: the annotator holds no lease.
        LeaseExpired: the lease ran out, whether or not its slot was taken since.
        NotInLabelSet: a class the project does not have.
    """
    lease = _held_lease(task, answer.annotator, now)
    if answer.class_name not in classes:
        message = f"{answer.class_name!r} is no class of project {task.project_id!r}"
        raise NotInLabelSet(message, label=answer.class_name, label_set_version=str(task.label_set_version))
    annotation = Annotation(
        id=annotation_id,
        annotator=answer.annotator,
        slot=lease.slot,
        class_name=answer.class_name,
        time_spent=answer.time_spent,
        created_at=now,
    )
    answered = replace(
        task,
        annotations=(*task.annotations, annotation),
        leases=tuple(other for other in task.leases if other is not lease),
        updated_at=now,
    )
    fact = Answered(task=answered, annotation=annotation)
    if len(answered.annotations) < answered.overlap:
        return answered, annotation, (fact,)
    decided, outcome = decide(answered, label_id=label_id, now=now)
    return decided, annotation, (fact, *outcome)


def decide(task: LabelTask, *, label_id: str, now: datetime) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task settled by the answers there are: accepted by a majority, else disputed.

    A majority for the label that stands keeps its id (with the new answers counted); another one replaces it. A dispute
    takes nothing back: the label that stood goes on standing, while the task says that it is disputed.
    """
    class_name = majority(task.annotations)
    if class_name is None:
        disputed = _settled(task, state=State.DISPUTED, label=task.label, now=now)
        return disputed, (Disputed(task=disputed, at=now),)
    known = task.label if task.label is not None and task.label.class_name == class_name else None
    label = Label(
        id=known.id if known else label_id,
        class_name=class_name,
        annotation_ids=tuple(annotation.id for annotation in task.annotations if annotation.class_name == class_name),
        answers=len(task.annotations),
        accepted_at=known.accepted_at if known else now,
    )
    accepted = _settled(task, state=State.ACCEPTED, label=label, now=now)
    told = Accepted(task=accepted, label=label, repeated=known is not None)
    if task.label is None or known is not None:
        return accepted, (told,)
    return accepted, (Superseded(task=accepted, label_id=task.label.id, by_label_id=label.id), told)


def tell_again(task: LabelTask, *, now: datetime) -> tuple[LabelTask, Fact]:
    """A settled task whose outcome is told once more, for the flags that joined it since."""
    told = _settled(task, state=task.state, label=task.label, now=now)
    if told.state is State.ACCEPTED and told.label is not None:
        return told, Accepted(task=told, label=told.label, repeated=True)
    return told, Disputed(task=told, at=now)


def majority(annotations: Sequence[Annotation]) -> str | None:
    """The class that more than half of the answers give, if any."""
    if not annotations:
        return None
    class_name, votes = Counter(annotation.class_name for annotation in annotations).most_common(1)[0]
    return class_name if 2 * votes > len(annotations) else None


def is_abandoned(task: LabelTask, *, seen: Collection[str], patience: timedelta, now: datetime) -> bool:
    """Whether a task with answers waits for nobody: untouched for `patience`, and nobody left to ask.

    Who gave it back has been asked.

    Args:
        seen: annotators who asked for work in the project within `patience`.
    """
    return (
        task.state is State.OPEN
        and bool(task.annotations)
        and not task.live_leases(now)
        and now - task.updated_at >= patience
        and all(task.was_put_to(annotator) for annotator in seen)
    )


def _held_lease(task: LabelTask, annotator: str, now: datetime) -> Lease:
    if task.state is not State.OPEN:
        raise TaskClosed(f"label task {task.id} has all its answers", label_task_id=task.id)
    lease = task.lease_of(annotator)
    if lease is None or lease.ended is LeaseEnd.RETURNED:
        raise TaskNotAssigned(f"{annotator!r} holds no lease of label task {task.id}", label_task_id=task.id)
    if not lease.is_live(now):
        message = f"the lease of label task {task.id} ran out at {lease.expires_at.isoformat()}"
        raise LeaseExpired(message, label_task_id=task.id)
    return lease


def _settled(task: LabelTask, *, state: State, label: Label | None, now: datetime) -> LabelTask:
    return replace(
        task,
        state=state,
        label=label,
        leases=(),
        settled=len(task.flags),
        revision=task.revision + 1,
        updated_at=now,
    )
