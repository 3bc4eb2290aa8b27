"""What answers make of a task: all slots are collected first, then their consensus decides, or asks for one more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relearn_labeling.domain.answer_check import MOST_ANSWER_BYTES, check_regions
from relearn_labeling.domain.consensus import ENOUGH, Consensus, consensus
from relearn_labeling.domain.errors import LabelSetChanged
from relearn_labeling.domain.facts import Accepted, Answered, Disputed, Fact, Superseded
from relearn_labeling.domain.regions import LabelSet, Region, size_bytes, statements
from relearn_labeling.domain.settling import settled
from relearn_labeling.domain.slots import held_lease
from relearn_labeling.domain.tasks import Annotation, Label, LabelTask, Policy, State
from relearn_labeling.domain.truth.matching import likeness
from relearn_labeling.domain.truth.skills import Crowd


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an annotator says.

    Attributes:
        label_set_version: the one that the annotator saw; None where that wasn't told.
    """

    annotator: str
    regions: tuple[Region, ...]
    time_spent: timedelta | None = None
    label_set_version: int | None = None


def submit(
    task: LabelTask,
    answer: Answer,
    *,
    label_set: LabelSet,
    policy: Policy,
    crowd: Crowd | None = None,
    annotation_id: str,
    label_id: str,
    now: datetime,
) -> tuple[LabelTask, Annotation, tuple[Fact, ...]]:
    """The task with one more answer; the last slot decides it, or asks for one more where the answers don't.

    Args:
        label_set: of the task's version.
        crowd: what is known of the annotators; asked only where the answer fills the last slot.
        label_id: id of the label, should a new one be accepted.

    Raises:
        TaskClosed: it has all the answers it wants.
        TaskNotAssigned: the annotator holds no lease.
        LeaseExpired: the lease ran out, whether or not its slot was taken since.
        LabelSetChanged: the annotator saw another label set than the task's.
        NotInLabelSet, NoRegion, TooManyRegions, InvalidRegion: the label set doesn't allow what was found.
    """
    answered, annotation = answer_task(task, answer, label_set=label_set, annotation_id=annotation_id, now=now)
    fact = Answered(task=answered, annotation=annotation)
    if len(answered.annotations) < answered.overlap:
        return answered, annotation, (fact,)
    found = consensus(answered.annotations, label_set=label_set, policy=policy, crowd=crowd)
    if found is None and not is_reviewed(answered) and answered.overlap < (policy.most_overlap or 0):
        return replace(answered, overlap=answered.overlap + 1), annotation, (fact,)
    decided, outcome = _settle(answered, found, policy=policy, label_id=label_id, now=now)
    return decided, annotation, (fact, *outcome)


def answer_task(
    task: LabelTask, answer: Answer, *, label_set: LabelSet, annotation_id: str, now: datetime
) -> tuple[LabelTask, Annotation]:
    """The task with one more answer in place of its annotator's lease, undecided; errors are those of `submit`."""
    lease = held_lease(task, answer.annotator, now)
    if answer.label_set_version not in (None, task.label_set_version):
        message = (
            f"label task {task.id} is answered in label set {task.label_set_version}, not {answer.label_set_version}"
        )
        raise LabelSetChanged(message, label_task_id=task.id, label_set_version=str(task.label_set_version))
    annotation = Annotation(
        id=annotation_id,
        annotator=answer.annotator,
        slot=lease.slot,
        regions=check_regions(answer.regions, label_set),
        time_spent=answer.time_spent,
        created_at=now,
    )
    answered = replace(
        task,
        annotations=(*task.annotations, annotation),
        leases=tuple(other for other in task.leases if other is not lease),
        updated_at=now,
    )
    return answered, annotation


def decide(
    task: LabelTask,
    *,
    label_set: LabelSet,
    policy: Policy,
    crowd: Crowd | None = None,
    label_id: str,
    now: datetime,
) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task settled by the answers there are, since no more will come: accepted by their consensus, else disputed.

    A consensus that says what the label says keeps its id (with the new answers counted); another one replaces it. A
    dispute takes nothing back: the label that stood goes on standing, while the task says that it is disputed. What a
    reviewer settled no answer changes.
    """
    found = consensus(task.annotations, label_set=label_set, policy=policy, crowd=crowd)
    return _settle(task, found, policy=policy, label_id=label_id, now=now)


def is_reviewed(task: LabelTask) -> bool:
    """Whether a reviewer settled what its label says."""
    return task.label is not None and bool(task.label.reviewer)


def accept(task: LabelTask, label: Label, *, now: datetime) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task settled by a label: the one that stands, as it is known now, or another that replaces it."""
    accepted = settled(task, state=State.ACCEPTED, label=label, now=now)
    repeated = task.label is not None and task.label.id == label.id
    told = Accepted(task=accepted, label=label, repeated=repeated)
    if task.label is None or repeated:
        return accepted, (told,)
    return accepted, (Superseded(task=accepted, label_id=task.label.id, by_label_id=label.id), told)


def _settle(
    task: LabelTask, found: Consensus | None, *, policy: Policy, label_id: str, now: datetime
) -> tuple[LabelTask, tuple[Fact, ...]]:
    if task.label is not None and task.label.reviewer:
        return accept(task, recounted(task.label, task.annotations, iou=policy.iou), now=now)
    if found is None or size_bytes(found.regions) > MOST_ANSWER_BYTES:
        disputed = settled(task, state=State.DISPUTED, label=task.label, now=now)
        return disputed, (Disputed(task=disputed, at=now),)
    return accept(task, _label(task, found, label_id=label_id, now=now), now=now)


def tell_again(task: LabelTask, *, now: datetime) -> tuple[LabelTask, Fact]:
    """A settled task whose outcome is told once more, for the flags that joined it since."""
    told = settled(task, state=task.state, label=task.label, now=now)
    if told.state is State.ACCEPTED and told.label is not None:
        return told, Accepted(task=told, label=told.label, repeated=True)
    return told, Disputed(task=told, at=now)


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
        and all(task.was_put_to(annotator) for annotator in seen if task.is_for(annotator))
    )


def _label(task: LabelTask, found: Consensus, *, label_id: str, now: datetime) -> Label:
    """The label of a consensus: the one that stands, if it says the same."""
    known = task.label
    if known is not None and statements(known.regions) != statements(found.regions):
        known = None
    return Label(
        id=known.id if known else label_id,
        regions=known.regions if known else found.regions,
        annotation_ids=found.annotation_ids,
        answers=len(task.annotations),
        agreement=found.agreement,
        posterior=found.posterior,
        time_spent=_time_of(task.annotations),
        accepted_at=known.accepted_at if known else now,
    )


def recounted(label: Label, annotations: Sequence[Annotation], *, iou: float) -> Label:
    """A label that stands whatever the answers say, with these as its answers."""
    alike = [likeness(one.regions, label.regions, iou=iou) for one in annotations]
    return replace(
        label,
        annotation_ids=tuple(one.id for one, share in zip(annotations, alike, strict=True) if share > ENOUGH),
        answers=len(annotations),
        agreement=sum(alike) / len(alike) if alike else 1.0,
        time_spent=_time_of(annotations),
    )


def _time_of(annotations: Iterable[Annotation]) -> timedelta | None:
    told = [annotation.time_spent for annotation in annotations if annotation.time_spent is not None]
    return sum(told, timedelta()) if told else None
