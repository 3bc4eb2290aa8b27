"""Imports and exports to and from protobuf; pure. An export tells rows as they are: there is nothing to decide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from relearn.labeling.v1 import label_task_pb2 as pb
from relearn.labeling.v1 import management_service_pb2 as service_pb
from relearn.labeling.v1.region_pb2 import REGION_ORIGIN_IMPORTED
from relearn_labeling import region_messages, wire
from relearn_labeling.domain.answer_check import MOST_ANSWER_BYTES, MOST_REGIONS, check_regions
from relearn_labeling.domain.errors import InvalidRegion, InvalidRequest, SampleNotFound, TooManyRegions
from relearn_labeling.domain.imports import ELSEWHERE, GivenAnswer
from relearn_labeling.domain.regions import LabelSet
from relearn_labeling.domain.tasks import State
from relearn_runtime.errors import RelearnError

MOST_RECORDS: Final = 500
_MOST_KEY: Final = 200
_MOST_NAME: Final = 200
_SAMPLE = re.compile(r"[0-9a-f]{64}")

Row = Mapping[str, Any]


def check_record(record: service_pb.AnnotatedSample, *, project_id: str) -> None:
    """Returns where a record can be told from others and is of a sample that the project may have.

    Raises:
        InvalidRequest: no key, or one that is too long.
        SampleNotFound: the sample is none of the project's.
    """
    if not 1 <= len(record.key) <= _MOST_KEY:
        raise InvalidRequest(f"a record needs a key of 1 to {_MOST_KEY} characters, got {len(record.key)}")
    owner, _, digest = record.sample_id.partition("/sample/")
    if owner != project_id or not _SAMPLE.fullmatch(digest):
        message = f"{record.sample_id[:_MOST_NAME]!r} is no sample of project {project_id!r}"
        raise SampleNotFound(message, sample_id=record.sample_id[:_MOST_NAME])


def given_answer(answer: service_pb.ImportedAnswer, *, label_set: LabelSet, source: str, id: str) -> GivenAnswer:
    """An answer as the domain takes it: whoever gave it, it was given elsewhere.

    Raises:
        TooManyRegions, NoRegion, NotInLabelSet, InvalidRegion: as `check_regions`.
    """
    if len(answer.regions) > MOST_REGIONS:
        raise TooManyRegions(f"an annotation has at most {MOST_REGIONS} regions, got {len(answer.regions)}")
    if (size := answer.ByteSize()) > MOST_ANSWER_BYTES:
        message = f"an annotation has at most {MOST_ANSWER_BYTES} bytes, got {size}: fewer points or less text"
        raise InvalidRegion(message, field="regions", value=str(size))
    for region in answer.regions:
        region.origin = REGION_ORIGIN_IMPORTED
    found = check_regions(region_messages.regions(answer.regions), label_set)
    return GivenAnswer(
        annotation_id=id, annotator=f"{ELSEWHERE}{(answer.annotator or source)[:_MOST_NAME]}", regions=found
    )


def refused(record: service_pb.AnnotatedSample, error: RelearnError) -> service_pb.RefusedRecord:
    """A record that can't be taken, and why."""
    return service_pb.RefusedRecord(key=record.key, place=record.place, reason=error.reason, message=str(error))


def exported(task: Row, answers: Sequence[Row]) -> service_pb.ExportedTask:
    """A task with its answers and its label."""
    message = service_pb.ExportedTask(
        label_task=pb.LabelTask(
            label_task_id=task["label_task_id"],
            project_id=task["project_id"],
            sample_id=task["sample_id"],
            label_set_version=task["label_set_version"],
            state=wire.STATES[State(task["state"])],
            overlap=task["overlap"],
            answers=task["answers"],
            create_time=wire.timestamp(task["created_at"]),
            update_time=wire.timestamp(task["updated_at"]),
        ),
        annotations=[_annotation(answer, task) for answer in answers],
    )
    if task["label_id"] is not None:
        message.label.CopyFrom(_label(task))
    return message


def _annotation(row: Row, task: Row) -> pb.Annotation:
    message = pb.Annotation.FromString(row["regions"])  # a row holds regions as such a message
    message.annotation_id = row["annotation_id"]
    message.label_task_id = row["label_task_id"]
    message.annotator = row["annotator"]
    message.label_set_version = task["label_set_version"]
    message.create_time.FromDatetime(row["created_at"])
    if row["time_spent"] is not None:
        message.time_spent.FromTimedelta(row["time_spent"])
    return message


def _label(task: Row) -> pb.Label:
    message = pb.Label(
        label_id=task["label_id"],
        label_task_id=task["label_task_id"],
        project_id=task["project_id"],
        sample_id=task["sample_id"],
        label_set_version=task["label_set_version"],
        regions=pb.Annotation.FromString(task["regions"]).regions,
        annotation_ids=task["annotation_ids"],
        answers=task["label_answers"],
        agreement=task["agreement"],
        accept_time=wire.timestamp(task["accepted_at"]),
        posterior=task["posterior"],
        reviewer=task["reviewer"],
    )
    if task["time_spent"] is not None:
        message.time_spent.FromTimedelta(task["time_spent"])
    return message
