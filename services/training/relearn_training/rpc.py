"""gRPC in."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import grpc

from relearn.training.v1 import training_service_pb2 as pb
from relearn.training.v1.training_service_pb2_grpc import TrainingServiceServicer
from relearn_runtime import NewId, Now, Store, caller, paging
from relearn_runtime.errors import InvalidInput, NotFound, WrongState
from relearn_training import wire
from relearn_training.clients import Datasets
from relearn_training.deciding import begin
from relearn_training.domain import studies as moves
from relearn_training.domain.policy import DatasetVersion, NotNow, Start, Trigger, enough, never
from relearn_training.store import Transaction

Context: TypeAlias = "grpc.aio.ServicerContext[object, object]"
_MOST_REASON = 1000


class ReasonMissing(InvalidInput):
    """A person who starts a study says why."""

    reason = "REASON_MISSING"


class ProjectPaused(WrongState):
    """Nothing starts in a paused project."""

    reason = "PROJECT_PAUSED"


class StudyRunning(WrongState):
    """One study at a time a project."""

    reason = NotNow.STUDY_RUNNING.value


class TooFewLabels(WrongState):
    """The dataset version is too small to learn from."""

    reason = NotNow.TOO_FEW_LABELS.value


class Unsupported(WrongState):
    """No model is trained on this kind of project."""

    reason = NotNow.UNSUPPORTED.value


class VersionNotFound(NotFound):
    """There is no such dataset version in the project."""

    reason = "DATASET_VERSION_NOT_FOUND"


class TrainingRpc(TrainingServiceServicer):
    """The training service."""

    def __init__(self, *, store: Store[Transaction], datasets: Datasets, new_id: NewId, now: Now) -> None:
        self._store, self._datasets, self._new_id, self._now = store, datasets, new_id, now

    async def StartStudy(self, request: pb.StartStudyRequest, context: Context) -> pb.StartStudyResponse:
        reason = request.reason.strip()
        if not reason:
            raise ReasonMissing("say why the study is started")
        if len(reason) > _MOST_REASON:
            raise InvalidInput(f"the reason has {len(reason)} characters, at most {_MOST_REASON} are kept")
        named = await self._named(request)  # a call to datasets, before the transaction
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.StartStudyResponse.FromString(saved)
            known = await tx.situations.lock(request.project_id)  # before the project is read: see `consider`
            project = await tx.projects.require(request.project_id)
            policy = wire.policy(project)
            if (unsupported := never(policy)) is not None:
                raise Unsupported(unsupported.detail)
            if policy.paused:
                raise ProjectPaused(f"project {project.project_id} is paused; resume it first")
            if known.situation.study_running:
                raise StudyRunning("a study of this project is running; wait for its end")
            version = named or known.situation.newest
            if (missing := enough(version, policy)) is not None or version is None:
                raise TooFewLabels(missing.detail if missing else "no dataset version yet")
            study = await begin(
                project,
                known,
                version,
                Start(trigger=Trigger.MANUAL, detail=reason),
                tx,
                person=caller(context).subject,
                new_id=self._new_id,
                now=self._now(),
                cause=None,
            )
            response = pb.StartStudyResponse(study=wire.study(study))
            await tx.requests.finish(request, response)
        return response

    async def GetStudy(self, request: pb.GetStudyRequest, context: Context) -> pb.GetStudyResponse:
        async with self._store.transaction() as tx:
            study = await tx.studies.get(request.study_id)
            runs = await tx.studies.runs_of(study.id)
        return pb.GetStudyResponse(
            study=wire.study(study),
            runs=[wire.run(run) for run in runs],
            progress=1.0 if study.ended_at is not None else moves.progress(study.plan, runs),
        )

    async def ListStudies(self, request: pb.ListStudiesRequest, context: Context) -> pb.ListStudiesResponse:
        size, listed = paging.page_size(request.page_size), f"studies of {request.project_id}"
        after = paging.place(request.page_token, listed, datetime, str)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            found = await tx.studies.page(request.project_id, size=size + 1, after=after)
        page = found[:size]
        more = paging.token(listed, page[-1].started_at, page[-1].id) if len(found) > size else ""
        return pb.ListStudiesResponse(studies=[wire.study(study) for study in page], next_page_token=more)

    async def _named(self, request: pb.StartStudyRequest) -> DatasetVersion | None:
        version_id = request.dataset_version_id
        if not version_id:
            return None
        if not version_id.startswith(f"{request.project_id}/data/"):
            raise VersionNotFound(f"project {request.project_id!r} has no dataset version {version_id!r}")
        try:
            return await self._datasets.version(version_id)
        except NotFound as error:
            raise VersionNotFound(f"there is no dataset version {version_id!r}") from error
