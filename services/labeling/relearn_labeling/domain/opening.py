"""One task per sample and label set, ever: a reason opens it, or joins the one there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from relearn_labeling.domain.facts import Opened
from relearn_labeling.domain.tasks import LabelTask, Reason, State, task_id


def new_task(
    reason: Reason, *, label_set_version: int, overlap: int, answer_s: float, now: datetime
) -> tuple[LabelTask, Opened]:
    """The task that a sample gets with its first reason."""
    task = LabelTask(
        id=task_id(reason.sample_id, label_set_version),
        project_id=reason.project_id,
        sample_id=reason.sample_id,
        label_set_version=label_set_version,
        state=State.OPEN,
        reasons=(reason,),
        settled=0,
        overlap=overlap,
        answer_s=answer_s,
        leases=(),
        annotations=(),
        label=None,
        revision=0,
        created_at=now,
        updated_at=now,
    )
    return task, Opened(task=task, reason=reason, created=True)


def joined(
    task: LabelTask, reason: Reason, *, overlap: int, answer_s: float, now: datetime
) -> tuple[LabelTask, Opened]:
    """The task with one more reason; it reopens when it has fewer answers than the reason wants."""
    more = replace(
        task,
        reasons=(*task.reasons, reason),
        overlap=max(task.overlap, overlap),
        state=State.OPEN if len(task.annotations) < overlap else task.state,
        answer_s=answer_s,
        updated_at=now,
    )
    return more, Opened(task=more, reason=reason, created=False)
