"""Partitions come and go while their handlers are at work, or wait with a full backlog."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from events import compared
from servers import Process, written

from relearn_runtime import Service, backlog
from relearn_runtime.backlog import Backlog
from relearn_runtime.testing import eventually, publish_many

KEYS = [f"p{number}" for number in range(12)]
PER_KEY = 40
PARTITIONS = 3
TOPIC = "relearn.monitoring.quality.v1"


@asynccontextmanager
async def handlers_held(url: str) -> AsyncIterator[None]:
    """While the block runs, a handler that is asked to wait for the lock waits."""
    connection = await asyncpg.connect(url)
    await connection.execute("select pg_advisory_lock(1)")
    try:
        yield
    finally:
        await connection.close()


async def somebody_waits(sql: Any) -> bool:
    ((count,),) = await sql("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    return bool(count)


def backlogs(service: Service) -> list[Backlog]:
    """Those of the partitions that a service has now."""
    return [
        some
        for consumer in service._delivery.consumers
        for (topic, _), some in consumer._backlogs
        if topic.endswith(TOPIC)
    ]


async def ledger_is_exact(sql: Any) -> bool:
    """Each number once per key, in order."""
    count = await sql("select count(*) from ledger")
    assert count == [(PER_KEY * len(KEYS),)], count
    for key in KEYS:
        rows = await sql("select number from ledger where project_id = $1 order by entry", key)
        assert [number for (number,) in rows] == list(range(PER_KEY)), key
    return True


@pytest.mark.parametrize("batch", [False, True], ids=["singles", "batches"])
async def test_a_partition_that_left_with_a_full_backlog_is_read_on_when_it_returns(
    start: Any, kafka: Any, sql: Any, postgres_url: str, monkeypatch: Any, batch: bool
) -> None:
    monkeypatch.setattr(backlog, "_MOST_RECORDS", 30)
    monkeypatch.setattr(backlog, "_FEW_RECORDS", 10)
    changes = {"batch": batch, "drain_timeout_s": 0.2}
    first = await start(**changes)
    await eventually(lambda: len(backlogs(first)) == PARTITIONS)

    async with handlers_held(postgres_url):
        await publish_many(kafka, [compared(0, project_id=key, wish="LOCK") for key in KEYS])
        await eventually(lambda: somebody_waits(sql))
        await publish_many(kafka, [compared(n, project_id=key) for n in range(1, PER_KEY) for key in KEYS])
        await eventually(lambda: [some.paused for some in backlogs(first)] == [True] * PARTITIONS)
        # of six partitions in one group of three members two stay, so that one of these three has to go
        others = [await start(**changes) for _ in range(2)]
        await eventually(lambda: len(backlogs(first)) < PARTITIONS)
        for other in others:
            await other.stop()
        await eventually(lambda: len(backlogs(first)) == PARTITIONS)

    await eventually(lambda: ledger_is_exact(sql))


@pytest.mark.parametrize("batch", ["false", "true"], ids=["singles", "batches"])
async def test_members_come_leave_and_are_killed_under_load(
    settings: Any, kafka: Any, sql: Any, tmp_path: Path, batch: str
) -> None:
    settings = settings | {"batch": batch}
    events = [compared(number, project_id=key) for number in range(PER_KEY) for key in KEYS]
    share = len(events) // 3

    async def at_least(count: int) -> bool:
        return await written(sql) >= count

    stays, leaves = (Process(settings, tmp_path / name) for name in ("stays", "leaves"))
    await publish_many(kafka, events[:share])
    await eventually(lambda: at_least(share // 2))
    leaves.terminate()
    is_killed = Process(settings, tmp_path / "is-killed")
    await publish_many(kafka, events[share : 2 * share])
    await eventually(lambda: at_least(3 * share // 2))
    is_killed.kill()
    await publish_many(kafka, events[2 * share :])

    await eventually(lambda: ledger_is_exact(sql))
    assert await sql("select count(*) from parked") == [(0,)]
    stays.terminate()
