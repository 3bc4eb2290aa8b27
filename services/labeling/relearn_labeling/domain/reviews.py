"""A person who sees all answers settles a task, or refuses some of them and so asks their annotators again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import TypeAlias

from relearn_labeling.domain.answer_check import check_regions
from relearn_labeling.domain.answers import accept, recounted
from relearn_labeling.domain.errors import InvalidReview, NoReason, OwnAnswer, TaskMovedOn
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.imports import ELSEWHERE
from relearn_labeling.domain.regions import LabelSet, Region, statements
from relearn_labeling.domain.tasks import (
    Annotation,
    Label,
    LabelRequest,
    LabelTask,
    Lease,
    Policy,
    Source,
    State,
    Truth,
)
from relearn_labeling.domain.truth.matching import likeness
from relearn_labeling.domain.withdrawals import reopened, withdraw, without_fallen_label

WORTH_A_LOOK = 0.2
"""Doubt from which an accepted label is shown to a reviewer."""
MOST_REASON = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """This is the label.

    Attributes:
        annotation_id: the answer that it was taken from; empty where the reviewer drew it anew.
    """

    regions: tuple[Region, ...]
    annotation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """These answers are refused."""

    annotation_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a reviewer says of the answers that they saw."""

    reviewer: str
    annotation_ids: frozenset[str]
    verdict: Verdict | Rejection


Outcome: TypeAlias = tuple[LabelTask, tuple[Fact, ...]]


def doubt(task: LabelTask) -> float | None:
    """How much a task needs a reviewer, 0..1: disputes wholly, labels as far as their answers or posterior doubt them.

    None where there is nothing to review: it is open, a reviewer settled it, or its label is doubted too little.
    """
    if task.state is State.OPEN or (task.label is not None and task.label.reviewer):
        return None
    if task.state is State.DISPUTED or task.label is None:
        return 1.0
    found = 1 - min(task.label.agreement, 1.0 if task.label.posterior is None else task.label.posterior)
    return found if found >= WORTH_A_LOOK else None


def agreement(annotations: Sequence[Annotation], *, iou: float) -> float:
    """How far answers agree, 0..1: the mean over pairs of the F1 of their matched regions; one answer agrees wholly."""
    pairs = list(combinations(annotations, 2))
    alike = [likeness(one.regions, other.regions, iou=iou) for one, other in pairs]
    return sum(alike) / len(alike) if alike else 1.0


def review(
    task: LabelTask, said: Review, *, label_set: LabelSet, policy: Policy, new_ids: tuple[str, str], now: datetime
) -> Outcome:
    """The task as the review leaves it: accepted with a label of the reviewer's, or open for those whom it refused.

    Args:
        label_set: of the task's version.
        new_ids: of the label, should it be a new one, and of the request, should the task be asked again.

    Raises:
        OwnAnswer: the reviewer has answered the task.
        TaskMovedOn: it is open, or its answers are others than the reviewer saw.
        InvalidReview: it judges answers that aren't among them.
        NoReason: answers are refused without a reason, or with one that is too long.
        NotInLabelSet, NoRegion, TooManyRegions, InvalidRegion: the label set doesn't allow what the label would say.
    """
    _check(task, said)
    if isinstance(said.verdict, Rejection):
        return _rejected(task, said.reviewer, said.verdict, policy=policy, request_id=new_ids[1], now=now)
    regions = check_regions(said.verdict.regions, label_set)
    return accept(task, _label(task, said, regions, policy=policy, label_id=new_ids[0], now=now), now=now)


def has_answered(task: LabelTask, person: str) -> bool:
    """Whether a person has ever answered the task, whatever became of the answer: they don't review it."""
    return any(annotation.annotator == person for annotation in (*task.annotations, *task.withdrawn))


def _check(task: LabelTask, said: Review) -> None:
    if has_answered(task, said.reviewer):
        raise OwnAnswer(f"{said.reviewer!r} has answered label task {task.id}", label_task_id=task.id)
    there = {annotation.id for annotation in task.annotations}
    if task.state is State.OPEN or there != said.annotation_ids:
        raise TaskMovedOn(f"label task {task.id} has {len(there)} answers now, look again", label_task_id=task.id)
    judged: Collection[str]
    match said.verdict:
        case Verdict(annotation_id=annotation_id):
            judged = {annotation_id} - {""}
        case Rejection(annotation_ids=judged, reason=reason):
            if not judged:
                raise InvalidReview("a rejection names at least one answer", label_task_id=task.id)
            check_reason(reason)
    if strangers := set(judged) - there:
        message = f"label task {task.id} has no answer {min(strangers)!r}"
        raise InvalidReview(message, label_task_id=task.id)


def check_reason(reason: str) -> None:
    """Returns where answers may be taken back for this reason.

    Raises:
        NoReason: it is empty or too long.
    """
    if not reason.strip() or len(reason) > MOST_REASON:
        raise NoReason(f"a reason has 1 to {MOST_REASON} characters, got {len(reason)}")


def _label(
    task: LabelTask, said: Review, regions: tuple[Region, ...], *, policy: Policy, label_id: str, now: datetime
) -> Label:
    """What the reviewer says; the label that stands keeps its id where it says the same."""
    known = task.label
    if known is not None and statements(known.regions) != statements(regions):
        known = None
    label = Label(
        id=known.id if known else label_id,
        regions=known.regions if known else regions,
        annotation_ids=(),
        answers=0,
        agreement=0.0,
        posterior=None if policy.truth is Truth.MAJORITY else 1.0,
        reviewer=said.reviewer,
        accepted_at=known.accepted_at if known else now,
    )
    return recounted(label, task.annotations, iou=policy.iou)


def _rejected(
    task: LabelTask, reviewer: str, rejection: Rejection, *, policy: Policy, request_id: str, now: datetime
) -> Outcome:
    """The task without the refused answers; for the project's `patience` their slots wait for who gave them."""
    refused = [one for one in task.annotations if one.id in rejection.annotation_ids]
    without = withdraw(task, [replace(one, rejection=rejection.reason) for one in refused], now=now)
    without, fallen = without_fallen_label(without)
    request = again(task, id=request_id, reason="a reviewer refused an answer", person=reviewer, now=now)
    open_again, opened = reopened(without, request, now=now)
    return replace(open_again, leases=_held(task, refused, until=policy.patience, now=now)), (*fallen, *opened)


def again(task: LabelTask, *, id: str, reason: str, person: str, now: datetime) -> LabelRequest:
    """The request that asks a task once more."""
    return LabelRequest(
        id=id,
        project_id=task.project_id,
        sample_id=task.sample_id,
        source=Source.AGAIN,
        reason=reason,
        value=None,
        person=person,
        created_at=now,
    )


def _held(task: LabelTask, refused: Sequence[Annotation], *, until: timedelta, now: datetime) -> tuple[Lease, ...]:
    """The slots of those who can be asked again, as if they had taken the task."""
    return tuple(
        Lease(annotator=one.annotator, slot=one.slot, leased_at=now, expires_at=now + until)
        for one in refused
        if task.is_for(one.annotator) and not one.annotator.startswith(ELSEWHERE)
    )
