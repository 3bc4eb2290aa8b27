"""RegistryService: projects, model versions, the person's word at the gate, lineage, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from relearn.operations.v1 import operations_service_pb2 as operations
from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn.registry.v1.project_pb2 import Project
from relearn.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from relearn_registry import gate
from relearn_registry.clients import Answer, OtherServices
from relearn_registry.domain import projects as domain
from relearn_registry.domain.lineage import line
from relearn_registry.domain.model_versions import ModelVersion
from relearn_registry.domain.projects import AppliedProject, ProjectState
from relearn_registry.standing import sentence, waiting
from relearn_registry.store import Transaction
from relearn_registry.wire import models
from relearn_registry.wire import projects as wire
from relearn_registry.wire.times import timestamp
from relearn_runtime import NewId, Now, Store, Waiting, caller, paging
from relearn_runtime.errors import InvalidInput, NotFound

_DEFAULT_NODES, _MOST_NODES = 500, 5000
_PROJECTS = "projects"
_Context = grpc.aio.ServicerContext[Any, Any]


class NothingKnown(NotFound):
    """No event ever named this id."""

    reason = "ID_NOT_FOUND"


class RegistryRpc(RegistryServiceServicer):
    """One method per RPC; what they mean is in the contract."""

    def __init__(self, *, store: Store[Transaction], others: OtherServices, new_id: NewId, now: Now) -> None:
        self._store, self._others, self._new_id, self._now = store, others, new_id, now

    async def ApplyProject(self, request: pb.ApplyProjectRequest, context: _Context) -> pb.ApplyProjectResponse:
        """Creates or changes a project."""
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.ApplyProjectResponse.FromString(saved)
            wanted = wire.proposal(request.project)
            before = await _applied(tx, wanted.project_id)
            after = domain.apply(before, wanted, now=self._now())
            project = await _keep(tx, before, after, person=caller(context).subject)
            response = pb.ApplyProjectResponse(project=project, changed=after is not before)
            await tx.requests.finish(request, response)
        return response

    async def GetProject(self, request: pb.GetProjectRequest, context: _Context) -> pb.GetProjectResponse:
        """One project."""
        async with self._store.transaction() as tx:
            return pb.GetProjectResponse(project=await tx.projects.require(request.project_id))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: _Context) -> pb.ListProjectsResponse:
        """Projects by name."""
        size, after = paging.page_size(request.page_size), paging.place(request.page_token, _PROJECTS, str) or ""
        async with self._store.transaction() as tx:
            later = [project for project in await tx.projects.all() if project.project_id > after]
        more = paging.token(_PROJECTS, later[size - 1].project_id) if len(later) > size else ""
        return pb.ListProjectsResponse(projects=later[:size], next_page_token=more)

    async def PauseProject(self, request: pb.PauseProjectRequest, context: _Context) -> pb.PauseProjectResponse:
        """Stops the loop."""
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.PauseProjectResponse.FromString(saved)
            project = await self._move(tx, request.project_id, ProjectState.PAUSED, request.reason, context)
            response = pb.PauseProjectResponse(project=project)
            await tx.requests.finish(request, response)
        return response

    async def ResumeProject(self, request: pb.ResumeProjectRequest, context: _Context) -> pb.ResumeProjectResponse:
        """Starts it again."""
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.ResumeProjectResponse.FromString(saved)
            project = await self._move(tx, request.project_id, ProjectState.ACTIVE, request.reason, context)
            response = pb.ResumeProjectResponse(project=project)
            await tx.requests.finish(request, response)
        return response

    async def GetModelVersion(
        self, request: pb.GetModelVersionRequest, context: _Context
    ) -> pb.GetModelVersionResponse:
        """One version with its story."""
        async with self._store.transaction() as tx:
            version = await tx.model_versions.get(request.model_version_id)
            statuses = await _statuses(tx, version.project_id, [version])
        return pb.GetModelVersionResponse(status=statuses[0])

    async def ListModelVersions(
        self, request: pb.ListModelVersionsRequest, context: _Context
    ) -> pb.ListModelVersionsResponse:
        """Versions of a project, newest first."""
        size, listed = paging.page_size(request.page_size), f"model versions of {request.project_id}"
        before = paging.place(request.page_token, listed, int)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            page = await tx.model_versions.page(request.project_id, before=before, size=size + 1)
            statuses = await _statuses(tx, request.project_id, page[:size])
        more = paging.token(listed, page[size - 1].number) if len(page) > size else ""
        return pb.ListModelVersionsResponse(statuses=statuses, next_page_token=more)

    async def PromoteModelVersion(
        self, request: pb.PromoteModelVersionRequest, context: _Context
    ) -> pb.PromoteModelVersionResponse:
        """A person's word at the gate."""
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.PromoteModelVersionResponse.FromString(saved)
            domain.require_reason(request.reason)
            project_id = await tx.model_versions.project_of(request.model_version_id)
            await tx.lock_project(project_id)
            judged = await gate.promote(
                tx,
                await tx.projects.require(project_id),
                request.model_version_id,
                person=caller(context).subject,
                reason=request.reason,
                new_id=self._new_id,
                now=self._now,
            )
            response = pb.PromoteModelVersionResponse(judgement=models.judgement(judged))
            await tx.requests.finish(request, response)
        return response

    async def Trace(self, request: pb.TraceRequest, context: _Context) -> pb.TraceResponse:
        """The line through an id, causes first."""
        if request.max_nodes < 0:
            raise InvalidInput(f"max_nodes must not be negative, got {request.max_nodes}")
        most = min(request.max_nodes or _DEFAULT_NODES, _MOST_NODES)
        async with self._store.transaction() as tx:
            nodes, edges = await tx.lineage.around(request.id, most=_MOST_NODES + 1)
        if not nodes:
            raise NothingKnown(f"no event has named {request.id!r}", id=request.id)
        found = line(nodes, edges, max_nodes=most)
        return pb.TraceResponse(
            nodes=[
                pb.TraceNode(
                    id=node.id,
                    kind=node.kind,
                    summary=node.summary or "known by name only",
                    occur_time=timestamp(node.occurred_at) if node.occurred_at else None,
                    project_id=node.project_id,
                )
                for node in found.nodes
            ],
            edges=[pb.TraceEdge(cause_id=e.cause_id, effect_id=e.effect_id, event_id=e.event_id) for e in found.edges],
            truncated=found.truncated,
        )

    async def Why(self, request: pb.WhyRequest, context: _Context) -> pb.WhyResponse:
        """Everybody's answer, the registry's own last: the gate is the end of the loop."""
        own = await waiting(request.project_id, store=self._store)
        answers = [*await self._others.waiting(request.project_id), Answer(service="registry", waiting=tuple(own))]
        return pb.WhyResponse(
            services=[
                pb.ServiceWaiting(
                    service=answer.service,
                    reachable=not answer.problem,
                    problem=answer.problem,
                    waiting=[_waiting(line) for line in answer.waiting],
                )
                for answer in answers
            ]
        )

    async def _move(
        self, tx: Transaction, project_id: str, state: ProjectState, reason: str, context: _Context
    ) -> Project:
        domain.require_reason(reason)
        await tx.lock_project(project_id)
        before = wire.applied_project(await tx.projects.require(project_id))
        after = domain.moved_to(before, state, reason=reason, now=self._now())
        return await _keep(tx, before, after, person=caller(context).subject, reason=reason)


