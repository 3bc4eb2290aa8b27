"""What an import does: answers that were given elsewhere, with the request that they came with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from relearn_labeling.domain.answers import decide
from relearn_labeling.domain.errors import AnsweredAlready, NoSlot
from relearn_labeling.domain.facts import Answered, Fact
from relearn_labeling.domain.regions import LabelSet, Region
from relearn_labeling.domain.requests import request_label
from relearn_labeling.domain.tasks import USUAL_ANSWER_S, Annotation, LabelRequest, LabelTask, Policy, State, Truth

MOST_ANSWERS = 15
"""Of one task, as many as a policy can ask for."""
ELSEWHERE = "import:"
"""What the name of an annotator begins with who answered elsewhere, and can't be asked here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAnswer:
    """An answer that was given elsewhere; its regions are checked.

    Attributes:
        annotator: who gave it there, named so that nobody here can be taken for them.
    """

    annotation_id: str
    annotator: str
    regions: tuple[Region, ...]


def import_sample(
    task: LabelTask | None,
    request: LabelRequest,
    answers: Sequence[GivenAnswer],
    *,
    label_set: LabelSet,
    policy: Policy,
    label_id: str,
    now: datetime,
    answer_s: float = USUAL_ANSWER_S,
) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The sample's task with one more request, and with answers that count like any other.

    An answer takes a slot that nobody has; where there is none the task gets one more, since it costs nobody anything.
    Where all slots are used then, or the task was settled before, the majority of its answers decides it.

    Args:
        label_set: of the task's version.
        label_id: id of the label, should a new one be accepted.
        answer_s: what an answer takes in this project, in seconds.

    Raises:
        InvalidRequest: as `request_label`.
        AnsweredAlready: the annotator has answered it.
        NoSlot: the task has as many answers as it can have.
    """
    imported, facts = request_label(
        task, request, label_set_version=label_set.version, overlap=policy.overlap_other, answer_s=answer_s, now=now
    )
    told = list(facts)
    was_settled = task is not None and task.state is not State.OPEN
    for answer in answers:
        imported, fact = _answered(imported, answer, now=now)
        told.append(fact)
    if answers and (was_settled or len(imported.annotations) >= imported.overlap):
        counted = replace(policy, truth=Truth.MAJORITY)  # of who answered elsewhere nothing is known
        imported, outcome = decide(imported, label_set=label_set, policy=counted, label_id=label_id, now=now)
        told += outcome
    return imported, tuple(told)


def _answered(task: LabelTask, answer: GivenAnswer, *, now: datetime) -> tuple[LabelTask, Answered]:
    if task.is_answered_by(answer.annotator):
        message = f"{answer.annotator!r} has answered the task of {task.sample_id} already"
        raise AnsweredAlready(message, label_task_id=task.id)
    used = {one.slot for one in task.annotations} | {lease.slot for lease in task.live_leases(now)}
    slot = next(number for number in count(1) if number not in used)
    if slot > MOST_ANSWERS:
        raise NoSlot(f"label task {task.id} has {len(used)} answers, no task has more", label_task_id=task.id)
    annotation = Annotation(
        id=answer.annotation_id,
        annotator=answer.annotator,
        slot=slot,
        regions=answer.regions,
        time_spent=None,
        created_at=now,
    )
    answered = replace(
        task, annotations=(*task.annotations, annotation), overlap=max(task.overlap, slot), updated_at=now
    )
    return answered, Answered(task=answered, annotation=annotation)
