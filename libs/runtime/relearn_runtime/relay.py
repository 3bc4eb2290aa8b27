"""The relay: carries outbox rows to Kafka in the order of their ids, and deletes what Kafka acknowledged.

One relay per database works (advisory lock), others stand by. A crash between acknowledgement and deletion publishes
again: the inbox of whoever listens absorbs it. Neither a lost PostgreSQL nor a lost Kafka ends it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from relearn_runtime import logs, metrics
from relearn_runtime.backoff import delays
from relearn_runtime.database import Database
from relearn_runtime.kafka import producer_settings
from relearn_runtime.schema import OUTBOX_CHANNEL

ADVISORY_LOCK = 0x72656C6179  # "relay"
_BATCH = 500
_STANDBY_S = 1.0
_FALLBACK_POLL_S = 5.0
_DUE = "(not_before is null or not_before <= now())"
log = logging.getLogger(__name__)
seldom = logs.Seldom()


class Relay:
    """Publishes one service's outbox."""

    def __init__(self, *, database: Database, bootstrap_servers: str, prefix: str, client_id: str) -> None:
        self._dsn, self._prefix = database.dsn, prefix
        self._settings = producer_settings(bootstrap_servers, client_id=client_id) | {"error_cb": self._on_error}
        self._producer: Producer | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Runs until cancelled."""
        retries = delays(first_s=0.2, most_s=1.0)
        try:
            while True:
                try:
                    await self._stand_by_then_work()
                except Exception as error:  # all of them: asyncpg's InternalClientError is nothing narrower
                    if seldom.allows("relay"):
                        fields = {"error": repr(error), "held_back": seldom.held("relay")}
                        log.warning("relay waits for a dependency", extra=fields)
                await asyncio.sleep(next(retries))
        finally:
            self._stopping = True
            if self._producer is not None:
                self._producer.purge()  # unacknowledged rows are in the outbox still

    async def _stand_by_then_work(self) -> None:
        """Holds a connection of its own: the lock is the session's, and goes with it."""
        connection = await asyncpg.connect(
            self._dsn, timeout=5, command_timeout=15, server_settings={"application_name": "relearn relay"}
        )
        try:
            connection.add_termination_listener(lambda _: self._wake.set())
            while not await connection.fetchval("select pg_try_advisory_lock($1)", ADVISORY_LOCK):
                await asyncio.sleep(_STANDBY_S)
            await connection.add_listener(OUTBOX_CHANNEL, lambda *_: self._wake.set())
            log.info("relay at work")
            while True:
                self._wake.clear()
                while await self._publish_some(connection):
                    pass
                pause_s = await self._pause_s(connection)
                # not wait_for: before Python 3.12 it loses a cancellation that comes together with the wake-up
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
        finally:
            connection.terminate()  # closing politely would wait for a server that may be gone

    async def _publish_some(self, connection: Any) -> bool:
        """One batch; True when there may be more."""
        query = f"select id, topic, key, value, headers from outbox where {_DUE} order by id limit $1"  # noqa: S608
        rows = await connection.fetch(query, _BATCH)
        if not rows:
            return False
        acknowledged = await self._acknowledged(rows)
        await connection.execute("delete from outbox where id = any($1::bigint[])", acknowledged)
        if len(acknowledged) < len(rows):
            raise KafkaException(KafkaError(KafkaError._FAIL, f"{len(rows) - len(acknowledged)} events were refused"))
        return len(rows) == _BATCH

    async def _acknowledged(self, rows: Sequence[Any]) -> list[int]:
        """Ids of the rows that Kafka has; waits as long as it is away."""
        producing = asyncio.get_running_loop().run_in_executor(None, self._produce, rows)
        return await asyncio.shield(producing)

    def _produce(self, rows: Sequence[Any]) -> list[int]:
        acknowledged: list[int] = []
        producer = self._producer = self._producer or Producer(self._settings)
        for row in rows:

            def on_delivery(error: KafkaError | None, _: Message, *, row: Any = row) -> None:
                if error is None:
                    acknowledged.append(row["id"])
                    metrics.OUTBOX_PUBLISHED.labels(row["topic"]).inc()
                elif not self._stopping:
                    self._on_refused(row, error)

            topic, headers = self._prefix + row["topic"], list(json.loads(row["headers"]).items())
            producer.produce(topic, row["value"], row["key"], headers=headers, on_delivery=on_delivery)
        while len(producer) > 0 and not self._stopping:
            producer.flush(0.5)
        return acknowledged

    def _on_refused(self, row: Any, error: KafkaError) -> None:
        if seldom.allows(f"refused {error.name()}"):
            fields = {"topic": row["topic"], "error": error.str()}
            log.error("kafka refused an event, it stays in the outbox", extra=fields)
        if error.fatal():
            self._producer = None

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._producer = None
        if seldom.allows(name := error.name()):
            fields = {"error": name, "detail": error.str(), "held_back": seldom.held(name)}
            log.warning("kafka producer waits or retries", extra=fields)

    async def _pause_s(self, connection: Any) -> float:
        query = "select extract(epoch from min(not_before) - now())::float8 from outbox"
        until_due = await connection.fetchval(query)
        return _FALLBACK_POLL_S if until_due is None else min(_FALLBACK_POLL_S, max(0.05, until_due))
