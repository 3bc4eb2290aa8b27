"""The frame of every service: database, events in and out, gRPC, jobs, metrics, health, and a clean stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text

from relearn.operations.v1 import operations_service_pb2
from relearn.operations.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from relearn_runtime import inbox, interceptors, kafka, logs, metrics
from relearn_runtime.batches import Batch
from relearn_runtime.batching import BatchConsumer
from relearn_runtime.conduct import Conduct
from relearn_runtime.consuming import SinglesConsumer
from relearn_runtime.database import Store
from relearn_runtime.dispatch import Dispatcher
from relearn_runtime.faults import is_away
from relearn_runtime.jobs import Job, keep_running
from relearn_runtime.migrations import migrate_when_there
from relearn_runtime.operations import OperationsRpc, WaitingOf
from relearn_runtime.parking import ParkedEvents
from relearn_runtime.permissions import Permissions, rules_of
from relearn_runtime.reactions import Handler, Reaction, singles
from relearn_runtime.relay import Relay
from relearn_runtime.requests import forget_older_requests
from relearn_runtime.retrier import Retrier
from relearn_runtime.server import Registration, Server, descriptors
from relearn_runtime.settings import ProcessConfig, RuntimeConfig
from relearn_runtime.tokens import Tokens

_CALL_LIMIT_S = 60.0
log = logging.getLogger(__name__)


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
        on_stop: Sequence[Callable[[], Any]] = (),
    ) -> None:
        if store is None and (handlers or batches):
            raise ValueError("handlers and batches need a store")
        self.name, self.config = name, config
        self.address, self.metrics_address = "", ""
        self._store, self._migrations, self._jobs, self._on_stop = store, migrations, list(jobs), list(on_stop)
        self._conduct = Conduct()
        self._not_ready: str | None = "starting"
        self._tasks: list[asyncio.Task[Any]] = []
        self._stop_metrics: Callable[[], None] | None = None
        self._reactions: dict[tuple[str, str], Reaction] = {}
        self._consumers: list[SinglesConsumer | BatchConsumer] = []
        self._retrier: Retrier | None = None
        if store is not None:
            assert isinstance(config, RuntimeConfig)  # noqa: S101 - a store comes with a database's settings
            self._wire_events(store, config, handlers or {}, batches)
        self._server = self._make_server(servicers, waiting, open_services)

    @property
    def subscriptions(self) -> frozenset[str]:
        """Full names of the events this service handles; to be compared with `proto/topics/`."""
        return frozenset(event_type for _, event_type in self._reactions)

    async def start(self) -> None:
        """Starts everything; returns when the service answers. Waits, and says so, while PostgreSQL is not there.

        Raises:
            AddressTaken: something else listens on one of its ports.
        """
        metrics.say_build(self.name)
        self.metrics_address, self._stop_metrics = metrics.serve(self.config.metrics_address)
        self.address = await self._server.start(self.config.listen_address)
        log.info("listening", extra={"address": self.address, "metrics": self.metrics_address})
        if self._store is not None:
            await self._start_events(self._store)
        for job in [*self._jobs, *self._own_jobs()]:
            self._spawn(keep_running(job), job.name)
        self._not_ready = None
        await self._server.say_serving(True)
        log.info("serving", extra={"address": self.address})

    async def fails(self) -> None:
        """Waits until a part of the service that must not end has ended.

        Raises:
            Exception: what ended it. A supervisor starts the process anew.
        """
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Lets calls, events and batches end, commits offsets, closes everything; what is left is repeated later."""
        log.info("stopping")
        self._not_ready = "stopping"
        await self._server.stop(self.config.drain_timeout_s)
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stop in self._on_stop:
            if asyncio.iscoroutine(stopping := stop()):
                await stopping
        if self._store is not None:
            await self._store.database.close()
        if self._stop_metrics:
            await asyncio.to_thread(self._stop_metrics)
        log.info("stopped")

    def _wire_events(
        self,
        store: Store[Any],
        config: RuntimeConfig,
        handlers: Mapping[type[Any], Handler],
        batches: Sequence[Batch[Any]],
    ) -> None:
        by_type = singles(self.name, handlers, timeout_s=config.handler_timeout_s)
        many = [(batch, batch.reaction(self.name, timeout_s=config.handler_timeout_s)) for batch in batches]
        for reaction in [*by_type.values(), *(reaction for _, reaction in many)]:
            self._reactions[reaction.consumer, reaction.event_type] = reaction
        deadline_s, drain_s = config.not_yet_known_deadline_s, config.drain_timeout_s
        if by_type:
            dispatcher = Dispatcher(
                consumer=self.name, store=store, reactions=by_type, conduct=self._conduct, deadline_s=deadline_s
            )
            self._consumers.append(
                SinglesConsumer(
                    name=self.name,
                    prefix=config.kafka_topic_prefix,
                    topics=sorted({reaction.topic for reaction in by_type.values()}),
                    settings=self._consumer_settings(self.name),
                    dispatcher=dispatcher,
                    concurrency=config.handler_concurrency,
                    drain_s=drain_s,
                )
            )
        for batch, reaction in many:
            self._consumers.append(
                BatchConsumer(
                    prefix=config.kafka_topic_prefix,
                    settings=self._consumer_settings(reaction.consumer),
                    reaction=reaction,
                    max_events=batch.max_events,
                    store=store,
                    conduct=self._conduct,
                    deadline_s=deadline_s,
                    drain_s=drain_s,
                )
            )
        self._retrier = Retrier(store=store, reactions=self._reactions, conduct=self._conduct)

    def _consumer_settings(self, consumer: str) -> dict[str, Any]:
        group = f"{self.config.kafka_topic_prefix}relearn.{consumer}"
        client = f"relearn-{consumer}-{socket.gethostname()}"
        return kafka.consumer_settings(self.config.kafka_bootstrap_servers, group=group, client_id=client)

    def _make_server(
        self, servicers: Sequence[Registration], waiting: WaitingOf | None, open_services: Iterable[str]
    ) -> Server:
        operations = OperationsRpc(
            service=self.name, store=self._store, retrier=self._retrier, reactions=self._reactions, waiting=waiting
        )
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

    async def _start_events(self, store: Store[Any]) -> None:
        self._not_ready = "waiting for PostgreSQL"
        if self._migrations:
            await migrate_when_there(store.database, self._migrations)
        relay = Relay(
            database=store.database,
            bootstrap_servers=self.config.kafka_bootstrap_servers,
            prefix=self.config.kafka_topic_prefix,
            client_id=f"relearn-{self.name}-relay",
        )
        self._spawn(relay.run(), "relay")
        for consumer in self._consumers:
            consumer.start()

    def _own_jobs(self) -> list[Job]:
        if self._store is None:
            return []
        jobs = [
            Job(name="report-health", run=self._report_health, every_s=2.0),
            Job(name="count-rows", run=self._count_rows, every_s=5.0),
            Job(name="forget-old-claims", run=self._forget, every_s=6 * 3600.0),
        ]
        return [*jobs, Job(name="retry-waiting", run=self._retrier.run)] if self._retrier else jobs

    async def _report_health(self) -> None:
        """NOT_SERVING while the database is away, or while one event after the other is parked."""
        healthy = self._conduct.healthy
        if not healthy:
            log.error("events are parked one after the other", extra={"in_a_row": self._conduct.parked_in_a_row})
        try:
            assert self._store is not None  # noqa: S101 - this job runs only with a store
            async with self._store.database.engine.connect() as connection:
                await connection.execute(text("select 1"))
        except Exception as error:
            healthy = False
            logs.say_waiting(log, "database does not answer", error, away=is_away(error))
        await self._server.say_serving(healthy)

    async def _count_rows(self) -> None:
        assert self._store is not None  # noqa: S101 - this job runs only with a store
        async with self._store.transaction() as tx:
            size, age_s = await tx.outbox.size_and_age()
            parked = await ParkedEvents(tx.connection).counts()
        metrics.OUTBOX_SIZE.set(size)
        metrics.OUTBOX_AGE_S.set(age_s)
        for state, count in parked.items():
            metrics.PARKED.labels(state).set(count)

    async def _forget(self) -> None:
        assert self._store is not None  # noqa: S101 - this job runs only with a store
        assert isinstance(self.config, RuntimeConfig)  # noqa: S101 - as is the database's configuration
        async with self._store.transaction() as tx:
            await inbox.forget_older(tx.connection, days=self.config.inbox_retention_days)
            await forget_older_requests(tx.connection, days=self.config.request_retention_days)

    def _spawn(self, work: Any, name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"{self.name} {name}"))