async def _applied(tx: Transaction, project_id: str) -> AppliedProject | None:
    await tx.lock_project(project_id)
    try:
        return wire.applied_project(await tx.projects.require(project_id))
    except NotFound:
        return None


async def _keep(
    tx: Transaction, before: AppliedProject | None, after: AppliedProject, *, person: str, reason: str = ""
) -> Project:
    """Saves and announces a project that changed; deadlines do not run while one is paused."""
    project = wire.project(after)
    if after is not before:
        if before is not None and before.state is ProjectState.PAUSED:
            paused_for = after.updated_at - before.updated_at
            await tx.model_versions.extend_shadows(project.project_id, paused_for)
            await tx.approvals.extend(project.project_id, paused_for)
        await tx.projects.save(project)
        await tx.outbox.add(ProjectApplied(project=project, person=person, reason=reason))
    return project


async def _statuses(tx: Transaction, project_id: str, page: Sequence[ModelVersion]) -> list[pb.ModelVersionStatus]:
    project = await tx.projects.require(project_id)
    aliases = await tx.aliases.of(project_id)
    candidates = {c.model_version_id: c for c in await tx.model_versions.candidates(project_id)}
    statuses = []
    for version in page:
        judgements = await tx.judgements.of(version.model_version_id)
        statuses.append(
            pb.ModelVersionStatus(
                model_version=models.model_version(version),
                judgements=[models.judgement(judged) for judged in judgements],
                aliases=[alias for alias, named in aliases.items() if named == version.model_version_id],
                standing=await sentence(tx, project, candidates[version.model_version_id]),
            )
        )
    return statuses


def _waiting(line: Waiting) -> operations.Waiting:
    return operations.Waiting(
        stage=line.stage, waits_for=line.waits_for, needs_person=line.needs_person, progress=line.progress
    )
