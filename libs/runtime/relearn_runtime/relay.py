"""The relay: carries outbox rows to Kafka in the order of their ids, and deletes what Kafka acknowledged.

One relay per database works (advisory lock), others stand by. A crash between acknowledgement and deletion publishes
again: the inbox of whoever listens absorbs it. Neither a lost PostgreSQL nor a lost Kafka ends it. It is woken by the
commits of its own process; rows of another process wait for the next look, half a second at most. (NOTIFY in the
transaction itself would make the server commit one after the other, all databases together.)
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from relearn_runtime import logs, metrics
from relearn_runtime.backoff import delays
from relearn_runtime.database import Database
from relearn_runtime.kafka import producer_settings

ADVISORY_LOCK = 0x72656C6179  # "relay"
_BATCH = 500
_STANDBY_S = 1.0
_POLL_S = 0.5
_GATHER_S = 0.015
_HOLD_S = 2.0
_OF_THE_EVENT = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
}
_ROWS = """select id, topic, key, value, headers from outbox
           where topic <> all($1::text[]) and id <> all($2::bigint[]) order by id limit $3"""
log = logging.getLogger(__name__)
seldom = logs.Seldom()


class Relay:
    """Publishes one service's outbox."""

    def __init__(
        self, *, database: Database, written: asyncio.Event, bootstrap_servers: str, prefix: str, client_id: str
    ) -> None:
        """`written` is set by whoever has just committed rows."""
        self._dsn, self._prefix, self._wake = database.dsn, prefix, written
        settings = producer_settings(bootstrap_servers, client_id=client_id)
        # a topic that is not there is said so after 5 s, not 30: the other topics wait for that answer
        own = {"topic.metadata.propagation.max.ms": 5000, "error_cb": self._on_error}
        self._settings = settings | own
        self._producer: Producer | None = None
        self._refused = Refused()
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
            while not await connection.fetchval("select pg_try_advisory_lock($1)", ADVISORY_LOCK):
                await asyncio.sleep(_STANDBY_S)
            log.info("relay at work")
            while True:
                self._wake.clear()
                while await self._publish_some(connection):
                    pass
                await asyncio.sleep(_GATHER_S)  # under load many transactions share one pass
                # not wait_for: before Python 3.12 it loses a cancellation that comes together with the wake-up
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_S):
                        await self._wake.wait()
        finally:
            connection.terminate()  # closing politely would wait for a server that may be gone

    async def _publish_some(self, connection: Any) -> bool:
        """One batch; True when there may be more."""
        rows = await connection.fetch(_ROWS, *self._refused.still(), _BATCH)
        if not rows:
            return False
        if acknowledged := await self._acknowledged(rows):
            await connection.execute("delete from outbox where id = any($1::bigint[])", acknowledged)
        if self._producer is None:
            raise KafkaException(KafkaError(KafkaError._FATAL, "the producer is at its end"))
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

            if row["topic"] in self._refused.topics:
                continue  # refused a moment ago: what comes after it must not go ahead of it
            topic, headers = self._prefix + row["topic"], list(json.loads(row["headers"]).items())
            try:
                producer.produce(topic, row["value"], row["key"], headers=headers, on_delivery=on_delivery)
            except KafkaException as error:
                self._on_refused(row, error.args[0])
            except BufferError:
                break  # the next batch begins with this row
        while len(producer) > 0 and not self._stopping:
            producer.flush(0.5)
        return acknowledged

    def _on_refused(self, row: Any, error: KafkaError) -> None:
        self._refused.add(row, error)
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


class Refused:
    """What Kafka does not take, not to be tried again before a little while: everything else goes on meanwhile.

    Where the topic is at fault (it is missing, it may not be written to) the whole topic stays back, so that its order
    holds. Where it is the event itself, only that stays: later events of its key pass it.
    """

    def __init__(self) -> None:
        self.topics: dict[str, float] = {}
        self.rows: dict[int, float] = {}

    def add(self, row: Any, error: KafkaError) -> None:
        """Notes a refusal."""
        until = time.monotonic() + _HOLD_S
        if error.code() in _OF_THE_EVENT:
            self.rows[row["id"]] = until
        else:
            self.topics[row["topic"]] = until

    def still(self) -> tuple[list[str], list[int]]:
        """Topics and row ids that stay back now."""
        now = time.monotonic()
        self.topics = {topic: until for topic, until in self.topics.items() if until > now}
        self.rows = {row_id: until for row_id, until in self.rows.items() if until > now}
        return list(self.topics), list(self.rows)
