"""Events of one service, in and out: relay, consumers, the retrier of what waits, and what is told about them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text

from relearn_runtime import inbox, kafka, logs, metrics, requests
from relearn_runtime.batching import BatchConsumer
from relearn_runtime.conduct import Conduct
from relearn_runtime.consuming import SinglesConsumer
from relearn_runtime.database import Store
from relearn_runtime.dispatch import Dispatcher
from relearn_runtime.faults import is_away
from relearn_runtime.jobs import Job
from relearn_runtime.parking import ParkedEvents
from relearn_runtime.reactions import Batch, Handler, Reaction, singles
from relearn_runtime.relay import Relay
from relearn_runtime.retrier import Retrier
from relearn_runtime.settings import RuntimeConfig

log = logging.getLogger(__name__)
seldom = logs.Seldom()


class Delivery:
    """Wired but not started.

    Attributes:
        reactions: by consumer and event type.
        consumers: to be started once the database is migrated.
        retrier: runs what is in the parked table again.
    """

    def __init__(
        self,
        *,
        service: str,
        config: RuntimeConfig,
        store: Store[Any],
        handlers: Mapping[type[Any], Handler],
        batches: Sequence[Batch[Any]],
    ) -> None:
        self._service, self._config, self.store = service, config, store
        self._conduct = Conduct()
        by_type = singles(service, handlers, timeout_s=config.handler_timeout_s)
        many = [batch.reaction(service, timeout_s=config.handler_timeout_s) for batch in batches]
        self.reactions: dict[tuple[str, str], Reaction] = {
            (reaction.consumer, reaction.event_type): reaction for reaction in [*by_type.values(), *many]
        }
        self.consumers: list[SinglesConsumer | BatchConsumer] = [self._batch_consumer(reaction) for reaction in many]
        if by_type:
            self.consumers.insert(0, self._singles_consumer(by_type))
        self.retrier = Retrier(store=store, reactions=self.reactions, conduct=self._conduct)
        self.relay = Relay(
            database=store.database,
            written=store.outbox_written,
            bootstrap_servers=config.kafka_bootstrap_servers,
            prefix=config.kafka_topic_prefix,
            client_id=f"relearn-{service}-relay",
        )

    async def is_healthy(self) -> bool:
        """Not while the database is away, nor while one event after the other is parked."""
        healthy = self._conduct.healthy
        if not healthy and seldom.allows("parked"):
            log.error("events are parked one after the other", extra={"in_a_row": self._conduct.parked_in_a_row})
        try:
            async with self.store.database.engine.connect() as connection:
                await connection.execute(text("select 1"))
        except Exception as error:
            logs.say_waiting(log, "database does not answer", error, away=is_away(error))
            return False
        return healthy

    def jobs(self) -> list[Job]:
        """What has to be done all the time, beside the relay."""
        jobs = [
            Job(name="count-rows", run=self._count_rows, every_s=5.0),
            Job(name="forget-old-claims", run=self._forget, every_s=6 * 3600.0),
        ]
        return [*jobs, Job(name="retry-waiting", run=self.retrier.run)] if self.reactions else jobs

    def _singles_consumer(self, by_type: Mapping[str, Reaction]) -> SinglesConsumer:
        dispatcher = Dispatcher(
            consumer=self._service,
            store=self.store,
            reactions=by_type,
            conduct=self._conduct,
            deadline_s=self._config.not_yet_known_deadline_s,
        )
        return SinglesConsumer(
            name=self._service,
            prefix=self._config.kafka_topic_prefix,
            topics=sorted({reaction.topic for reaction in by_type.values()}),
            settings=self._settings(self._service),
            dispatcher=dispatcher,
            concurrency=self._config.handler_concurrency,
            drain_s=self._config.drain_timeout_s,
        )

    def _batch_consumer(self, reaction: Reaction) -> BatchConsumer:
        return BatchConsumer(
            prefix=self._config.kafka_topic_prefix,
            settings=self._settings(reaction.consumer),
            reaction=reaction,
            store=self.store,
            conduct=self._conduct,
            deadline_s=self._config.not_yet_known_deadline_s,
            drain_s=self._config.drain_timeout_s,
        )

    def _settings(self, consumer: str) -> dict[str, Any]:
        group = f"{self._config.kafka_topic_prefix}relearn.{consumer}"
        client = f"relearn-{consumer}-{socket.gethostname()}"
        return kafka.consumer_settings(self._config.kafka_bootstrap_servers, group=group, client_id=client)

    async def _count_rows(self) -> None:
        async with self.store.transaction() as tx:
            size, age_s = await tx.outbox.size_and_age()
            parked = await ParkedEvents(tx.connection).counts()
        metrics.OUTBOX_SIZE.set(size)
        metrics.OUTBOX_AGE_S.set(age_s)
        for state, count in parked.items():
            metrics.PARKED.labels(state).set(count)

    async def _forget(self) -> None:
        """In slices: one statement over a table of years would run into its timeout, pass after pass."""
        for forget, days, at_most in (
            (inbox.forget_older, self._config.inbox_retention_days, inbox.SLICE),
            (requests.forget_older, self._config.request_retention_days, requests.SLICE),
        ):
            forgotten = at_most
            while forgotten == at_most:
                async with self.store.transaction() as tx:
                    forgotten = await forget(tx.connection, days=days)
