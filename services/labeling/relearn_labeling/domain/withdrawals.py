"""Answers that no longer count: their slots are free again, and a label that rests on them alone doesn't hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from relearn_labeling.domain.facts import Fact, Superseded
from relearn_labeling.domain.opening import joined
from relearn_labeling.domain.tasks import Annotation, LabelRequest, LabelTask


def withdraw(task: LabelTask, gone: Sequence[Annotation], *, now: datetime) -> LabelTask:
    """The task without these answers of it; the rest of it is as it was.

    Args:
        gone: as they are kept: refused with a reason, or revoked.
    """
    ids = {annotation.id for annotation in gone}
    return replace(
        task,
        annotations=tuple(annotation for annotation in task.annotations if annotation.id not in ids),
        withdrawn=(*(one for one in task.withdrawn if one.id not in ids), *gone),
        updated_at=now if gone else task.updated_at,
    )


def without_fallen_label(task: LabelTask) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task without its label where none of the answers that it rests on counts any more.

    What a reviewer settled rests on the reviewer. Nothing takes the place of the label: its reasons wait again.
    """
    label = task.label
    if label is None or label.reviewer or {one.id for one in task.annotations} & set(label.annotation_ids):
        return task, ()
    fallen = replace(task, label=None, settled=0)
    return fallen, (Superseded(task=fallen, label_id=label.id, by_label_id=""),)


def reopened(task: LabelTask, request: LabelRequest, *, now: datetime) -> tuple[LabelTask, tuple[Fact, ...]]:
    """The task asked once more, for all of its reasons: some of its slots are free."""
    again, opened = joined(replace(task, settled=0), request, overlap=task.overlap, answer_s=task.answer_s, now=now)
    return again, (opened,)
