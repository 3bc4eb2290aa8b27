"""`Relearn`: everything that a program or a person may ask of Relearn, in one object."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event as Stop
from types import TracebackType
from typing import TYPE_CHECKING, Any

from relearn_client import (
    data,
    imports,
    label_export,
    label_files,
    labeling,
    models,
    parked,
    projects,
    studies,
    tracing,
    watching,
)
from relearn_client.calls import Calls
from relearn_client.data import DatasetVersion, Diff, Sample
from relearn_client.endpoints import Endpoints, access
from relearn_client.imports import Imported, NewSample, OnProgress
from relearn_client.label_export import LabelsExported
from relearn_client.label_files import LabelsImported, OnRecords
from relearn_client.labeling import LabelTask, Revoked, Submitted, Task
from relearn_client.models import Judgement, ModelVersion, RolledBack, RouteChange
from relearn_client.parked import Parked, ParkedContent
from relearn_client.projects import Project
from relearn_client.studies import Study
from relearn_client.tracing import Stage, Trace
from relearn_client.watching import Alert, Monitoring, Window

if TYPE_CHECKING:
    from relearn_client.following import Event


class Relearn:
    """A connection to Relearn; nothing is asked before the first call, and threads may share it.

    What goes wrong is a `RelearnError`: `code` and `reason` are for programs, `next_step` is for people. Calls that
    change something carry a request id, so that what is repeated while a service restarts is done once.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        home: str | Path | None = None,
        endpoints: Mapping[str, str] | None = None,
        deadline_s: float = 10.0,
        patience_s: float = 15.0,
    ) -> None:
        """Finds out where to ask, without asking.

        Args:
            token: who you are; else `RELEARN_TOKEN`, else the token of the local stack.
            home: folder of a local stack; else `RELEARN_HOME`, else `.relearn` in the current folder.
            endpoints: addresses by name (`registry`, `datasets`, ..., `gateway`, `kafka`); else `RELEARN_REGISTRY` and
                the like, else those of the local stack.
            deadline_s: for one attempt of a call.
            patience_s: how long a call is repeated while its service is away.

        Raises:
            NotConfigured: an endpoint of no known name, or a stack file that can't be read.
        """
        found = access(endpoints=endpoints or {}, token=token, home=Path(home) if home else None)
        self._calls = Calls(found, deadline_s=deadline_s, patience_s=patience_s)

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is; `endpoints.gateway` is for tritonclient."""
        return self._calls.access.endpoints

    def close(self) -> None:
        """Closes the connections."""
        self._calls.close()

    def __enter__(self) -> Relearn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # projects

    def apply_project(self, source: str | Path | Mapping[str, Any]) -> Project:
        """Creates or changes a project from a YAML file, or its content; `changed` says whether anything did."""
        return projects.apply(self._calls, source)

    def project(self, project_id: str) -> Project:
        """One project."""
        return projects.get(self._calls, project_id)

    def projects(self) -> tuple[Project, ...]:
        """All projects, by name."""
        return projects.every(self._calls)

    def pause_project(self, project_id: str, *, reason: str) -> Project:
        """Stops the loop of a project: nothing new is picked, trained or rolled out. Predictions and answers go on."""
        return projects.pause(self._calls, project_id, reason=reason)

    def resume_project(self, project_id: str, *, reason: str) -> Project:
        """Starts it again."""
        return projects.resume(self._calls, project_id, reason=reason)

    # samples and dataset versions

    def import_folder(
        self,
        project_id: str,
        folder: str | Path,
        *,
        labeled: bool = True,
        on_progress: OnProgress | None = None,
    ) -> Imported:
        """Imports samples of the project's kind: one subfolder per class, or any folder with `labeled=False`.

        All of it becomes one commit, or nothing. Run it again at will: what is there already is skipped.
        Other files are not sent; they are listed as `skipped`.
        """
        return imports.folder(self._calls, project_id, Path(folder), labeled=labeled, on_progress=on_progress)

    def import_samples(
        self,
        project_id: str,
        samples: Iterable[NewSample],
        *,
        origin: str,
        on_progress: OnProgress | None = None,
    ) -> Imported:
        """Imports samples of at most 30 MiB from anywhere; `origin` says where from, for people.

        They are read once, so where a service fails in the middle, nothing is kept and the caller sends them again.
        """
        return imports.samples(self._calls, project_id, samples, origin=origin, on_progress=on_progress)

    def versions(self, project_id: str, *, limit: int | None = None) -> tuple[DatasetVersion, ...]:
        """Dataset versions, newest first."""
        return data.versions(self._calls, project_id, limit=limit)

    def diff(self, older: str, newer: str) -> Diff:
        """What changed between two dataset versions; an empty `older` means before the first."""
        return data.diff(self._calls, older, newer)

    def sample(self, sample_id: str) -> Sample:
        """One sample with its bytes."""
        return data.sample(self._calls, sample_id)

    # labels

    def next_task(self, project_id: str) -> Task | None:
        """The most valuable task that you may answer, under your lease; None when there is none now.

        Asking again before you answered gives the same task.
        """
        return labeling.next_task(self._calls, project_id)

    def submit(self, label_task_id: str, label: str, *, time_spent: timedelta | None = None) -> Submitted:
        """Answers a task under your lease with one of its classes."""
        return labeling.submit(self._calls, label_task_id, label, time_spent=time_spent)

    def release_task(self, label_task_id: str) -> None:
        """Gives a task back unanswered."""
        labeling.release(self._calls, label_task_id)

    def revoke_annotator(
        self, project_id: str, annotator: str, *, reason: str, since: datetime | None = None
    ) -> Revoked:
        """Takes back all that an annotator answered in a project (for managers); `since` is aware, UTC or not."""
        return labeling.revoke(self._calls, project_id, annotator, reason=reason, since=since)

    def label_tasks(self, project_id: str, *, state: str = "", limit: int | None = None) -> tuple[LabelTask, ...]:
        """Label tasks, newest first; of one state: `open`, `accepted` or `disputed`."""
        return labeling.tasks(self._calls, project_id, state=state, limit=limit)

    def label_task(self, label_task_id: str) -> LabelTask:
        """One label task."""
        return labeling.task(self._calls, label_task_id)

    def import_labels(
        self,
        project_id: str,
        file: str | Path,
        *,
        format: str,
        media: str | Path | None = None,
        default_class: str = "",
        partial: bool = False,
        on_records: OnRecords | None = None,
    ) -> LabelsImported:
        """Imports a file of labels, made elsewhere. Run it again at will: what is there already is not there twice.

        Args:
            format: its name, one of `relearn_formats.FORMATS`.
            media: folder with the files that it names; those that datasets lacks are uploaded. Not needed where it
                names sample ids, or holds the texts themselves.
            default_class: class of regions in formats that name none.
            partial: also takes records of which a region could not be read.
        """
        return label_files.bring(
            self._calls,
            project_id,
            Path(file),
            format=format,
            media=Path(media) if media else None,
            default_class=default_class,
            partial=partial,
            on_records=on_records,
        )

    def export_labels(
        self,
        project_id: str,
        file: str | Path,
        *,
        format: str,
        media: str | Path | None = None,
        finished_only: bool = False,
        answers: bool = False,
        since: str = "",
        on_progress: OnProgress | None = None,
    ) -> LabelsExported:
        """Writes labels into a file (or a folder or ZIP archive, as the format is).

        Args:
            format: its name, one of `relearn_formats.FORMATS`.
            media: folder with the samples' files: they are called by their names, and need not be fetched where the
                format wants their size or text.
            finished_only: only samples with a label.
            answers: every answer instead of the label that they led to.
            since: the `cursor` of an earlier export: only what changed since.
        """
        return label_export.take(
            self._calls,
            project_id,
            Path(file),
            format=format,
            media=Path(media) if media else None,
            finished_only=finished_only,
            answers=answers,
            since=since,
            on_progress=on_progress,
        )

    # studies

    def train(self, project_id: str, *, reason: str, dataset_version_id: str = "") -> Study:
        """Starts a study by hand, on the newest dataset version unless one is named."""
        return studies.start(self._calls, project_id, reason=reason, dataset_version_id=dataset_version_id)

    def studies(self, project_id: str, *, limit: int | None = None) -> tuple[Study, ...]:
        """Studies, newest first."""
        return studies.every(self._calls, project_id, limit=limit)

    def study(self, study_id: str) -> Study:
        """One study with its runs."""
        return studies.get(self._calls, study_id)

    # models and routes

    def models(self, project_id: str, *, limit: int | None = None) -> tuple[ModelVersion, ...]:
        """Model versions, newest first, each with what the gate said."""
        return models.every(self._calls, project_id, limit=limit)

    def model(self, model_version_id: str) -> ModelVersion:
        """One model version."""
        return models.get(self._calls, model_version_id)

    def promote(self, model_version_id: str, *, reason: str) -> Judgement:
        """Lets a version into traffic by hand, by canary: approves what the gate passed, or overrules it."""
        return models.promote(self._calls, model_version_id, reason=reason)

    def rollback(self, project_id: str, *, reason: str) -> RolledBack:
        """Brings the last good version back and bars the one that served."""
        return models.rollback(self._calls, project_id, reason=reason)

    def routes(self, project_id: str, *, limit: int | None = None) -> tuple[RouteChange, ...]:
        """Changes of what serves, newest first."""
        return models.routes(self._calls, project_id, limit=limit)

    def route_acknowledged(self, project_id: str) -> bool:
        """Whether something serves and all live gateways follow the newest route."""
        newest = models.routes(self._calls, project_id, limit=1)
        return bool(newest) and newest[0].acknowledged_at is not None

    # monitoring

    def monitoring(self, project_id: str) -> Monitoring:
        """Versions under watch, alerts that are open or confirmed, and today's label budget."""
        return watching.state(self._calls, project_id)

    def alerts(self, project_id: str, *, limit: int | None = None) -> tuple[Alert, ...]:
        """All alerts, newest first."""
        return watching.alerts(self._calls, project_id, limit=limit)

    def windows(self, project_id: str, *, limit: int | None = None) -> tuple[Window, ...]:
        """Closed windows, newest first."""
        return watching.windows(self._calls, project_id, limit=limit)

    # why

    def trace(self, id: str, *, max_nodes: int = 500) -> Trace:
        """Everything an id (of a prediction, flag, label, version, study, route, alert, ...) came from and led to."""
        return tracing.trace(self._calls, id, max_nodes=max_nodes)

    def why(self, project_id: str) -> tuple[Stage, ...]:
        """What each stage of the loop waits for, in the order of the loop."""
        return tracing.why(self._calls, project_id)

    def events(
        self,
        *,
        project: str = "",
        types: Collection[str] = (),
        from_beginning: bool = True,
        predictions: bool = False,
        stop: Stop | None = None,
    ) -> Iterator[Event]:
        """Follows the events as they happen, until `stop` is set or the iteration ends.

        Delivery is at least once: the same `id` may come again. Order holds within a key of a topic.

        Args:
            project: only events of this project.
            types: only these, by short or full name; else all.
            from_beginning: from the oldest event that is kept, or only what happens from now on (as `relearn events
                tail` does unless told otherwise).
            predictions: also every single prediction.
        """
        from relearn_client import following  # kafka-python takes a while to import, and only this needs it

        return following.follow(
            self.endpoints,
            project_id=project,
            types=types,
            from_beginning=from_beginning,
            predictions=predictions,
            stop=stop,
        )

    # parked events

    def parked(self) -> Parked:
        """Events that services could not handle."""
        return parked.every(self._calls)

    def parked_event(self, parked_event_id: str) -> ParkedContent:
        """One of them with its bytes."""
        return parked.show(self._calls, parked_event_id)

    def retry_parked(self, parked_event_id: str) -> None:
        """Runs its handler again."""
        parked.retry(self._calls, parked_event_id)

    def drop_parked(self, parked_event_id: str, *, reason: str) -> None:
        """Gives it up for good."""
        parked.drop(self._calls, parked_event_id, reason=reason)
