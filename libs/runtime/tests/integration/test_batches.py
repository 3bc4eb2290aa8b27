"""Batches: exactly once by offsets in the transaction, halves down to the poison, fenced against zombies."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from events import applied, compared
from ledger_service.app import Config, on_batch
from servers import Process, kill_at_work, written

from relearn.monitoring.v1.events_pb2 import ShadowCompared
from relearn_runtime import Batch, Store, Transaction, database
from relearn_runtime.batching import BatchConsumer
from relearn_runtime.conduct import Conduct
from relearn_runtime.envelope import Record, encode
from relearn_runtime.kafka import consumer_settings
from relearn_runtime.migrations import migrate
from relearn_runtime.offsets import StoredOffsets
from relearn_runtime.seams import new_id, utc_now
from relearn_runtime.testing import eventually, publish, publish_many, publish_record

TOPIC = "relearn.monitoring.quality.v1"


async def numbers(sql: Any, key: str = "p") -> list[int]:
    rows = await sql("select number from ledger where project_id = $1 order by entry", key)
    return [number for (number,) in rows]


async def rows_there(sql: Any, expected: int, table: str = "ledger") -> bool:
    found = await sql(f"select count(*) from {table}")
    assert found == [(expected,)], found
    return True


async def test_a_batch_is_handled_in_order_and_its_offsets_are_kept(start: Any, kafka: Any, sql: Any) -> None:
    for number in range(50):
        await publish(kafka, compared(number))
    service = await start(batch=True)

    await eventually(lambda: rows_there(sql, 50))
    await service.stop()
    await start(batch=True)
    await publish(kafka, compared(50))
    await eventually(lambda: rows_there(sql, 51))

    assert await numbers(sql) == list(range(51))
    ((consumer, offset),) = await sql("select consumer, next_offset from offsets where next_offset > 0")
    assert (consumer, offset) == ("labeling.ShadowCompared", 51)


async def test_poison_in_a_batch_is_found_and_parked_alone(start: Any, kafka: Any, sql: Any) -> None:
    good = encode(compared(98), id=new_id(), time=utc_now())
    for number in range(40):
        await publish(kafka, compared(number, wish={7: "INVALID", 23: "BUG"}.get(number, "")))
    await publish_record(kafka, Record(topic=TOPIC, key=b"p", value=b"\x0a\xff\xff", headers=good.headers))
    await publish(kafka, compared(40))

    await start(batch=True)

    await eventually(lambda: rows_there(sql, 39))
    assert await numbers(sql) == [number for number in range(41) if number not in (7, 23)]
    assert await sql('select reason, attempts from parked order by "offset"') == [
        ("WRONG_NUMBER", 1),
        ("ZeroDivisionError", 5),
        ("MALFORMED_EVENT", 1),
    ]


async def test_an_event_of_a_batch_waits_for_its_project_and_its_key_behind_it(
    start: Any, kafka: Any, sql: Any
) -> None:
    await publish(kafka, compared(0))
    await publish(kafka, compared(1, wish="PROJECT:late"))
    for number in range(2, 6):
        await publish(kafka, compared(number))
    await publish(kafka, compared(0, project_id="another"))
    await start(batch=True)
    await eventually(lambda: rows_there(sql, 5, "parked"))
    await eventually(lambda: rows_there(sql, 2))

    await publish(kafka, applied("late"))

    await eventually(lambda: rows_there(sql, 7))
    assert await numbers(sql) == list(range(6))
    assert await sql("select count(*) from parked") == [(0,)]


async def test_what_queued_up_behind_a_waiting_event_of_a_batch_is_handled_together(
    start: Any, kafka: Any, sql: Any, caplog: Any
) -> None:
    caplog.set_level("INFO", logger="relearn_runtime.retrier")
    wishes = {0: "PROJECT:late", 60: "INVALID"}
    await publish_many(kafka, [compared(number, wish=wishes.get(number, "")) for number in range(150)])
    await start(batch=True)
    await eventually(lambda: rows_there(sql, 150, "parked"))

    await publish(kafka, applied("late"))

    await eventually(lambda: rows_there(sql, 149))
    assert await numbers(sql) == [number for number in range(150) if number != 60]
    assert await sql("select reason from parked") == [("WRONG_NUMBER",)]

    def handled_together() -> list[int]:
        return [record.events for record in caplog.records if record.message == "waiting events handled"]

    await eventually(lambda: sum(handled_together()) == 149)  # told after the commit that was seen
    assert max(handled_together()) > 20


class Zombie:
    """A batch consumer whose records are fed by hand: it does not know that its partitions are another's."""

    def __init__(self, config: Config) -> None:
        self.store = Store(database(config.database_url), Transaction)
        reaction = Batch(ShadowCompared, on_batch).reaction("labeling", timeout_s=10)
        settings = consumer_settings(config.kafka_bootstrap_servers, group="unused", client_id="zombie")
        self.consumer = BatchConsumer(
            prefix=config.kafka_topic_prefix,
            settings=settings,
            reaction=reaction,
            store=self.store,
            conduct=Conduct(),
            deadline_s=60,
            drain_s=1,
        )

    async def handle(self, records: list[Record]) -> None:
        await self.consumer._batch([self.consumer._parse(record) for record in records])


async def test_a_zombie_changes_nothing_that_its_successor_has_done(settings: Any, kafka: Any, sql: Any) -> None:
    zombie = Zombie(Config(**settings))
    await migrate(zombie.store.database, "ledger_service.migrations")

    def record(number: int) -> Record:
        made = encode(compared(number), id=f"e{number}", time=utc_now())
        return Record(
            topic=kafka.topic_prefix + TOPIC,
            key=b"p",
            value=made.value,
            headers=made.headers,
            partition=0,
            offset=number,
        )

    await zombie.handle([record(number) for number in range(5)])
    async with zombie.store.transaction() as tx:  # the successor got further meanwhile
        await StoredOffsets(tx.connection, "labeling.ShadowCompared").advance((TOPIC, 0), 8)

    await zombie.handle([record(number) for number in range(5, 10)])
    await asyncio.gather(*(zombie.handle([record(n) for n in range(10, 15)]) for _ in range(3)))

    assert await numbers(sql) == [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14]
    assert await sql("select next_offset from offsets where partition = 0") == [(15,)]
    await zombie.store.database.close()


async def test_kill_9_in_the_middle_of_batches_counts_each_event_once(
    settings: Any, kafka: Any, sql: Any, tmp_path: Path
) -> None:
    keys = [f"p{k}" for k in range(6)]
    settings = settings | {"batch": "true"}
    killed = asyncio.Event()

    async def send() -> int:
        number = 0
        while not killed.is_set():
            await asyncio.gather(*(publish(kafka, compared(number, project_id=key)) for key in keys))
            number += 1
        return number

    sending = asyncio.create_task(send())
    process = await kill_at_work(
        lambda: Process(settings, tmp_path / "log"), lambda: written(sql), kills=4, entries=150, chance=random.Random(3)
    )
    killed.set()
    per_key = await sending
    try:
        await eventually(lambda: rows_there(sql, per_key * len(keys)))
        for key in keys:
            assert await numbers(sql, key) == list(range(per_key)), key
        assert await sql("select reason, cause from parked") == []
    finally:
        await asyncio.to_thread(process.terminate)
