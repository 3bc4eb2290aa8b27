"""Rows to values and back; plain conversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping

from relearn_training.domain.measurements import Measurement
from relearn_training.domain.policy import DatasetVersion, Trigger
from relearn_training.domain.search import Parameters
from relearn_training.domain.studies import Plan, Result, Run, RunState, StoredFile, Study, StudyState


def study(row: RowMapping) -> Study:
    """The study of a row."""
    return Study(
        id=row["study_id"],
        project_id=row["project_id"],
        dataset_version=DatasetVersion(
            id=row["dataset_version_id"],
            number=row["dataset_version_n"],
            train=row["train"],
            validation=row["validation"],
        ),
        trigger=Trigger(row["trigger"]),
        detail=row["detail"],
        alert_id=row["alert_id"],
        champion=row["champion"],
        state=StudyState(row["state"]),
        plan=_plan(row["plan"]),
        project_revision=row["project_revision"],
        started_at=row["started_at"],
        started_event_id=row["started_event_id"],
        ended_at=row["ended_at"],
        person=row["person"],
        failure=row["failure"],
    )


def study_row(study: Study) -> dict[str, Any]:
    """The columns of a study; preprocessing, tries and lease aside."""
    version = study.dataset_version
    return {
        "study_id": study.id,
        "project_id": study.project_id,
        "dataset_version_id": version.id,
        "dataset_version_n": version.number,
        "train": version.train,
        "validation": version.validation,
        "trigger": study.trigger.value,
        "detail": study.detail,
        "alert_id": study.alert_id,
        "champion": study.champion,
        "state": study.state.value,
        "plan": asdict(study.plan) | {"time_budget": study.plan.time_budget.total_seconds()},
        "project_revision": study.project_revision,
        "person": study.person,
        "failure": study.failure,
        "started_at": study.started_at,
        "started_event_id": study.started_event_id,
        "ended_at": study.ended_at,
    }


def run(row: RowMapping) -> Run:
    """The run of a row."""
    return Run(
        id=row["run_id"],
        study_id=row["study_id"],
        project_id=row["project_id"],
        trial=row["trial"],
        parameters=Parameters.from_dict(row["parameters"]),
        state=RunState(row["state"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        result=_result(row["result"]) if row["result"] is not None else None,
        failure=row["failure"],
        progress=row["progress"],
    )


def run_row(run: Run) -> dict[str, Any]:
    """The columns of a run."""
    return {
        "run_id": run.id,
        "study_id": run.study_id,
        "project_id": run.project_id,
        "trial": run.trial,
        "parameters": run.parameters.to_dict(),
        "state": run.state.value,
        "result": asdict(run.result) if run.result is not None else None,
        "failure": run.failure,
        "progress": run.progress,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }


def _plan(values: Mapping[str, Any]) -> Plan:
    size = values["image_size"]
    return Plan(
        **{
            **values,
            "classes": tuple(values["classes"]),
            "families": tuple(values["families"]),
            "time_budget": timedelta(seconds=values["time_budget"]),
            "image_size": (size[0], size[1], size[2]) if size is not None else None,
        }
    )


def _result(values: Mapping[str, Any]) -> Result:
    return Result(
        objective=values["objective"],
        temperature=values["temperature"],
        measurements=tuple(Measurement.from_dict(one) for one in values["measurements"]),
        samples_per_second=values["samples_per_second"],
        code_digest=values["code_digest"],
        files=tuple(StoredFile(**one) for one in values["files"]),
    )
