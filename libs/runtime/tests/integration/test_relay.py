"""The relay: what Kafka refuses holds nothing else back, and a commit wakes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from relearn.monitoring.v1.alert_pb2 import Alert
from relearn.monitoring.v1.events_pb2 import AlertOpened, WindowClosed
from relearn.monitoring.v1.window_pb2 import Window
from relearn_contracts.topics import all_topics, topic_of
from relearn_local import topics
from relearn_runtime import Store, Transaction, database
from relearn_runtime.migrations import migrate
from relearn_runtime.testing import collect, eventually


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store[Transaction]]:
    made = Store(database(postgres_url), Transaction)
    await migrate(made.database, "ledger_service.migrations")
    yield made
    await made.database.close()


def closed(number: int) -> WindowClosed:
    return WindowClosed(project_id="p", window=Window(window_id=f"w{number}", number=number))


def opened(alert_id: str) -> AlertOpened:
    return AlertOpened(project_id="p", alert=Alert(alert_id=alert_id))


def records(kafka: Any, topic: Any) -> int:
    """How many are in a topic, whatever they are."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "counting"})
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(kafka.topic_prefix + topic.name, partition), timeout=60)
            for partition in range(topic.partitions)
        ]
    finally:
        consumer.close()
    return sum(high for _, high in ends)


async def test_a_missing_topic_holds_back_no_other_and_repeats_nothing(
    start: Any, store: Store[Transaction], kafka: Any, sql: Any
) -> None:
    alerts = kafka.topic_prefix + topic_of(AlertOpened).name
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([alerts])[alerts].result(timeout=60)
    await eventually(lambda: alerts not in admin.list_topics(timeout=60).topics)
    async with store.transaction() as tx:  # by another process than the one whose relay is at work
        await tx.outbox.add(closed(1), opened("a1"), closed(2))
    await start()

    async def outbox(*topics_left: str) -> bool:
        return await sql("select topic from outbox order by id") == [(topic,) for topic in topics_left]

    await eventually(lambda: outbox("relearn.monitoring.alert.v1"))
    async with store.transaction() as tx:
        await tx.outbox.add(opened("a2"), closed(3))
    await eventually(lambda: outbox("relearn.monitoring.alert.v1", "relearn.monitoring.alert.v1"))
    assert await asyncio.to_thread(records, kafka, topic_of(WindowClosed)) == 3

    topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers, prefix=kafka.topic_prefix)

    await eventually(lambda: outbox())
    assert [event.message.alert.alert_id for event in await collect(kafka, AlertOpened, 2)] == ["a1", "a2"]
    assert [event.message.window.number for event in await collect(kafka, WindowClosed, 3)] == [1, 2, 3]


async def test_only_a_commit_with_events_wakes_the_relay(store: Store[Transaction]) -> None:
    async with store.transaction():
        pass
    with suppress(ZeroDivisionError):
        async with store.transaction() as tx:
            await tx.outbox.add(closed(1))
            raise ZeroDivisionError
    assert not store.outbox_written.is_set()

    async with store.transaction() as tx:
        await tx.outbox.add(closed(1))
        assert not store.outbox_written.is_set()

    assert store.outbox_written.is_set()
