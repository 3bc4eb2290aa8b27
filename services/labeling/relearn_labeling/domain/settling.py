"""A task whose reasons have been told an outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from relearn_labeling.domain.tasks import Label, LabelTask, State


def settled(task: LabelTask, *, state: State, label: Label | None, now: datetime) -> LabelTask:
    """The task with one more outcome told, to all its reasons; whoever was at it is no longer."""
    return replace(
        task,
        state=state,
        label=label,
        leases=(),
        settled=len(task.reasons),
        revision=task.revision + 1,
        updated_at=now,
    )
