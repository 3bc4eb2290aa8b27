"""Calls out: registry for model versions, control for routes and reports."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError

from relearn.registry.v1.model_version_pb2 import ModelVersion as ModelVersionMessage
from relearn.registry.v1.registry_service_pb2 import GetModelVersionRequest
from relearn.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from relearn.serving.v1.control_service_pb2 import GetRoutesRequest, ReportGatewayRequest
from relearn.serving.v1.control_service_pb2_grpc import ControlServiceStub
from relearn.serving.v1.route_pb2 import Route as RouteMessage
from relearn_runtime.errors import DependencyUnavailable, NotFound
from relearn_runtime.rpc_errors import translated
from relearn_serving.gateway import wire
from relearn_serving.gateway.artifact import ModelVersion
from relearn_serving.gateway.own_files import replace_file
from relearn_serving.gateway.refusals import UnknownVersion
from relearn_serving.gateway.routing import Route

_WAIT_S = 10.0


class RegistryVersions:
    """Model versions from registry, kept on disk: they never change."""

    def __init__(self, channel: grpc.aio.Channel, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._stub = RegistryServiceStub(channel)
        self._directory = directory
        self._loop = loop
        directory.mkdir(parents=True, exist_ok=True)

    def get(self, model_version_id: str) -> ModelVersion:
        """Blocks; call it from a thread other than the event loop's.

        Raises:
            UnknownVersion: registry does not know it.
            DependencyUnavailable: registry is away, and the version was never asked for before.
        """
        path = self._directory / f"{model_version_id.replace('/', '.')}.pb"
        if (kept := _kept(path, model_version_id)) is not None:
            return wire.model_version(kept)
        asked = asyncio.run_coroutine_threadsafe(self._ask(model_version_id), self._loop)
        try:
            message = asked.result(_WAIT_S)
        except NotFound as error:
            raise UnknownVersion(f"registry knows no {model_version_id}") from error
        except FutureTimeoutError as error:
            asked.cancel()
            raise DependencyUnavailable("registry does not answer") from error
        replace_file(path, message.SerializeToString())
        return wire.model_version(message)

    async def _ask(self, model_version_id: str) -> ModelVersionMessage:
        async with translated("registry"):
            response = await self._stub.GetModelVersion(GetModelVersionRequest(model_version_id=model_version_id))
        message: ModelVersionMessage = response.status.model_version
        return message


def _kept(path: Path, model_version_id: str) -> ModelVersionMessage | None:
    """The copy on disk; None when there is none, or a power cut has damaged it."""
    try:
        message = ModelVersionMessage.FromString(path.read_bytes())
    except (OSError, DecodeError):
        return None
    return message if message.model_version_id == model_version_id else None


class Control:
    """The owner of the routes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ControlServiceStub(channel)

    async def routes(self) -> Sequence[Route]:
        """All routes. Raises DependencyUnavailable and what else control answers."""
        async with translated("control"):
            response = await self._stub.GetRoutes(GetRoutesRequest())
        return _routes(response.routes)

    async def report(self, report: ReportGatewayRequest) -> Sequence[Route]:
        """Routes that are newer than what the report acknowledges."""
        async with translated("control"):
            response = await self._stub.ReportGateway(report)
        return _routes(response.newer_routes)


def _routes(messages: Iterable[RouteMessage]) -> list[Route]:
    return [wire.route(message) for message in messages]
