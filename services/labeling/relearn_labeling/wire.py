"""Domain to protobuf and back; pure. A flag is copied whole, the fields that we do not know included."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from relearn.labeling.v1 import label_task_pb2 as pb
from relearn.labeling.v1 import labeling_service_pb2 as service_pb
from relearn.labeling.v1 import management_service_pb2 as management_pb
from relearn.labeling.v1 import review_service_pb2 as review_pb
from relearn.monitoring.v1 import flag_pb2
from relearn.registry.v1 import project_pb2
from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import region_messages
from relearn_labeling.domain.answer_check import MOST_ANSWER_BYTES, MOST_REGIONS
from relearn_labeling.domain.answers import Answer
from relearn_labeling.domain.errors import InvalidFlag, InvalidRegion, InvalidRequest, TooManyRegions
from relearn_labeling.domain.order import why
from relearn_labeling.domain.tasks import (
    Annotation,
    Flag,
    Label,
    LabelRequest,
    LabelTask,
    Policy,
    SkipReason,
    Source,
    State,
    Stream,
    Truth,
)
from relearn_runtime.errors import InvalidInput

_MOST_SPENT_S = 3600
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_MOST_SAMPLES = 1000
_MOST_OVERLAP = 15
_MOST_REASON = 500
_MOST_ID = 200
_POLICY_FIELDS = {field.name for field in fields(Policy)} - {"truth"}

STREAMS: Final = {
    flag_pb2.STREAM_AUDIT: Stream.AUDIT,
    flag_pb2.STREAM_SELECTED: Stream.SELECTED,
    flag_pb2.STREAM_DISAGREEMENT: Stream.DISAGREEMENT,
}
STATES: Final = {
    State.OPEN: pb.LabelTask.STATE_OPEN,
    State.ACCEPTED: pb.LabelTask.STATE_ACCEPTED,
    State.DISPUTED: pb.LabelTask.STATE_DISPUTED,
}
SOURCES: Final = {
    Source.UNKNOWN: pb.LabelRequest.SOURCE_UNSPECIFIED,
    Source.HAND: pb.LabelRequest.SOURCE_HAND,
    Source.IMPORT: pb.LabelRequest.SOURCE_IMPORT,
    Source.DRAW: pb.LabelRequest.SOURCE_DRAW,
    Source.AGAIN: pb.LabelRequest.SOURCE_AGAIN,
}
SKIP_REASONS: Final = {
    service_pb.SKIP_REASON_UNUSABLE: SkipReason.UNUSABLE,
    service_pb.SKIP_REASON_UNCLEAR: SkipReason.UNCLEAR,
    service_pb.SKIP_REASON_NOT_MY_FIELD: SkipReason.NOT_MY_FIELD,
    service_pb.SKIP_REASON_OTHER: SkipReason.OTHER,
}
TRUTHS: Final = {
    project_pb2.TRUTH_UNSPECIFIED: Truth.MAJORITY,
    project_pb2.TRUTH_MAJORITY: Truth.MAJORITY,
    project_pb2.TRUTH_WEIGHTED: Truth.WEIGHTED,
    project_pb2.TRUTH_DAWID_SKENE: Truth.DAWID_SKENE,
}
_SOURCES_BACK: Final = {number: source for source, number in SOURCES.items()}
_STATES_BACK: Final = {number: state for state, number in STATES.items()}


def flag(message: flag_pb2.Flag, *, event_id: str) -> Flag:
    """A flag as it came.

    Raises:
        InvalidFlag: an id is missing, or its stream is none we know: it can't be given an overlap.
    """
    ids = {"flag_id": message.flag_id, "project_id": message.project_id, "sample_id": message.sample_id}
    if missing := [name for name, value in ids.items() if not value]:
        raise InvalidFlag(f"flag {message.flag_id!r} lacks {', '.join(missing)}", flag_id=message.flag_id)
    if (stream := STREAMS.get(message.stream)) is None:
        raise InvalidFlag(f"flag {message.flag_id!r} has no known stream: {message.stream}", flag_id=message.flag_id)
    return Flag(
        id=message.flag_id,
        project_id=message.project_id,
        sample_id=message.sample_id,
        stream=stream,
        alert_id=message.alert_id,
        reason=message.reason,
        event_id=event_id,
        confidence=message.confidence or None,
        content=message.SerializeToString(),
    )


def policy(project: Project) -> Policy:
    """The project's labeling policy; what it leaves out has the contract's default."""
    message, given = project.labeling, dict[str, Any]()
    for field, value in message.ListFields():
        if field.name in _POLICY_FIELDS:
            given[field.name] = value.ToTimedelta() if isinstance(value, Duration) else value
    return replace(Policy(truth=TRUTHS.get(message.truth, Truth.MAJORITY)), **given)


def answer(request: service_pb.SubmitAnnotationRequest, *, annotator: str) -> Answer:
    """What the annotator says. What is too much for any answer is refused before it is looked at.

    Raises:
        TooManyRegions, InvalidRegion: more than an event can tell.
        NoRegion: a region that names no part.
        InvalidInput: a time spent below zero or above an hour.
    """
    check_size(request)
    return Answer(
        annotator=annotator,
        regions=region_messages.regions(request.regions),
        time_spent=_time_spent(request),
        label_set_version=request.label_set_version or None,
    )


def check_size(answer: service_pb.SubmitAnnotationRequest | review_pb.Verdict) -> None:
    """Returns where an answer isn't more than an event can tell.

    Raises:
        TooManyRegions, InvalidRegion: it is.
    """
    if len(answer.regions) > MOST_REGIONS:
        raise TooManyRegions(f"an annotation has at most {MOST_REGIONS} regions, got {len(answer.regions)}")
    if (size := answer.ByteSize()) > MOST_ANSWER_BYTES:
        message = f"an annotation has at most {MOST_ANSWER_BYTES} bytes, got {size}: fewer points or less text"
        raise InvalidRegion(message, field="regions", value=str(size))


def label_task(task: LabelTask) -> pb.LabelTask:
    """The task with all that is known of it."""
    message = unflagged_label_task(task)
    message.flags.extend(flags(task))
    return message


def unflagged_label_task(task: LabelTask) -> pb.LabelTask:
    """The task with all but its flags, for messages that carry them elsewhere: twice they might not fit."""
    message = blind_label_task(task, why=why(task))
    message.requests.extend(label_request(request) for request in task.requests)
    message.assigned_to.extend(task.assigned_to)
    message.overlap, message.answers = task.overlap, len(task.annotations)
    message.create_time.CopyFrom(timestamp(task.created_at))
    message.update_time.CopyFrom(timestamp(task.updated_at))
    return message


def blind_label_task(task: LabelTask, *, why: str) -> pb.LabelTask:
    """The task as an annotator may see it: nothing that tells what a model or another annotator answered, or that sets
    a gold task apart.
    """
    return pb.LabelTask(
        label_task_id=task.id,
        project_id=task.project_id,
        sample_id=task.sample_id,
        label_set_version=task.label_set_version,
        state=STATES[task.state],
        why=why,
    )


def label_requests(request: management_pb.RequestLabelsRequest, *, person: str, now: datetime) -> list[LabelRequest]:
    """A request for a label for each distinct sample; `label_request_id` is derived where the caller chose none.

    Raises:
        InvalidRequest: no or too many samples, one of another project, or an overlap, value or reason out of range.
    """
    samples, asked = list(dict.fromkeys(request.sample_ids)), request.label_request
    checks = {
        f"1 to {_MOST_SAMPLES} samples are asked for at once, got {len(samples)}": 1 <= len(samples) <= _MOST_SAMPLES,
        f"overlap must be 1..{_MOST_OVERLAP} or 0, got {request.overlap}": 0 <= request.overlap <= _MOST_OVERLAP,
        f"value must be within 0..1, got {asked.value}": 0 <= asked.value <= 1,
        f"a reason has at most {_MOST_REASON} characters, got {len(asked.reason)}": len(asked.reason) <= _MOST_REASON,
        f"label_request_id has at most {_MOST_ID} characters": len(asked.label_request_id) <= _MOST_ID,
    }
    if wrong := [message for message, holds in checks.items() if not holds]:
        raise InvalidRequest("; ".join(wrong), project_id=request.project_id)
    strangers = [sample for sample in samples if not sample.startswith(f"{request.project_id}/sample/")]
    if strangers:
        message = f"sample {strangers[0]!r} is none of project {request.project_id!r}"
        raise InvalidRequest(message, sample_id=strangers[0])
    return [
        LabelRequest(
            id=asked.label_request_id or f"{request.request_id}/{sample_id}",
            project_id=request.project_id,
            sample_id=sample_id,
            source=_SOURCES_BACK.get(asked.source, Source.UNKNOWN),
            reason=asked.reason,
            value=asked.value if asked.HasField("value") else None,
            person=person,
            created_at=now,
        )
        for sample_id in samples
    ]


def label_request(request: LabelRequest) -> pb.LabelRequest:
    """A request for a label, as it was asked."""
    return pb.LabelRequest(
        label_request_id=request.id,
        source=SOURCES[request.source],
        reason=request.reason,
        value=request.value,
        person=request.person,
        create_time=timestamp(request.created_at),
    )


def flags(task: LabelTask) -> list[flag_pb2.Flag]:
    """The task's flags, whole, oldest first."""
    return [flag_pb2.Flag.FromString(flag.content) for flag in task.flags]


