"""Values of the gateway as protobuf, and back. Pure."""

import grpc

from relearn.registry.v1.model_version_pb2 import ModelVersion as ModelVersionMessage
from relearn.serving.v1.control_service_pb2 import RouteAcknowledgement, VersionCounters
from relearn.serving.v1.route_pb2 import Route as RouteMessage
from relearn_runtime.errors import RelearnError
from relearn_runtime.rpc_errors import DETAILS, code_of, status_of
from relearn_serving.gateway.artifact import ModelFile, ModelVersion
from relearn_serving.gateway.counters import VersionCount
from relearn_serving.gateway.predictions import ARMS
from relearn_serving.gateway.routes import Standing
from relearn_serving.gateway.routing import Phase, Route

DEADLINE_EXCEEDED: int = grpc.StatusCode.DEADLINE_EXCEEDED.value[0]

PHASES = {
    RouteMessage.PHASE_SERVING: Phase.SERVING,
    RouteMessage.PHASE_SHADOW: Phase.SHADOW,
    RouteMessage.PHASE_CANARY: Phase.CANARY,
}


def status_code(error: RelearnError) -> grpc.StatusCode:
    return code_of(error)


def status_message(error: RelearnError) -> str:
    """The reason comes first: plain OIP clients show nothing but this text."""
    return f"{error.reason}: {error.message}"


def details(error: RelearnError) -> list[tuple[str, str | bytes]]:
    """Trailing metadata with google.rpc.Status, for callers that branch on the reason."""
    status = status_of(error, service="gateway")
    status.message = status_message(error)
    return [(DETAILS, status.SerializeToString())]


def route(message: RouteMessage) -> Route:
    """A phase this gateway does not know serves the champion alone: newer control, older gateway."""
    return Route(
        project_id=message.project_id,
        revision=message.revision,
        champion=message.champion_model_version_id,
        challenger=message.challenger_model_version_id,
        phase=PHASES.get(message.phase, Phase.SERVING),
        weight=min(max(message.weight_percent, 0), 100),
        shards=max(message.shards, 1),
    )


def route_message(value: Route) -> RouteMessage:
    phases = {phase: number for number, phase in PHASES.items()}
    return RouteMessage(
        route_id=f"{value.project_id}/route/{value.revision}",
        project_id=value.project_id,
        revision=value.revision,
        champion_model_version_id=value.champion,
        challenger_model_version_id=value.challenger,
        phase=phases[value.phase],
        weight_percent=value.weight,
        shards=value.shards,
    )


def model_version(message: ModelVersionMessage) -> ModelVersion:
    return ModelVersion(
        model_version_id=message.model_version_id,
        project_id=message.project_id,
        classes=tuple(message.classes),
        files=tuple(
            ModelFile(name=file.name, key=file.key, sha256=file.sha256, size_bytes=file.size_bytes)
            for file in message.files
        ),
    )


def counters(count: VersionCount) -> VersionCounters:
    return VersionCounters(
        project_id=count.project_id,
        model_version_id=count.model_version_id,
        arm=ARMS[count.arm],
        predictions=count.predictions,
        errors=count.errors,
        duration_s=count.model_s,
        duration_buckets=count.buckets,
        predicted_labels=count.labels,
    )


def acknowledgement(project_id: str, standing: Standing) -> RouteAcknowledgement:
    message = RouteAcknowledgement(project_id=project_id, revision=standing.revision)
    if standing.problem is not None:
        message.problem = standing.problem.text
        message.problem_revision = standing.problem.revision
        message.hopeless = standing.problem.hopeless
    return message
