"""The gRPC server of a process: its services, health, reflection, and a stop that lets calls end."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from relearn_runtime.interceptors import Around, Interceptor
from relearn_runtime.metrics import AddressTaken

Registration: TypeAlias = tuple[Any, Any, ServiceDescriptor]
"""add_XServicer_to_server, the servicer, and the descriptor of its service."""

MAX_MESSAGE_BYTES = 32 * 2**20
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second process on the port is a mistake, not a helper
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
)


class Server:
    """A grpc.aio server that is NOT_SERVING until it is told otherwise."""

    def __init__(self, registrations: Iterable[Registration], arounds: Iterable[Around]) -> None:
        self._registrations, self._arounds = tuple(registrations), tuple(arounds)
        self._health = health_aio.HealthServicer()
        self._names = [_HEALTH, *(descriptor.full_name for _, _, descriptor in self._registrations)]
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str) -> str:
        """Listens; returns the real address.

        Raises:
            AddressTaken: something listens there already.
        """
        await self.say_serving(False)
        _refuse_taken(address)
        server = self._make()
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise AddressTaken(f"can't listen on {address}: {error}") from error
        self._server = server
        await server.start()
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    async def say_serving(self, serving: bool) -> None:
        """Sets the health of the process and of each of its services."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, status)

    async def stop(self, grace_s: float) -> None:
        """Says NOT_SERVING, takes no new calls, and lets those in hand end within the grace."""
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(grace_s)

    def _make(self) -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=[Interceptor(self._arounds)], options=_OPTIONS)
        for add, servicer, _ in self._registrations:
            add(servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection([*self._names, reflection.SERVICE_NAME], server)
        return server


def _refuse_taken(address: str) -> None:
    """gRPC's own message does not say why it could not bind."""
    if address.startswith("unix:"):
        return
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise AddressTaken(f"can't listen on {address}: {error.strerror}") from error


def descriptors(registrations: Iterable[Registration]) -> list[ServiceDescriptor]:
    """The services that are registered."""
    return [descriptor for _, _, descriptor in registrations]
