"""Calls to the services: token, deadline, patience while one restarts, and errors as ours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import grpc
from google.rpc import error_details_pb2, status_pb2

from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceStub
from relearn.labeling.v1.management_service_pb2_grpc import ManagementServiceStub
from relearn.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceStub
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import registry_service_pb2 as registry_pb
from relearn.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from relearn.serving.v1.control_service_pb2_grpc import ControlServiceStub
from relearn.training.v1.training_service_pb2_grpc import TrainingServiceStub
from relearn_client import errors
from relearn_client.advice import next_step
from relearn_client.endpoints import Access

T = TypeVar("T")
_MAX_BYTES = 32 * 2**20
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_BYTES),
    ("grpc.max_send_message_length", _MAX_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),  # patience is ours: one rule for all calls
)
_CLASSES: dict[str, type[errors.RelearnError]] = {
    "INVALID_ARGUMENT": errors.InvalidInput,
    "OUT_OF_RANGE": errors.InvalidInput,
    "NOT_FOUND": errors.NotFound,
    "FAILED_PRECONDITION": errors.WrongState,
    "ABORTED": errors.Conflict,
    "UNAVAILABLE": errors.Unavailable,
    "DEADLINE_EXCEEDED": errors.Unavailable,
    "UNAUTHENTICATED": errors.NotAllowed,
    "PERMISSION_DENIED": errors.NotAllowed,
    "RESOURCE_EXHAUSTED": errors.BudgetExhausted,
}


class Calls:
    """The stubs of all services over one channel each, opened at first use. Threads may share it."""

    def __init__(self, access: Access, *, deadline_s: float, patience_s: float) -> None:
        self.access = access
        self.deadline_s, self.patience_s = deadline_s, patience_s
        self._channels: dict[str, grpc.Channel] = {}

    def channel(self, service: str) -> grpc.Channel:
        """The channel to a service.

        Raises:
            NotConfigured: its address is not known.
        """
        if service not in self._channels:
            self._channels[service] = grpc.insecure_channel(self.access.endpoints.of(service), options=_OPTIONS)
        return self._channels[service]

    @property
    def registry(self) -> RegistryServiceStub:
        """Projects, model versions, trace and why."""
        return RegistryServiceStub(self.channel("registry"))

    @property
    def datasets(self) -> DatasetsServiceStub:
        """Samples and dataset versions."""
        return DatasetsServiceStub(self.channel("datasets"))

    @property
    def labeling(self) -> LabelingServiceStub:
        """Label tasks."""
        return LabelingServiceStub(self.channel("labeling"))

    @property
    def management(self) -> ManagementServiceStub:
        """Labels by the thousand, and the people who give them."""
        return ManagementServiceStub(self.channel("labeling"))

    @property
    def training(self) -> TrainingServiceStub:
        """Studies."""
        return TrainingServiceStub(self.channel("training"))

    @property
    def control(self) -> ControlServiceStub:
        """Routes."""
        return ControlServiceStub(self.channel("control"))

    @property
    def monitoring(self) -> MonitoringServiceStub:
        """Alerts, windows and the label budget."""
        return MonitoringServiceStub(self.channel("monitoring"))

    def operations(self, service: str) -> OperationsServiceStub:
        """What every service says about itself."""
        return OperationsServiceStub(self.channel(service))

    def ask(self, service: str, method: Callable[..., T], request: Any, *, deadline_s: float | None = None) -> T:
        """The answer to one unary call, asked again as `patiently` says.

        Every mutating request carries a request id, so asking again never does a thing twice.

        Raises:
            RelearnError: what the service, or the lack of one, said.
        """
        metadata = (("authorization", f"Bearer {self.access.bearer()}"),)
        timeout = deadline_s or self.deadline_s
        project_id = getattr(request, "project_id", "")
        return self.patiently(
            service, lambda: method(request, timeout=timeout, metadata=metadata), project_id=project_id
        )

    def patiently(
        self,
        service: str,
        attempt: Callable[[], T],
        *,
        project_id: str = "",
        moved: Callable[[], bool] = lambda: False,
    ) -> T:
        """The result of an attempt; repeated, a little later each time, while the service is away.

        Repeated too while the service has not heard yet of a project that the registry has: it hears from Kafka.

        Args:
            project_id: what the attempt is about, for the next step of an error.
            moved: whether the last attempt got somewhere before it failed; patience then begins anew.

        Raises:
            RelearnError: as `ask`.
        """
        give_up, pause_s = None, 0.05
        while True:
            try:
                return attempt()
            except grpc.RpcError as error:
                now = time.monotonic()
                if give_up is None or moved():
                    give_up, pause_s = now + self.patience_s, 0.05
                if now + pause_s > give_up or not self._may_pass(service, error):
                    raise self.explained(service, error, project_id=project_id) from error
            time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing
            pause_s = min(pause_s * 2, 1.0)

    def _may_pass(self, service: str, error: grpc.RpcError) -> bool:
        """Whether the same call may succeed in a moment."""
        if _code(error) == "UNAVAILABLE":
            return not self.access.is_stopped()
        info = _info(error)
        if info is None or info.reason != "PROJECT_NOT_FOUND" or service == "registry":
            return False
        return self._is_registered(info.metadata["project_id"])

    def _is_registered(self, project_id: str) -> bool:
        request = registry_pb.GetProjectRequest(project_id=project_id)
        metadata = (("authorization", f"Bearer {self.access.bearer()}"),)
        try:
            self.registry.GetProject(request, timeout=self.deadline_s, metadata=metadata)
        except (grpc.RpcError, errors.NotConfigured):
            return False
        return True

    def explained(self, service: str, error: grpc.RpcError, *, project_id: str = "") -> errors.RelearnError:
        """Our error for a gRPC error of a call to a service."""
        code, info = _code(error), _info(error)
        reason = info.reason if info else code
        metadata = dict(info.metadata) if info else {}
        message = error.details() or code
        step = next_step(code=code, reason=reason, metadata={"project_id": project_id, **metadata})
        if info is None and code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):  # gRPC's own words help nobody
            said = "does not answer" if code == "UNAVAILABLE" else "did not answer in time"
            message = f"{service} {said} at {self.access.endpoints.of(service)}"
            if self.access.is_stopped():
                step = "the local stack is stopped: `relearn up` starts it"
        kind = _CLASSES.get(code, errors.RelearnError)
        return kind(message, code=code, reason=reason, next_step=step, metadata=metadata)

    def close(self) -> None:
        """Closes all channels."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()


def request_id() -> str:
    """A new idempotency key."""
    return str(uuid4())


def _code(error: Any) -> str:
    return str(error.code().name)


def _info(error: Any) -> error_details_pb2.ErrorInfo | None:
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info
    return None
