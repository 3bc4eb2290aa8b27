"""Domain values to rows and back; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from relearn_labeling import region_messages
from relearn_labeling.domain.order import rank_of
from relearn_labeling.domain.regions import classes_of
from relearn_labeling.domain.tasks import Annotation, Flag, Label, LabelTask, Lease, LeaseEnd, State, Stream

Row = Mapping[str, Any]


def task(
    row: Row, *, flags: Sequence[Row], leases: Sequence[Row], annotations: Sequence[Row], labels: Sequence[Row]
) -> LabelTask:
    """A task from its row and the rows of its parts; `labels` holds its current label, or nothing."""
    return LabelTask(
        id=row["label_task_id"],
        project_id=row["project_id"],
        sample_id=row["sample_id"],
        label_set_version=row["label_set_version"],
        state=State(row["state"]),
        flags=tuple(_flag(flag, row) for flag in flags),
        settled=row["settled"],
        overlap=row["overlap"],
        leases=tuple(_lease(lease) for lease in leases),
        annotations=tuple(_annotation(annotation) for annotation in annotations),
        label=_label(labels[0]) if labels else None,
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def of_task(task: LabelTask) -> dict[str, Any]:
    """The task's own row; `rank` and `answers` are copies for the queue's index."""
    return {
        "label_task_id": task.id,
        "project_id": task.project_id,
        "sample_id": task.sample_id,
        "label_set_version": task.label_set_version,
        "state": task.state.value,
        "settled": task.settled,
        "overlap": task.overlap,
        "answers": len(task.annotations),
        "rank": int(rank_of(task)),
        "label_id": task.label.id if task.label else None,
        "revision": task.revision,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


def of_flags(task: LabelTask) -> list[dict[str, Any]]:
    """A row a flag, numbered in their order."""
    return [
        {
            "label_task_id": task.id,
            "number": number,
            "flag_id": flag.id,
            "stream": flag.stream.value,
            "alert_id": flag.alert_id,
            "reason": flag.reason,
            "event_id": flag.event_id,
            "content": flag.content,
        }
        for number, flag in enumerate(task.flags, start=1)
    ]


def of_leases(task: LabelTask, leases: Iterable[Lease]) -> list[dict[str, Any]]:
    """A row a lease."""
    return [
        {
            "label_task_id": task.id,
            "annotator": lease.annotator,
            "project_id": task.project_id,
            "slot": lease.slot,
            "expires_at": lease.expires_at,
            "ended": lease.ended.value if lease.ended else None,
        }
        for lease in leases
    ]


def of_annotations(task: LabelTask) -> list[dict[str, Any]]:
    """A row an annotation."""
    return [
        {
            "annotation_id": annotation.id,
            "label_task_id": task.id,
            "annotator": annotation.annotator,
            "slot": annotation.slot,
            "regions": region_messages.content(annotation.regions),
            "classes": list(classes_of(annotation.regions)),
            "time_spent": annotation.time_spent,
            "created_at": annotation.created_at,
        }
        for annotation in task.annotations
    ]


def of_label(label: Label, label_task_id: str) -> dict[str, Any]:
    """The label's row."""
    return {
        "label_id": label.id,
        "label_task_id": label_task_id,
        "regions": region_messages.content(label.regions),
        "classes": list(classes_of(label.regions)),
        "annotation_ids": list(label.annotation_ids),
        "answers": label.answers,
        "agreement": label.agreement,
        "posterior": label.posterior,
        "time_spent": label.time_spent,
        "reviewer": label.reviewer,
        "accepted_at": label.accepted_at,
    }


def _flag(row: Row, task: Row) -> Flag:
    return Flag(
        id=row["flag_id"],
        project_id=task["project_id"],
        sample_id=task["sample_id"],
        stream=Stream(row["stream"]),
        alert_id=row["alert_id"],
        reason=row["reason"],
        event_id=row["event_id"],
        content=row["content"],
    )


def _lease(row: Row) -> Lease:
    return Lease(
        annotator=row["annotator"],
        slot=row["slot"],
        expires_at=row["expires_at"],
        ended=LeaseEnd(row["ended"]) if row["ended"] else None,
    )


def _annotation(row: Row) -> Annotation:
    return Annotation(
        id=row["annotation_id"],
        annotator=row["annotator"],
        slot=row["slot"],
        regions=region_messages.of_content(row["regions"]),
        time_spent=row["time_spent"],
        created_at=row["created_at"],
    )


def _label(row: Row) -> Label:
    return Label(
        id=row["label_id"],
        regions=region_messages.of_content(row["regions"]),
        annotation_ids=tuple(row["annotation_ids"]),
        answers=row["answers"],
        agreement=row["agreement"],
        posterior=row["posterior"],
        time_spent=row["time_spent"],
        reviewer=row["reviewer"],
        accepted_at=row["accepted_at"],
    )
