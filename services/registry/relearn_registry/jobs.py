"""What takes longer than an event may: copying model files, and reading validation predictions for gate step 1."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from relearn.registry.v1.project_pb2 import Project
from relearn_registry import gate, metrics
from relearn_registry.domain import step_one, versions
from relearn_registry.domain.judgements import Finding, Measurement, Verdict
from relearn_registry.domain.model_versions import VALIDATION_FILE, ModelVersion, registered_files
from relearn_registry.object_files import FileMissing, ModelFiles
from relearn_registry.store import Transaction
from relearn_registry.validation_file import ValidationUnreadable, validation_predictions
from relearn_registry.wire import lineage_of_loop, models
from relearn_registry.wire import projects as wire_projects
from relearn_runtime import NewId, Now, Store
from relearn_runtime.errors import RelearnError

_LONGEST_RETRY_S = 60.0
_READ_AGAIN = timedelta(seconds=2)
_PROJECTS_AT_ONCE = 4
log = logging.getLogger(__name__)


async def copy_model_files(
    store: Store[Transaction], files: ModelFiles, *, lease: timedelta, new_id: NewId, now: Now
) -> None:
    """Copies what finished studies left, then registers their versions.

    A process that dies in between leaves the row; whoever finds its lease ended copies the same bytes to the same keys.
    """
    while True:
        async with store.transaction() as tx:
            version = await tx.model_versions.claim_copy(lease=lease)
        if version is None:
            return
        try:
            for source, target in zip(version.files, registered_files(version), strict=True):
                await files.copy(source, target)
        except RelearnError as error:
            async with store.transaction() as tx:
                after_s = min(_LONGEST_RETRY_S, 2.0 ** await tx.model_versions.attempts(version.model_version_id))
            await _say_problem(store, version, error, try_after=timedelta(seconds=after_s))
            continue
        await _register(store, version, new_id=new_id, now=now)


async def tend_gate(store: Store[Transaction], files: ModelFiles, *, new_id: NewId, now: Now) -> None:
    """Looks at every project with a version before the gate: deadlines of step 2, and step 1 where the way is free."""
    async with store.transaction() as tx:
        project_ids = await tx.model_versions.projects_with_work()
    at_once = asyncio.Semaphore(_PROJECTS_AT_ONCE)

    async def tend(project_id: str) -> None:
        async with at_once:
            await _tend(store, files, project_id, new_id=new_id, now=now)

    ended = await asyncio.gather(*(tend(project_id) for project_id in project_ids), return_exceptions=True)
    failures = [error for error in ended if isinstance(error, BaseException)]
    if failures:  # one project's trouble is not another's, but it must be seen
        raise failures[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What step 1 is asked to judge."""

    project: Project
    version: ModelVersion
    champion: ModelVersion | None


async def _tend(store: Store[Transaction], files: ModelFiles, project_id: str, *, new_id: NewId, now: Now) -> None:
    async with store.transaction() as tx:
        await tx.lock_project(project_id)
        project = await tx.projects.require(project_id)
        await gate.review(tx, project, new_id=new_id, now=now)
        await gate.supersede(tx, project, new_id=new_id, now=now)
        case = await _next_case(tx, project)
    if case is None:
        return
    try:
        finding = await _find(files, case)
    except RelearnError as error:  # a file is away or another one: this version waits, and says so
        await _say_problem(store, case.version, error, try_after=_READ_AGAIN)
        return
    async with store.transaction() as tx:
        await tx.lock_project(project_id)
        project = await tx.projects.require(project_id)
        if await _next_case(tx, project) != case:
            return  # something moved meanwhile: judged anew with the next pass
        await gate.conclude_step_one(tx, project, case.version.model_version_id, finding, new_id=new_id, now=now)


async def _next_case(tx: Transaction, project: Project) -> _Case | None:
    if wire_projects.is_paused(project):
        return None
    route = await tx.routes.find(project.project_id)
    candidate = versions.next_to_judge(await tx.model_versions.candidates(project.project_id), route)
    if candidate is None or not await tx.model_versions.may_try(candidate.model_version_id):
        return None
    version = await tx.model_versions.get(candidate.model_version_id)
    champion = await tx.model_versions.get(route.champion_id) if route else None
    return _Case(project=project, version=version, champion=champion)


async def _find(files: ModelFiles, case: _Case) -> Finding:
    limits = wire_projects.step_one_limits(case.project)
    try:
        new = await _predictions(files, case.version)
    except ValidationUnreadable as error:
        return Finding(verdict=Verdict.REJECTED, reason=error.message)
    if case.champion is None:
        finding = await asyncio.to_thread(step_one.judge_first, new, limits=limits)
    else:
        finding = await _compare(files, new, case.champion, limits)
    sizes = [Measurement(name=f"size_bytes/{f.name}", value=f.size_bytes) for f in case.version.files]
    return replace(finding, measurements=(*finding.measurements, *sizes))


async def _compare(
    files: ModelFiles, new: step_one.ValidationPredictions, champion: ModelVersion, limits: step_one.Limits
) -> Finding:
    try:
        old = await _predictions(files, champion)
    except ValidationUnreadable as error:  # a person let it in all the same; it must not block all that follow
        return step_one.not_compared(new, why=error.message)
    return await asyncio.to_thread(step_one.judge_challenger, new, old, limits=limits)


async def _predictions(files: ModelFiles, version: ModelVersion) -> step_one.ValidationPredictions:
    file = version.file(VALIDATION_FILE)
    if file is None:
        raise FileMissing(f"{version.model_version_id} has no {VALIDATION_FILE}")
    return await asyncio.to_thread(validation_predictions, await files.read(file))


async def _register(store: Store[Transaction], version: ModelVersion, *, new_id: NewId, now: Now) -> None:
    registered = replace(version, files=registered_files(version), registered_at=now())
    event_id = new_id()
    async with store.transaction() as tx:
        await tx.lock_project(version.project_id)
        cause = await tx.model_versions.register(registered, event_id=event_id)
        if cause is None:
            return
        project = await tx.projects.require(version.project_id)
        await tx.outbox.add(models.model_version_registered(registered), causes=[cause], ids=[event_id])
        await tx.lineage.add(lineage_of_loop.of_model_version(registered, event_id))
        await gate.supersede(tx, project, new_id=new_id, now=now)
    metrics.VERSIONS.inc()
    log.info("model version registered", extra={"model_version_id": version.model_version_id})


async def _say_problem(
    store: Store[Transaction], version: ModelVersion, error: RelearnError, *, try_after: timedelta
) -> None:
    metrics.FILE_FAILURES.labels(error.reason).inc()
    log.warning(
        "model files can't be used", extra={"model_version_id": version.model_version_id, "error": error.message}
    )
    async with store.transaction() as tx:
        await tx.model_versions.say_problem(version.model_version_id, error.message, try_after=try_after)
