"""Label tasks: taken, answered, given back, looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.labeling.v1 import management_service_pb2 as management_pb
from relearn_client import data, pages
from relearn_client.calls import Calls, request_id
from relearn_client.errors import InvalidInput
from relearn_client.times import when

State = label_task_pb2.LabelTask
STATES = {State.STATE_OPEN: "open", State.STATE_ACCEPTED: "accepted", State.STATE_DISPUTED: "disputed"}
_REVOKE_S = 600.0  # it goes on when nobody waits any more
_STATES_BACK = {name: number for number, name in STATES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task under your lease, with what there is to look at."""

    label_task_id: str
    project_id: str
    sample_id: str
    classes: tuple[str, ...]
    why: str
    lease_expires_at: datetime
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask:
    """A task as engineers see it; `label` is empty before one was accepted."""

    label_task_id: str
    project_id: str
    sample_id: str
    state: str
    overlap: int
    answers: int
    why: str
    flag_ids: tuple[str, ...]
    label: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An answer that was taken, and where its task stands now: `open`, `accepted` or `disputed`."""

    annotation_id: str
    label_task_id: str
    label: str
    task_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """What became of an annotator's answers.

    Attributes:
        answers: that no longer count.
        reopened: tasks that are asked again.
        decided: tasks that the other answers decided anew.
    """

    answers: int
    reopened: int
    decided: int


def next_task(calls: Calls, project_id: str) -> Task | None:
    """The most valuable task that you may answer, leased; None when there is none now."""
    response = calls.ask("labeling", calls.labeling.NextTask, pb.NextTaskRequest(project_id=project_id))
    if not response.HasField("label_task"):
        return None
    sample = data.sample(calls, response.label_task.sample_id)
    return Task(
        label_task_id=response.label_task.label_task_id,
        project_id=response.label_task.project_id,
        sample_id=response.label_task.sample_id,
        classes=tuple(response.classes),
        why=response.label_task.why,
        lease_expires_at=when(response.lease_expire_time),
        media_type=sample.media_type,
        content=sample.content,
    )


def submit(calls: Calls, label_task_id: str, label: str, *, time_spent: timedelta | None) -> Submitted:
    """Answers a task under your lease: the class of the whole sample."""
    whole = label_task_pb2.Region(whole=label_task_pb2.Whole(), label=label)
    request = pb.SubmitAnnotationRequest(label_task_id=label_task_id, regions=[whole], request_id=request_id())
    if time_spent is not None:
        request.time_spent.FromTimedelta(time_spent)
    response = calls.ask("labeling", calls.labeling.SubmitAnnotation, request)
    return Submitted(
        annotation_id=response.annotation.annotation_id,
        label_task_id=label_task_id,
        label=label,
        task_state=STATES.get(response.task_state, "unknown"),
    )


def release(calls: Calls, label_task_id: str) -> None:
    """Gives a task back unanswered."""
    request = pb.ReleaseTaskRequest(label_task_id=label_task_id, request_id=request_id())
    calls.ask("labeling", calls.labeling.ReleaseTask, request)


def revoke(calls: Calls, project_id: str, annotator: str, *, reason: str, since: datetime | None) -> Revoked:
    """Takes back all that an annotator answered in a project, or since a time."""
    request = management_pb.RevokeAnnotatorRequest(
        project_id=project_id, annotator=annotator, reason=reason, request_id=request_id()
    )
    if since is not None:
        request.since.FromDatetime(since)
    response = calls.ask("labeling", calls.management.RevokeAnnotator, request, deadline_s=_REVOKE_S)
    return Revoked(answers=response.answers, reopened=response.reopened, decided=response.decided)


def tasks(calls: Calls, project_id: str, *, state: str, limit: int | None) -> tuple[LabelTask, ...]:
    """Tasks of a project, newest first.

    Raises:
        InvalidInput: there is no such state.
    """
    if state and state not in _STATES_BACK:
        raise InvalidInput(f"no label task is {state!r}", next_step=f"there are {', '.join(_STATES_BACK)}")
    wanted = _STATES_BACK[state] if state else State.STATE_UNSPECIFIED

    def page(token: str) -> pb.ListLabelTasksResponse:
        request = pb.ListLabelTasksRequest(project_id=project_id, state=wanted, page_size=pages.PAGE, page_token=token)
        return calls.ask("labeling", calls.labeling.ListLabelTasks, request)

    return tuple(_task(one) for one in pages.every(page, lambda found: found.label_tasks, limit=limit))


def task(calls: Calls, label_task_id: str) -> LabelTask:
    """One task."""
    request = pb.GetLabelTaskRequest(label_task_id=label_task_id)
    response = calls.ask("labeling", calls.labeling.GetLabelTask, request)
    label = response.label.regions[0].label if response.label.regions else ""
    return _task(response.label_task, label=label)


def _task(message: label_task_pb2.LabelTask, *, label: str = "") -> LabelTask:
    return LabelTask(
        label_task_id=message.label_task_id,
        project_id=message.project_id,
        sample_id=message.sample_id,
        state=STATES.get(message.state, "unknown"),
        overlap=message.overlap,
        answers=message.answers,
        why=message.why,
        flag_ids=tuple(flag.flag_id for flag in message.flags),
        label=label,
        created_at=when(message.create_time),
    )
