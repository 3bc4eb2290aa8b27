"""Studies and their runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from relearn.training.v1 import study_pb2
from relearn.training.v1 import training_service_pb2 as pb
from relearn_client import pages
from relearn_client.calls import Calls, request_id
from relearn_client.models import Measurement, measurement
from relearn_client.times import maybe_when, when


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training; `objective` is None before it has an outcome."""

    run_id: str
    trial: int
    state: str
    family: str
    parameters: Mapping[str, float | str]
    objective: float | None
    measurements: tuple[Measurement, ...]
    failure: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A search; `runs` and `progress` (0..1) are known of a study that was asked for by its id.

    Attributes:
        failure: why a failed study has no winner; empty otherwise.
    """

    study_id: str
    project_id: str
    dataset_version_id: str
    trigger: str
    reason: str
    state: str
    failure: str
    trials: int
    started_at: datetime
    ended_at: datetime | None
    runs: tuple[Run, ...] = ()
    progress: float | None = None


def start(calls: Calls, project_id: str, *, reason: str, dataset_version_id: str) -> Study:
    """Starts a study by hand."""
    request = pb.StartStudyRequest(
        project_id=project_id, dataset_version_id=dataset_version_id, reason=reason, request_id=request_id()
    )
    return _study(calls.ask("training", calls.training.StartStudy, request).study)


def every(calls: Calls, project_id: str, *, limit: int | None) -> tuple[Study, ...]:
    """Studies of a project, newest first."""

    def page(token: str) -> pb.ListStudiesResponse:
        request = pb.ListStudiesRequest(project_id=project_id, page_size=pages.PAGE, page_token=token)
        return calls.ask("training", calls.training.ListStudies, request)

    return tuple(_study(one) for one in pages.every(page, lambda found: found.studies, limit=limit))


def get(calls: Calls, study_id: str) -> Study:
    """One study with its runs."""
    response = calls.ask("training", calls.training.GetStudy, pb.GetStudyRequest(study_id=study_id))
    return _study(response.study, runs=tuple(_run(run) for run in response.runs), progress=response.progress)


def _study(message: study_pb2.Study, *, runs: tuple[Run, ...] = (), progress: float | None = None) -> Study:
    return Study(
        study_id=message.study_id,
        project_id=message.project_id,
        dataset_version_id=message.dataset_version_id,
        trigger=_short(study_pb2.Study.Trigger, message.trigger),
        reason=message.reason,
        state=_short(study_pb2.Study.State, message.state),
        failure=message.failure,
        trials=message.trials,
        started_at=when(message.start_time),
        ended_at=maybe_when(message.end_time),
        runs=runs,
        progress=progress,
    )


def _run(message: study_pb2.Run) -> Run:
    return Run(
        run_id=message.run_id,
        trial=message.trial,
        state=_short(study_pb2.Run.State, message.state),
        family=message.family,
        parameters={one.name: one.text or one.number for one in message.parameters},
        objective=message.objective if message.HasField("objective") else None,
        measurements=tuple(measurement(one) for one in message.measurements),
        failure=message.failure,
        duration_s=message.duration_s,
    )


def _short(enum: Any, number: int) -> str:
    """`TRIGGER_BY_HAND` of Trigger is `by-hand`; what a newer service says may be unknown here."""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    prefix = f"{enum.DESCRIPTOR.name.upper()}_"
    return value.name.removeprefix(prefix).lower().replace("_", "-") if value else "unknown"
