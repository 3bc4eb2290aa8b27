"""For tests of services: send a real event, read events back, wait for a condition with a deadline."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Protocol, TypeVar, overload
from uuid import uuid4

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage
from google.protobuf.message import Message
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from relearn_contracts.topics import topic_of
from relearn_runtime.database import database
from relearn_runtime.envelope import Event, MalformedEvent, Record, decode, encode, type_of
from relearn_runtime.feed import record_of
from relearn_runtime.kafka import consumer_settings, producer_settings
from relearn_runtime.seams import new_id, utc_now

M = TypeVar("M", bound=Message)
T = TypeVar("T")
DEADLINE_S = 60.0
"""For what must come true: far more than it takes, for tests share their machine with others."""
_UNHANDLED = sa.text(
    """select wanted.id, parked.state, parked.cause
       from unnest(cast(:event_ids as text[])) as wanted (id)
       left join inbox on inbox.event_id = wanted.id
       left join parked on parked.event_id = wanted.id
       where inbox.event_id is null or parked.event_id is not null"""
)


class KafkaAddress(Protocol):
    """What is used of the fixture `kafka`."""

    @property
    def bootstrap_servers(self) -> str: ...

    @property
    def topic_prefix(self) -> str: ...


@asynccontextmanager
async def schema(database_url: str, package: str, revision: str) -> AsyncIterator[AsyncConnection]:
    """A connection, in a transaction, to a database brought up or down to a revision of a package's migrations."""
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(_move, package, revision)
        yield connection
    await engine.dispose()


def _move(connection: Connection, package: str, target: str) -> None:
    with as_file(files(package)) as folder:
        script = ScriptDirectory(str(folder))

        def moves(revision: Any, _: Any) -> Any:
            down = revision and revision[0] > target
            return script._downgrade_revs(target, revision) if down else script._upgrade_revs(target, revision)

        with EnvironmentContext(Config(), script, fn=moves) as environment:
            environment.configure(connection=connection)
            with environment.begin_transaction():
                environment.run_migrations()


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


async def publish(kafka: KafkaAddress, message: Message, *, causes: Sequence[str] = (), id: str | None = None) -> str:
    """Sends one event as its owner would; returns its id once Kafka has it."""
    event_id = id or new_id()
    await publish_record(kafka, encode(message, id=event_id, time=utc_now(), causes=causes))
    return event_id


async def publish_many(kafka: KafkaAddress, messages: Sequence[Message]) -> None:
    """Sends events in order, each by itself a fresh one, and returns once Kafka has them all."""
    records = [encode(message, id=new_id(), time=utc_now()) for message in messages]
    await asyncio.to_thread(_produce, kafka, *records)


async def publish_record(kafka: KafkaAddress, record: Record) -> None:
    """Sends any record (its topic without prefix), also one that is no event."""
    await asyncio.to_thread(_produce, kafka, record)


async def collect(kafka: KafkaAddress, message_type: type[M], n: int, deadline_s: float = DEADLINE_S) -> list[Event[M]]:
    """The first n distinct events of a type, from the beginning of its topic; in order per key.

    Raises:
        NotInTime: there were fewer.
    """
    events = await asyncio.to_thread(_read, kafka, message_type, n, deadline_s)
    if len(events) < n:
        raise NotInTime(f"{len(events)} of {n} {message_type.DESCRIPTOR.full_name} within {deadline_s:g} s")
    return events


async def collect_all(kafka: KafkaAddress, message_type: type[M], deadline_s: float = DEADLINE_S) -> list[Event[M]]:
    """Every distinct event of a type that is on its topic by now; in order per key.

    Raises:
        NotInTime: the topic could not be read to its end.
    """
    return await asyncio.to_thread(_read, kafka, message_type, None, deadline_s)


@overload
async def eventually(predicate: Callable[[], Awaitable[T]], deadline_s: float = DEADLINE_S) -> T: ...


@overload
async def eventually(predicate: Callable[[], T], deadline_s: float = DEADLINE_S) -> T: ...


async def eventually(predicate: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The predicate's first true answer; an AssertionError inside it counts as not yet.

    Raises:
        NotInTime: none came; the message has the last answer.
    """
    give_up, last = time.monotonic() + deadline_s, "nothing"
    while True:
        try:
            answer = predicate()
            answer = await answer if inspect.isawaitable(answer) else answer
            if answer:
                return answer
            last = repr(answer)
        except AssertionError as error:
            last = str(error)
        if time.monotonic() > give_up:
            raise NotInTime(f"not within {deadline_s:g} s; last: {last}")
        await asyncio.sleep(0.05)


async def handled(database_url: str, *event_ids: str, deadline_s: float = DEADLINE_S) -> None:
    """Until a service (by its database) has handled these events one by one: they neither wait nor are parked.

    A claim in the inbox alone says less: an event that waits for what it names is claimed, too.

    Raises:
        NotInTime: the message names those that were not, and why if they were claimed.
    """
    own = database(database_url, pool_size=1)

    async def none_is_left() -> bool:
        async with own.engine.connect() as connection:
            left = (await connection.execute(_UNHANDLED, {"event_ids": list(event_ids)})).all()
        assert not left, [" ".join(map(str, row)) for row in left]
        return True

    try:
        await eventually(none_is_left, deadline_s)
    finally:
        await own.close()


@cache
def _producer(bootstrap_servers: str) -> Producer:
    return Producer(producer_settings(bootstrap_servers, client_id="relearn-test"))


def _produce(kafka: KafkaAddress, *records: Record) -> None:
    refused: list[KafkaError] = []
    producer = _producer(kafka.bootstrap_servers)

    def on_delivery(error: KafkaError | None, _: KafkaMessage) -> None:
        if error is not None:
            refused.append(error)

    for record in records:
        topic, headers = kafka.topic_prefix + record.topic, dict[str, str | bytes | None](record.headers or ())
        producer.produce(topic, record.value, record.key, headers=headers, on_delivery=on_delivery)
    left = producer.flush(DEADLINE_S)
    assert left == 0, f"{left} of {len(records)} records not delivered within {DEADLINE_S:g} s"
    assert not refused, refused


def _read(kafka: KafkaAddress, message_type: type[M], n: int | None, deadline_s: float) -> list[Event[M]]:
    """The first n events by the deadline, or those up to the end of the topic."""
    topic = topic_of(message_type)
    settings = consumer_settings(kafka.bootstrap_servers, group=f"test-{uuid4()}", client_id="relearn-test")
    consumer = Consumer(settings | {"enable.auto.commit": False, "enable.partition.eof": n is None})
    consumer.assign([TopicPartition(kafka.topic_prefix + topic.name, p, 0) for p in range(topic.partitions)])
    events: dict[tuple[str, str], Event[M]] = {}
    unread = set(range(topic.partitions))
    give_up = time.monotonic() + deadline_s
    try:
        while unread and (n is None or len(events) < n):
            if time.monotonic() > give_up:
                break
            received = consumer.poll(0.1)
            if received is None:
                continue
            if (error := received.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(received.partition())
                continue
            record = record_of(received)
            with suppress(MalformedEvent):  # what a test sent on purpose
                if type_of(record) == message_type.DESCRIPTOR.full_name:
                    event = decode(record, message_type, topic=topic.name)
                    events.setdefault((event.source, event.id), event)  # a relay that was killed publishes again
    finally:
        consumer.close()
    if n is None and unread:
        raise NotInTime(f"partitions {sorted(unread)} of {topic.name} were not read within {deadline_s:g} s")
    return list(events.values())
