"""Short ways to the values that tests of the domain begin with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from relearn.monitoring.v1 import flag_pb2
from relearn_labeling.domain.answers import Answer, submit
from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.regions import LabelSet, Region, Whole
from relearn_labeling.domain.requests import request_label
from relearn_labeling.domain.slots import lease_task
from relearn_labeling.domain.tasks import Flag, LabelRequest, LabelTask, Policy, Reason, Source, Stream

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=120)
CLASSES = ("shirt", "boot", "bag")
LABEL_SET = LabelSet(version=1, classes=CLASSES)
POLICY = Policy()


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def flag(number: int = 1, stream: Stream = Stream.SELECTED, *, sample: str = "a", alert: str = "") -> Flag:
    return Flag(
        id=f"flag-{number}",
        project_id="clothes",
        sample_id=f"clothes/sample/{sample}",
        stream=stream,
        alert_id=alert,
        reason="the model said boot with 0.41",
        event_id=f"event-{number}",
        content=flag_pb2.Flag(flag_id=f"flag-{number}").SerializeToString(),
    )


def request(
    number: int = 1, *, source: Source = Source.HAND, value: float | None = None, sample: str = "a"
) -> LabelRequest:
    return LabelRequest(
        id=f"request-{number}",
        project_id="clothes",
        sample_id=f"clothes/sample/{sample}",
        source=source,
        reason="for the report",
        value=value,
        person="eve",
        created_at=NOW,
    )


def task(*reasons: Reason, policy: Policy = POLICY) -> LabelTask:
    made: LabelTask | None = None
    for one in reasons or (flag(),):
        if isinstance(one, Flag):
            made, _ = flag_task(made, one, label_set_version=1, policy=policy, now=NOW)
        else:
            made, _ = request_label(made, one, label_set_version=1, overlap=policy.overlap_other, now=NOW)
    assert made is not None
    return made


def leased(task: LabelTask, annotator: str, seconds: float = 0) -> LabelTask:
    return lease_task(task, annotator, duration=LEASE, now=at(seconds))[0]


def whole(class_name: str, **more: Any) -> Region:
    return Region(part=Whole(), class_name=class_name, **more)


def whole_answer(annotator: str, class_name: str) -> Answer:
    return Answer(annotator=annotator, regions=(whole(class_name),))


def said(task: LabelTask) -> list[str] | None:
    """The classes that the label of a task names; None without one."""
    return None if task.label is None else [region.class_name for region in task.label.regions]


def answered(task: LabelTask, *, policy: Policy = POLICY, **answers: str) -> LabelTask:
    """The task after each annotator took a slot and gave an answer, in order."""
    for annotator, text in answers.items():
        task, _, _ = submit(
            leased(task, annotator),
            whole_answer(annotator, text),
            label_set=LABEL_SET,
            policy=policy,
            annotation_id=f"annotation-{annotator}",
            label_id=f"label-by-{annotator}",
            now=NOW,
        )
    return task
