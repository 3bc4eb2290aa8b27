"""The frame of every service: database, events in and out, gRPC, jobs, metrics, health, and a clean stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from relearn.operations.v1 import operations_service_pb2
from relearn.operations.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from relearn_runtime import interceptors, metrics
from relearn_runtime.database import Store
from relearn_runtime.delivery import Delivery
from relearn_runtime.jobs import Job, keep_running
from relearn_runtime.migrations import migrate_when_there
from relearn_runtime.operations import OperationsRpc, WaitingOf
from relearn_runtime.permissions import Permissions, rules_of
from relearn_runtime.reactions import Batch, Handler
from relearn_runtime.server import Registration, Server, descriptors
from relearn_runtime.settings import ProcessConfig, RuntimeConfig
from relearn_runtime.tokens import Tokens

_CALL_LIMIT_S = 60.0
log = logging.getLogger(__name__)


class PartEnded(Exception):
    """A loop that runs as long as its process came to an end without an error of its own."""


class Door(Protocol):
    """Another way in beside gRPC, such as HTTP."""

    async def start(self) -> None:
        """Listens. Raises AddressTaken."""
        ...

    async def run(self) -> None:
        """Answers until it is stopped."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Takes no new calls, and lets those in hand end within the grace."""
        ...


class Service:
    """One service process, wired but not started.

    A process without a store (a gateway) has servicers, jobs, metrics and health, and neither handlers nor batches.
    """

    def __init__(
        self,
        *,
        name: str,
        config: ProcessConfig,
        store: Store[Any] | None = None,
        migrations: str | None = None,
        handlers: Mapping[type[Any], Handler] | None = None,
        batches: Sequence[Batch[Any]] = (),
        servicers: Sequence[Registration] = (),
        jobs: Sequence[Job] = (),
        waiting: WaitingOf | None = None,
        open_services: Iterable[str] = (),
        doors: Sequence[Door] = (),
        on_stop: Sequence[Callable[[], Any]] = (),
    ) -> None:
        if store is None and (handlers or batches):
            raise ValueError("handlers and batches need a store")
        self.name, self.config = name, config
        self.address, self.metrics_address = "", ""
        self._migrations, self._jobs, self._on_stop = migrations, list(jobs), list(on_stop)
        self.doors = list(doors)
        self._not_ready: str | None = "starting"
        self._tasks: list[asyncio.Future[Any]] = []
        self._stop_metrics: Callable[[], None] | None = None
        self._delivery: Delivery | None = None
        if store is not None:
            self._delivery = Delivery(
                service=name,
                config=_with_database(config),
                store=store,
                handlers=handlers or {},
                batches=batches,
            )
        self._server = self._make_server(servicers, waiting, open_services)

    @property
    def subscriptions(self) -> frozenset[str]:
        """Full names of the events this service handles; to be compared with `proto/topics/`."""
        return frozenset(event_type for _, event_type in self._delivery.reactions) if self._delivery else frozenset()

    async def start(self) -> None:
        """Starts everything; returns when the service answers. Waits, and says so, while PostgreSQL is not there.

        Raises:
            AddressTaken: something else listens on one of its ports.
        """
        metrics.say_build(self.name)
        self.metrics_address, self._stop_metrics = metrics.serve(self.config.metrics_address)
        self.address = await self._server.start(self.config.listen_address)
        log.info("listening", extra={"address": self.address, "metrics": self.metrics_address})
        if self._delivery:
            await self._start_events(self._delivery)
        for job in self._jobs:
            self._spawn(keep_running(job), job.name)
        for door in self.doors:
            await door.start()
            self._spawn(door.run(), "door")
        self._not_ready = None
        await self._server.say_serving(True)
        log.info("serving", extra={"address": self.address})

    async def fails(self) -> None:
        """Waits until a part of the service that must not end has ended.

        Raises:
            Exception: what ended it. A supervisor starts the process anew.
        """
        if not self._tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise PartEnded(f"{self.name}: a part that must not end has ended")

    async def stop(self) -> None:
        """Lets calls, events and batches end, commits offsets, closes everything; what is left is repeated later."""
        log.info("stopping")
        self._not_ready = "stopping"
        # the doors first: what they still answer may need our own gRPC methods
        await asyncio.gather(*(door.stop(self.config.drain_timeout_s) for door in self.doors), return_exceptions=True)
        consumers = self._delivery.consumers if self._delivery else ()
        stopping = [self._server.stop(self.config.drain_timeout_s), *(consumer.stop() for consumer in consumers)]
        await asyncio.gather(*stopping, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stop in self._on_stop:
            if asyncio.iscoroutine(stopping := stop()):
                await stopping
        if self._delivery:
            await self._delivery.store.database.close()
        if self._stop_metrics:
            await asyncio.to_thread(self._stop_metrics)
        log.info("stopped")

    def _make_server(
        self, servicers: Sequence[Registration], waiting: WaitingOf | None, open_services: Iterable[str]
    ) -> Server:
        operations = OperationsRpc(service=self.name, delivery=self._delivery, waiting=waiting)
        descriptor = operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"]
        registrations = [*servicers, (add_OperationsServiceServicer_to_server, operations, descriptor)]
        allowed = Permissions(rules_of(descriptors(registrations)), open_services=open_services)
        arounds = [
            interceptors.tracing,
            interceptors.logging_calls,
            interceptors.errors(self.name),
            interceptors.permissions(
                allowed, Tokens(self.config.tokens_file), lambda: self._not_ready, most_s=_CALL_LIMIT_S
            ),
        ]
        return Server(registrations, arounds)

    async def _start_events(self, delivery: Delivery) -> None:
        self._not_ready = "waiting for PostgreSQL"
        if self._migrations:
            await migrate_when_there(delivery.store.database, self._migrations)
        self._spawn(delivery.relay.run(), "relay")
        for consumer in delivery.consumers:
            self._tasks += consumer.start()

        async def report_health() -> None:
            await self._server.say_serving(await delivery.is_healthy())

        for job in [Job(name="report-health", run=report_health, every_s=2.0), *delivery.jobs()]:
            self._spawn(keep_running(job), job.name)

    def _spawn(self, work: Any, name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"{self.name} {name}"))


def _with_database(config: ProcessConfig) -> RuntimeConfig:
    if not isinstance(config, RuntimeConfig):
        raise TypeError(f"a service with a store needs the settings of a database, and {type(config)} has none")
    return config
