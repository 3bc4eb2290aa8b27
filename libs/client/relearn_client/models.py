"""Model versions, the gate's word on them, and the route that serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from relearn.registry.v1 import model_version_pb2
from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.serving.v1 import control_service_pb2 as control_pb
from relearn.serving.v1 import route_pb2
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_client import pages
from relearn_client.calls import Calls, request_id
from relearn_client.times import maybe_when, when

ROLLBACK_DEADLINE_S = 30.0
VERDICTS = {
    model_version_pb2.Judgement.VERDICT_PASSED: "passed",
    model_version_pb2.Judgement.VERDICT_REJECTED: "rejected",
    model_version_pb2.Judgement.VERDICT_UNDECIDED: "undecided",
}
PHASES = {
    route_pb2.Route.PHASE_SERVING: "serving",
    route_pb2.Route.PHASE_SHADOW: "shadow",
    route_pb2.Route.PHASE_CANARY: "canary",
}
OUTCOMES = {
    RouteChanged.OUTCOME_FIRST: "first",
    RouteChanged.OUTCOME_STARTED: "started",
    RouteChanged.OUTCOME_ADVANCED: "advanced",
    RouteChanged.OUTCOME_FINISHED: "finished",
    RouteChanged.OUTCOME_UNDONE: "undone",
    RouteChanged.OUTCOME_ROLLED_BACK: "rolled_back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A number, and where there are any: its 95 % interval, the samples it rests on, the limit it was held against."""

    name: str
    value: float
    lower: float | None
    upper: float | None
    samples: int | None
    limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict of the gate: step 1 before shadow, step 2 before canary."""

    step: int
    verdict: str
    reason: str
    measurements: tuple[Measurement, ...]
    person: str
    judged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version with its story; `standing` says in one line where it stands and what it waits for."""

    model_version_id: str
    project_id: str
    number: int
    aliases: tuple[str, ...]
    standing: str
    family: str
    study_id: str
    run_id: str
    dataset_version_id: str
    measurements: tuple[Measurement, ...]
    judgements: tuple[Judgement, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What serves a project; `challenger` is empty outside of a rollout."""

    route_id: str
    revision: int
    champion: str
    challenger: str
    phase: str
    weight_percent: int
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChange:
    """One change of a route; `acknowledged_at` is None until all live gateways follow it."""

    route: Route
    outcome: str
    reason: str
    person: str
    acknowledged_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """The route after a rollback, and how many gateways follow it or do not yet."""

    route: Route
    acknowledged: int
    missing: int


def every(calls: Calls, project_id: str, *, limit: int | None) -> tuple[ModelVersion, ...]:
    """Versions of a project, newest first."""

    def page(token: str) -> pb.ListModelVersionsResponse:
        request = pb.ListModelVersionsRequest(project_id=project_id, page_size=pages.PAGE, page_token=token)
        return calls.ask("registry", calls.registry.ListModelVersions, request)

    return tuple(_version(one) for one in pages.every(page, lambda found: found.statuses, limit=limit))


def get(calls: Calls, model_version_id: str) -> ModelVersion:
    """One version."""
    request = pb.GetModelVersionRequest(model_version_id=model_version_id)
    return _version(calls.ask("registry", calls.registry.GetModelVersion, request).status)


def promote(calls: Calls, model_version_id: str, *, reason: str) -> Judgement:
    """Lets a version into traffic by hand."""
    request = pb.PromoteModelVersionRequest(model_version_id=model_version_id, reason=reason, request_id=request_id())
    return _judgement(calls.ask("registry", calls.registry.PromoteModelVersion, request).judgement)


def rollback(calls: Calls, project_id: str, *, reason: str) -> RolledBack:
    """Brings the last good version back; returns when the gateways follow, or did not in time."""
    request = control_pb.RollbackRequest(project_id=project_id, reason=reason, request_id=request_id())
    response = calls.ask("control", calls.control.Rollback, request, deadline_s=ROLLBACK_DEADLINE_S)
    return RolledBack(route=_route(response.route), acknowledged=response.acknowledged, missing=response.missing)


def routes(calls: Calls, project_id: str, *, limit: int | None) -> tuple[RouteChange, ...]:
    """Changes of a project's route, newest first."""

    def page(token: str) -> control_pb.ListRouteChangesResponse:
        size = min(limit or pages.PAGE, pages.PAGE)
        request = control_pb.ListRouteChangesRequest(project_id=project_id, page_size=size, page_token=token)
        return calls.ask("control", calls.control.ListRouteChanges, request)

    return tuple(_route_change(one) for one in pages.every(page, lambda found: found.changes, limit=limit))


def measurement(message: model_version_pb2.Measurement) -> Measurement:
    """A measurement of the wire."""
    return Measurement(
        name=message.name,
        value=message.value,
        lower=message.lower if message.HasField("lower") else None,
        upper=message.upper if message.HasField("upper") else None,
        samples=message.samples if message.HasField("samples") else None,
        limit=message.limit if message.HasField("limit") else None,
    )


def _version(message: pb.ModelVersionStatus) -> ModelVersion:
    version = message.model_version
    return ModelVersion(
        model_version_id=version.model_version_id,
        project_id=version.project_id,
        number=version.number,
        aliases=tuple(message.aliases),
        standing=message.standing,
        family=version.family,
        study_id=version.study_id,
        run_id=version.run_id,
        dataset_version_id=version.dataset_version_id,
        measurements=tuple(measurement(one) for one in version.measurements),
        judgements=tuple(_judgement(one) for one in message.judgements),
        created_at=when(version.create_time),
    )


def _judgement(message: model_version_pb2.Judgement) -> Judgement:
    return Judgement(
        step=message.step,
        verdict=VERDICTS.get(message.verdict, "unknown"),
        reason=message.reason,
        measurements=tuple(measurement(one) for one in message.measurements),
        person=message.person,
        judged_at=when(message.judge_time),
    )


def _route(message: route_pb2.Route) -> Route:
    return Route(
        route_id=message.route_id,
        revision=message.revision,
        champion=message.champion_model_version_id,
        challenger=message.challenger_model_version_id,
        phase=PHASES.get(message.phase, "unknown"),
        weight_percent=message.weight_percent,
        changed_at=when(message.change_time),
    )


def _route_change(message: control_pb.RouteChange) -> RouteChange:
    return RouteChange(
        route=_route(message.route),
        outcome=OUTCOMES.get(message.outcome, "unknown"),
        reason=message.reason,
        person=message.person,
        acknowledged_at=maybe_when(message.acknowledge_time),
    )
