"""Any process may be killed at any instruction: nothing is lost, nothing is counted twice, order holds within a key."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

from events import compared
from servers import Process, kill_at_work, written

from relearn.monitoring.v1.events_pb2 import WindowClosed
from relearn_runtime.testing import collect, eventually, publish

KEYS = [f"p{number}" for number in range(12)]


async def exact(sql: Any, per_key: int) -> bool:
    count = await sql("select count(*) from ledger")
    assert count == [(per_key * len(KEYS),)], count
    return True


async def ledger_is_exact(sql: Any, per_key: int) -> None:
    """Each number once per key, in order."""
    for key in KEYS:
        rows = await sql("select number from ledger where project_id = $1 order by entry", key)
        assert [number for (number,) in rows] == list(range(per_key)), key
    assert await sql("select count(*) from parked") == [(0,)]


async def test_kill_9_under_load_loses_nothing_and_doubles_nothing(
    settings: Any, kafka: Any, sql: Any, tmp_path: Path
) -> None:
    per_key = 60
    settings = settings | {"flaky": 0.03}

    async def send() -> None:
        for number in range(per_key):
            await asyncio.gather(*(publish(kafka, compared(number, project_id=key)) for key in KEYS))

    sending = asyncio.create_task(send())
    process = await kill_at_work(
        lambda: Process(settings, tmp_path / "log"), lambda: written(sql), kills=6, entries=100, chance=random.Random(7)
    )
    await sending
    try:
        await eventually(lambda: exact(sql, per_key), deadline_s=90)
        await ledger_is_exact(sql, per_key)
        await eventually(lambda: _outbox_empty(sql))
    finally:
        code = await asyncio.to_thread(process.terminate)

    # every answer left exactly once as a fact, whatever was published twice
    seen = await collect(kafka, WindowClosed, per_key * len(KEYS))
    answers = Counter((event.key, event.message.window.number) for event in seen)
    assert set(answers.values()) == {1}
    assert len(answers) == per_key * len(KEYS)
    for key in KEYS:
        numbers = [event.message.window.number for event in seen if event.key == key]
        assert numbers == sorted(numbers), key
    assert code == 0, (tmp_path / "log").read_text()[-3000:]


async def _outbox_empty(sql: Any) -> bool:
    return await sql("select count(*) from outbox") == [(0,)]
