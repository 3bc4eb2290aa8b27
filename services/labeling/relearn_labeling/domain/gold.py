"""Gold tasks: their answer is known, and annotators are given them without being told.

A gold task has the id that its sample's own task has or would have. An annotator who is given one holds a task of
their own by that id: whatever they do with it ends as it would with any other, and what they are shown is copied from
the task that would have been given in its place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from relearn_labeling.domain.answers import Answer, answer_task
from relearn_labeling.domain.order import blind_why
from relearn_labeling.domain.regions import LabelSet, Region
from relearn_labeling.domain.slots import renew_lease, return_task
from relearn_labeling.domain.tasks import Annotation, LabelTask, Lease, LeaseEnd, State
from relearn_labeling.domain.truth.matching import likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldTask:
    """A sample whose right answer is known.

    Attributes:
        id: of the task that the sample has or would have.
    """

    id: str
    project_id: str
    sample_id: str
    label_set_version: int
    regions: tuple[Region, ...]


class TurnEnd(StrEnum):
    """How a turn ended; one whose lease ran out has not."""

    ANSWERED = "answered"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldTurn:
    """One annotator's turn at a gold task; each gets one, ever.

    Attributes:
        why: what the annotator is told, that of the task in whose place it was given.
        closes: whether an answer to that task would have been its last one.
        annotation: the answer, once given.
        score: how right it is, 0..1.
    """

    gold: GoldTask
    annotator: str
    why: str
    closes: bool
    lease: Lease
    ended: TurnEnd | None = None
    annotation: Annotation | None = None
    score: float | None = None


def is_gold_turn(*, salt: str, annotator: str, given: int, share: float) -> bool:
    """Whether the annotator's next task is a gold task: decided by how many they were given, and a secret.

    Args:
        given: tasks that the annotator was given so far in the project.
        share: of tasks that are gold ones, 0..1.
    """
    digest = hashlib.sha256(f"{salt}\n{annotator}\n{given}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def give(gold: GoldTask, annotator: str, *, instead_of: LabelTask, duration: timedelta, now: datetime) -> GoldTurn:
    """The annotator's turn at a gold task, under a lease like any other."""
    return GoldTurn(
        gold=gold,
        annotator=annotator,
        why=blind_why(instead_of),
        closes=len(instead_of.annotations) + 1 >= instead_of.overlap,
        lease=Lease(annotator=annotator, slot=1, leased_at=now, expires_at=now + duration),
    )


def renew(turn: GoldTurn, *, duration: timedelta, now: datetime) -> GoldTurn:
    """The turn with its lease as long as a new one; errors are those of `renew_lease`."""
    _, lease = renew_lease(as_task(turn), turn.annotator, duration=duration, now=now)
    return replace(turn, lease=lease)


def give_back(turn: GoldTurn, *, now: datetime) -> GoldTurn:
    """The turn given back unanswered, for good; errors are those of `return_task`."""
    returned, _ = return_task(as_task(turn), turn.annotator, now=now)
    return replace(turn, lease=returned.leases[0], ended=TurnEnd.RETURNED)


def answer(
    turn: GoldTurn, given: Answer, *, label_set: LabelSet, iou: float, annotation_id: str, now: datetime
) -> tuple[GoldTurn, Annotation]:
    """The turn with its answer, scored by how alike it is to the right one; errors are those of `submit`."""
    _, annotation = answer_task(as_task(turn), given, label_set=label_set, annotation_id=annotation_id, now=now)
    score = likeness(annotation.regions, turn.gold.regions, iou=iou)
    return replace(turn, ended=TurnEnd.ANSWERED, annotation=annotation, score=score), annotation


def as_task(turn: GoldTurn) -> LabelTask:
    """The turn as a task that only this annotator has, in the state that they may know."""
    gold, answered = turn.gold, turn.ended is TurnEnd.ANSWERED
    lease = replace(turn.lease, ended=LeaseEnd.RETURNED) if turn.ended is TurnEnd.RETURNED else turn.lease
    return LabelTask(
        id=gold.id,
        project_id=gold.project_id,
        sample_id=gold.sample_id,
        label_set_version=gold.label_set_version,
        state=State.ACCEPTED if answered and turn.closes else State.OPEN,
        reasons=(),
        settled=0,
        overlap=1 if turn.closes else 2,
        leases=() if answered else (lease,),
        annotations=() if turn.annotation is None else (turn.annotation,),
        label=None,
        revision=0,
        created_at=turn.lease.leased_at,
        updated_at=turn.lease.leased_at,
    )