def annotation(annotation: Annotation, *, task: LabelTask) -> pb.Annotation:
    """An annotator's answer to a task."""
    return own_annotation(annotation, label_task_id=task.id, label_set_version=task.label_set_version)


def own_annotation(annotation: Annotation, *, label_task_id: str, label_set_version: int) -> pb.Annotation:
    """An answer, where the rest of its task is nobody's business."""
    return pb.Annotation(
        annotation_id=annotation.id,
        label_task_id=label_task_id,
        annotator=annotation.annotator,
        regions=region_messages.messages(annotation.regions),
        create_time=timestamp(annotation.created_at),
        time_spent=duration(annotation.time_spent),
        label_set_version=label_set_version,
        rejection=annotation.rejection,
        revoked=annotation.revoked,
    )


def label(label: Label, *, task: LabelTask) -> pb.Label:
    """An accepted answer."""
    return pb.Label(
        label_id=label.id,
        label_task_id=task.id,
        project_id=task.project_id,
        sample_id=task.sample_id,
        label_set_version=task.label_set_version,
        regions=region_messages.messages(label.regions),
        annotation_ids=label.annotation_ids,
        answers=label.answers,
        agreement=label.agreement,
        accept_time=timestamp(label.accepted_at),
        posterior=label.posterior,
        reviewer=label.reviewer,
        time_spent=duration(label.time_spent),
    )


def state(number: pb.LabelTask.State.ValueType) -> State | None:
    """The state to list by; None lists all.

    Raises:
        InvalidInput: a number that is no state.
    """
    if number == pb.LabelTask.STATE_UNSPECIFIED:
        return None
    if number not in _STATES_BACK:
        raise InvalidInput(f"state {number} is none of this service's")
    return _STATES_BACK[number]


def timestamp(at: datetime) -> Timestamp:
    """A time on the wire; protobuf's own way takes five times as long, and every event has some."""
    microseconds = (at - _EPOCH) // _MICROSECOND
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def duration(time: timedelta | None) -> Duration | None:
    """A length of time on the wire; None where it isn't told."""
    if time is None:
        return None
    message = Duration()
    message.FromTimedelta(time)
    return message


def _time_spent(request: service_pb.SubmitAnnotationRequest) -> timedelta | None:
    if not request.HasField("time_spent"):
        return None
    duration: Duration = request.time_spent
    spent_s = duration.seconds + duration.nanos / 1e9  # a timedelta does not hold every Duration
    if not 0 <= spent_s <= _MOST_SPENT_S:
        raise InvalidInput(f"time_spent must be between 0 and an hour, got {spent_s:g} s")
    return timedelta(seconds=spent_s)
