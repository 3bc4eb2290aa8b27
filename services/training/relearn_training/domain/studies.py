"""Studies and runs, and the moves they may make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from relearn_runtime.errors import WrongState
from relearn_training.domain.measurements import Measurement
from relearn_training.domain.policy import DatasetVersion, Trigger
from relearn_training.domain.search import Parameters


class StudyState(Enum):
    """Lifecycle of a study."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class RunState(Enum):
    """Lifecycle of a run."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    PRUNED = "pruned"


class RunHasOutcome(WrongState):
    """A trial has exactly one outcome."""

    reason = "RUN_HAS_OUTCOME"


MOST_FAILURE = 1000  # characters of a reason that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a study is carried out, fixed when it starts.

    Attributes:
        champion_run_id: run whose weights may be continued; empty for none.
        champion_version_n: number of the dataset version the champion learned from; 0 without one.
        audits_since_n: dataset version after which audits describe the traffic of now.
        image_size: height, width, channels the project asks for; None to derive them or keep the champion's.
    """

    classes: tuple[str, ...]
    label_set_version: int
    trials: int
    trials_in_parallel: int
    epochs: int
    update_epochs: int
    new_share: float
    families: tuple[str, ...]
    time_budget: timedelta
    seed: int
    image_size: tuple[int, int, int] | None
    champion_run_id: str
    champion_version_n: int
    audits_since_n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A search over parameters and architectures.

    Attributes:
        started_event_id: of its StudyStarted, the cause of everything it brings about.
        failure: one line: why it has no winner; empty unless it failed.
    """

    id: str
    project_id: str
    dataset_version: DatasetVersion
    trigger: Trigger
    detail: str
    alert_id: str
    champion: str
    state: StudyState
    plan: Plan
    project_revision: int
    started_at: datetime
    started_event_id: str
    ended_at: datetime | None = None
    person: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a run in object storage."""

    name: str
    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a trial that reached its end brought."""

    objective: float
    temperature: float
    measurements: tuple[Measurement, ...]
    samples_per_second: float
    code_digest: str
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One trial of a study.

    Attributes:
        trial: from 0.
        result: of a finished run.
        failure: one line, of a failed run; why it was stopped, of a pruned one.
    """

    id: str
    study_id: str
    project_id: str
    trial: int
    parameters: Parameters
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    result: Result | None = None
    failure: str = ""
    progress: float = field(default=0.0)

    @property
    def duration_s(self) -> float:
        """Wall time; 0 while it runs."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else 0.0


def finish(run: Run, result: Result, *, now: datetime) -> Run:
    """The run with its result. Raises RunHasOutcome."""
    return replace(_open(run), state=RunState.FINISHED, result=result, ended_at=now, progress=1.0)


def prune(run: Run, why: str, *, now: datetime) -> Run:
    """The run, stopped as hopeless. Raises RunHasOutcome."""
    return replace(_open(run), state=RunState.PRUNED, failure=why, ended_at=now, progress=1.0)


def fail(run: Run, why: str, *, now: datetime) -> Run:
    """The run with what went wrong. Raises RunHasOutcome."""
    return replace(_open(run), state=RunState.FAILED, failure=why[:MOST_FAILURE], ended_at=now, progress=1.0)


def winner(runs: Sequence[Run]) -> Run | None:
    """The finished run with the best objective, the earlier trial of equals; None when none finished."""
    finished = [run for run in runs if run.state is RunState.FINISHED and run.result is not None]
    return max(finished, key=lambda run: (_objective(run), -run.trial), default=None)


def why_no_winner(runs: Sequence[Run]) -> str:
    """What became of the trials of a study without a winner, in one line."""
    last = max(runs, key=lambda run: run.trial)
    return f"none of {len(runs)} trials finished; the last one: {last.failure}"


def overdue(study: Study, *, now: datetime) -> bool:
    """Whether a study has used its time up."""
    return now > study.started_at + study.plan.time_budget


def next_trial(plan: Plan, runs: Sequence[Run], *, started_at: datetime, now: datetime) -> int | None:
    """Number of the trial to start now; None when the study has had its trials or its time.

    A study always starts one trial; another only if, lasting as long as the longest so far, it would end in time.
    """
    if len(runs) >= plan.trials:
        return None
    longest = max((run.duration_s for run in runs), default=0.0)
    late = now + timedelta(seconds=longest) > started_at + plan.time_budget
    return None if runs and late else len(runs)


def progress(plan: Plan, runs: Sequence[Run]) -> float:
    """How far a study is, 0..1."""
    return min(1.0, sum(run.progress for run in runs) / plan.trials)


def _open(run: Run) -> Run:
    if run.state is not RunState.RUNNING:
        raise RunHasOutcome(f"run {run.id} is {run.state.value} already", run_id=run.id)
    return run


def _objective(run: Run) -> float:
    assert run.result is not None  # noqa: S101 - the caller asked
    return run.result.objective
