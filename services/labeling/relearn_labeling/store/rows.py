"""Domain values to rows and back; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from relearn_labeling import region_messages
from relearn_labeling.domain.order import due_at, rank_of
from relearn_labeling.domain.regions import Origin, classes_of
from relearn_labeling.domain.reviews import doubt
from relearn_labeling.domain.tasks import (
    Annotation,
    Flag,
    Label,
    LabelRequest,
    LabelTask,
    Lease,
    LeaseEnd,
    Reason,
    SkipReason,
    Source,
    State,
    Stream,
)

Row = Mapping[str, Any]


def task(
    row: Row,
    *,
    flags: Sequence[Row],
    requests: Sequence[Row],
    leases: Sequence[Row],
    annotations: Sequence[Row],
    withdrawn: Sequence[Row],
    labels: Sequence[Row],
) -> LabelTask:
    """A task from its row and the rows of its parts; `labels` holds its current label, or nothing."""
    reasons: dict[int, Reason] = {flag["number"]: _flag(flag, row) for flag in flags}
    reasons |= {request["number"]: _request(request, row) for request in requests}
    return LabelTask(
        id=row["label_task_id"],
        project_id=row["project_id"],
        sample_id=row["sample_id"],
        label_set_version=row["label_set_version"],
        state=State(row["state"]),
        reasons=tuple(reasons[number] for number in sorted(reasons)),
        settled=row["settled"],
        overlap=row["overlap"],
        assigned_to=tuple(row["assigned_to"]),
        answer_s=row["answer_s"],
        leases=tuple(_lease(lease) for lease in leases),
        annotations=tuple(_annotation(annotation) for annotation in annotations),
        withdrawn=tuple(_withdrawn(annotation) for annotation in withdrawn),
        label=_label(labels[0]) if labels else None,
        revision=row["revision"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def of_task(task: LabelTask) -> dict[str, Any]:
    """The task's own row; `rank`, `due_at`, `answers` and `doubt` are copies for the queues' indexes."""
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
        "due_at": due_at(task),
        "assigned_to": list(task.assigned_to),
        "answer_s": task.answer_s,
        "label_id": task.label.id if task.label else None,
        "doubt": doubt(task),
        "revision": task.revision,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


def of_flags(task: LabelTask, *, known: int) -> list[dict[str, Any]]:
    """A row for each flag after the first `known` reasons, numbered among all of them."""
    return [
        {
            "label_task_id": task.id,
            "number": number,
            "flag_id": flag.id,
            "stream": flag.stream.value,
            "alert_id": flag.alert_id,
            "reason": flag.reason,
            "event_id": flag.event_id,
            "confidence": flag.confidence,
            "content": flag.content,
        }
        for number, flag in enumerate(task.reasons[known:], start=known + 1)
        if isinstance(flag, Flag)
    ]


def of_requests(task: LabelTask, *, known: int) -> list[dict[str, Any]]:
    """A row for each request after the first `known` reasons, numbered among all of them."""
    return [
        {
            "label_task_id": task.id,
            "number": number,
            "label_request_id": request.id,
            "source": request.source.value,
            "reason": request.reason,
            "value": request.value,
            "person": request.person,
            "created_at": request.created_at,
        }
        for number, request in enumerate(task.reasons[known:], start=known + 1)
        if isinstance(request, LabelRequest)
    ]


def of_assignments(task: LabelTask) -> list[dict[str, Any]]:
    """A row for each annotator that an open task is assigned to, with the task's place in the queue."""
    if task.state is not State.OPEN:
        return []
    place = {"project_id": task.project_id, "rank": int(rank_of(task)), "due_at": due_at(task)}
    return [{"label_task_id": task.id, "annotator": annotator, **place} for annotator in task.assigned_to]


def of_leases(task: LabelTask, leases: Iterable[Lease]) -> list[dict[str, Any]]:
    """A row a lease."""
    return [
        {
            "label_task_id": task.id,
            "annotator": lease.annotator,
            "project_id": task.project_id,
            "slot": lease.slot,
            "leased_at": lease.leased_at,
            "expires_at": lease.expires_at,
            "ended": lease.ended.value if lease.ended else None,
            "skip_reason": lease.skip_reason.value if lease.skip_reason else None,
        }
        for lease in leases
    ]


def of_annotations(task: LabelTask) -> list[dict[str, Any]]:
    """A row an annotation that counts."""
    return [_of_annotation(task, annotation) for annotation in task.annotations]


def of_withdrawn(task: LabelTask) -> list[dict[str, Any]]:
    """A row an annotation that no longer counts, numbered within the task."""
    return [
        _of_annotation(task, annotation)
        | {"number": number, "rejection": annotation.rejection, "revoked": annotation.revoked}
        for number, annotation in enumerate(task.withdrawn, start=1)
    ]


def _of_annotation(task: LabelTask, annotation: Annotation) -> dict[str, Any]:
    return {
        "annotation_id": annotation.id,
        "label_task_id": task.id,
        "annotator": annotation.annotator,
        "slot": annotation.slot,
        "regions": region_messages.content(annotation.regions),
        "classes": list(classes_of(annotation.regions)),
        "suggestions_accepted": _classes(annotation, Origin.ACCEPTED),
        "suggestions_edited": _classes(annotation, Origin.EDITED),
        "time_spent": annotation.time_spent,
        "created_at": annotation.created_at,
    }


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


def _classes(annotation: Annotation, origin: Origin) -> list[str]:
    """The class of each region that came to be so."""
    return [region.class_name for region in annotation.regions if region.origin is origin]


def _flag(row: Row, task: Row) -> Flag:
    return Flag(
        id=row["flag_id"],
        project_id=task["project_id"],
        sample_id=task["sample_id"],
        stream=Stream(row["stream"]),
        alert_id=row["alert_id"],
        reason=row["reason"],
        event_id=row["event_id"],
        confidence=row["confidence"],
        content=row["content"],
    )


def _request(row: Row, task: Row) -> LabelRequest:
    return LabelRequest(
        id=row["label_request_id"],
        project_id=task["project_id"],
        sample_id=task["sample_id"],
        source=Source(row["source"]),
        reason=row["reason"],
        value=row["value"],
        person=row["person"],
        created_at=row["created_at"],
    )


def _lease(row: Row) -> Lease:
    return Lease(
        annotator=row["annotator"],
        slot=row["slot"],
        leased_at=row["leased_at"],
        expires_at=row["expires_at"],
        ended=LeaseEnd(row["ended"]) if row["ended"] else None,
        skip_reason=SkipReason(row["skip_reason"]) if row["skip_reason"] else None,
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


def _withdrawn(row: Row) -> Annotation:
    return replace(_annotation(row), rejection=row["rejection"], revoked=row["revoked"])


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
