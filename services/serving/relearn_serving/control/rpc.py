"""gRPC in: gateways that ask and report, people who look and roll back."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import grpc

from relearn.registry.v1.project_pb2 import Project
from relearn.serving.v1 import control_service_pb2 as pb
from relearn.serving.v1.control_service_pb2_grpc import ControlServiceServicer
from relearn.serving.v1.route_pb2 import Route as RouteMessage
from relearn_runtime import NewId, Now, Store, caller, paging
from relearn_runtime.errors import InvalidInput, NotFound
from relearn_serving.control import metrics, wire
from relearn_serving.control.domain.acknowledgements import LIVE_FOR, reached
from relearn_serving.control.domain.evidence import Tally
from relearn_serving.control.domain.judgements import unloadable
from relearn_serving.control.domain.reports import Acknowledgement, CounterKey, added, with_report
from relearn_serving.control.domain.route import roll_back
from relearn_serving.control.moving import follow_evidence, move
from relearn_serving.control.store import Transaction

Context = grpc.aio.ServicerContext[Any, Any]

_ROLLBACK_WAIT_S = 10.0
_LOOK_EVERY_S = 0.05
_MAX_REASON = 2_000


class RouteNotFound(NotFound):
    """The project is there, and nothing serves it yet."""

    reason = "ROUTE_NOT_FOUND"


class ReasonMissing(InvalidInput):
    """A person did something by hand and didn't say why."""

    reason = "REASON_MISSING"


class ControlRpc(ControlServiceServicer):
    """One method per RPC; what they mean is in the contract."""

    def __init__(self, *, store: Store[Transaction], new_id: NewId, now: Now) -> None:
        self._store, self._new_id, self._now = store, new_id, now

    async def GetRoutes(self, request: pb.GetRoutesRequest, context: Context) -> pb.GetRoutesResponse:
        """Projects without a version yet have revision 0, so that gateways know them."""
        async with self._store.transaction() as tx:
            if not request.project_id:
                return pb.GetRoutesResponse(routes=await _all_routes(tx))
            await tx.projects.require(request.project_id)
            kept = await tx.routes.get(request.project_id)
        if kept is None or kept.route.revision == 0:
            raise RouteNotFound(f"nothing serves {request.project_id!r} yet", project_id=request.project_id)
        return pb.GetRoutesResponse(routes=[wire.kept_route(kept)])

    async def ListRouteChanges(
        self, request: pb.ListRouteChangesRequest, context: Context
    ) -> pb.ListRouteChangesResponse:
        size, listed = paging.page_size(request.page_size), f"route changes of {request.project_id}"
        before = paging.place(request.page_token, listed, int)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            changes = await tx.routes.changes(request.project_id, before=before, limit=size + 1)
        page = changes[:size]
        more = paging.token(listed, page[-1].change.route.revision) if len(changes) > size else ""
        return pb.ListRouteChangesResponse(changes=[wire.route_change(kept) for kept in page], next_page_token=more)

    async def ReportGateway(self, request: pb.ReportGatewayRequest, context: Context) -> pb.ReportGatewayResponse:
        """Counters only grow: what is new is the difference to the report before, however many were lost between."""
        if not request.gateway_id or request.report < 1:
            raise InvalidInput("gateway_id and a report number from 1 are required")
        counters = wire.counters(request.counters)
        acknowledged = wire.acknowledgements(request.acknowledgements)
        losses = wire.losses(request)
        async with self._store.transaction() as tx:
            if await tx.gateways.claim_report(request.gateway_id, request.report, losses, now=self._now()):
                before = await tx.gateways.counters(request.gateway_id)
                changes = added(counters, before)
                await tx.gateways.save_counters(request.gateway_id, {key: counters[key] for key in changes})
                await tx.gateways.acknowledge(request.gateway_id, acknowledged)
                given = {each.project_id: each for each in acknowledged}
                for project in await tx.projects.all():  # in one order: two reports never wait for each other
                    if any(key.project_id == project.project_id for key in changes):
                        await self._count(tx, project, changes)
                    if project.project_id in given:
                        await self._note(tx, project, given[project.project_id])
            in_force = {each.project_id: each.revision for each in acknowledged}
            newer = [route for route in await _all_routes(tx) if route.revision > in_force.get(route.project_id, -1)]
        return pb.ReportGatewayResponse(newer_routes=newer)

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:
        """The change is committed before the wait: a caller who gives up has rolled back all the same."""
        reason = _reason(request.reason)
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                route = pb.RollbackResponse.FromString(saved).route
            else:
                route = await self._roll_back(tx, request.project_id, reason, person=caller(context).subject)
                await tx.requests.finish(request, pb.RollbackResponse(route=route))
        acknowledged, missing = await self._wait_for_gateways(route)
        return pb.RollbackResponse(route=route, acknowledged=acknowledged, missing=missing)

    async def _count(self, tx: Transaction, project: Project, changes: Mapping[CounterKey, Tally]) -> None:
        kept = await tx.routes.get(project.project_id)
        if kept is None or not kept.route.challenger:
            return
        kept = await tx.routes.lock(project.project_id, now=self._now())
        evidence = with_report(kept.evidence, kept.route, changes)
        if evidence == kept.evidence:
            return
        counted = replace(kept, evidence=evidence)
        moved = await follow_evidence(tx, counted, project=project, new_id=self._new_id, now=self._now())
        if moved is counted:
            await tx.routes.save(counted)

    async def _note(self, tx: Transaction, project: Project, given: Acknowledgement) -> None:
        """Says of a revision when the last live gateway had it in force; a challenger that can't be loaded is out."""
        if given.hopeless:
            await self._undo_unloadable(tx, project, given)
        if given.revision == 0 or not await tx.routes.unacknowledged(given.project_id, given.revision):
            return
        standing = await tx.gateways.standing(given.project_id, since=self._now() - LIVE_FOR)
        # nobody is live where this very report waited for the database longer than that
        revision = min((0 if found is None else found.revision for found in standing.values()), default=0)
        for changed_at in await tx.routes.acknowledged(given.project_id, revision, now=self._now()):
            took_s = (self._now() - changed_at).total_seconds()
            tx.after_commit(partial(metrics.IN_FORCE.observe, took_s))

    async def _undo_unloadable(self, tx: Transaction, project: Project, given: Acknowledgement) -> None:
        kept = await tx.routes.get(given.project_id)
        if kept is None or unloadable(kept.route, given, now=self._now()) is None:
            return
        kept = await tx.routes.lock(given.project_id, now=self._now())
        change = unloadable(kept.route, given, now=self._now())
        if change is not None:
            await move(tx, kept, change, project=project, new_id=self._new_id)

    async def _roll_back(self, tx: Transaction, project_id: str, reason: str, *, person: str) -> RouteMessage:
        project = await tx.projects.require(project_id)
        kept = await tx.routes.lock(project_id, now=self._now())
        if kept.route.revision == 0:
            raise RouteNotFound(f"nothing serves {project_id!r} yet", project_id=project_id)
        change = roll_back(kept.route, reason=reason, at=self._now(), person=person)
        return wire.kept_route(await move(tx, kept, change, project=project, new_id=self._new_id))

    async def _wait_for_gateways(self, route: RouteMessage) -> tuple[int, int]:
        """How many live gateways have the revision in force, and how many had not at the deadline."""
        deadline = asyncio.get_running_loop().time() + _ROLLBACK_WAIT_S
        while True:
            async with self._store.transaction() as tx:
                standing = await tx.gateways.standing(route.project_id, since=self._now() - LIVE_FOR)
            acknowledged, missing = reached(standing.values(), route.revision)
            if not missing or asyncio.get_running_loop().time() > deadline:
                return acknowledged, missing
            await asyncio.sleep(_LOOK_EVERY_S)


async def _all_routes(tx: Transaction) -> list[RouteMessage]:
    routes = {kept.route.project_id: wire.kept_route(kept) for kept in await tx.routes.all()}
    return [routes.get(project.project_id) or wire.not_served_yet(project) for project in await tx.projects.all()]


def _reason(given: str) -> str:
    reason = given.strip()
    if not reason:
        raise ReasonMissing("say why: reason is empty")
    if len(reason) > _MAX_REASON:
        raise InvalidInput(f"a reason has at most {_MAX_REASON} characters, got {len(reason)}")
    return reason
