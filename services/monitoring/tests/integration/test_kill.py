"""kill -9 in the middle of the work: every prediction counted once, every label bought once, the ledger balances."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from monitoring_world import REFERENCE, Traffic, World, project

from relearn.monitoring.v1 import events_pb2 as pb
from relearn_runtime import utc_now
from relearn_runtime.testing import collect_all, eventually

SEED, KILLS, AFTER = 5, 5, 1500


class Process:
    """The service as its own process, that can be killed and started again."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "relearn_monitoring", env=os.environ | self._environment, stdout=log, stderr=log
            )

    async def kill(self, with_signal: int = signal.SIGKILL) -> int:
        assert self._child is not None
        if self._child.returncode is not None:
            raise RuntimeError(f"the service ended: {self._log.read_text()[-3000:]}")
        self._child.send_signal(with_signal)
        return await self._child.wait()


async def test_no_prediction_and_no_label_is_lost_or_counted_twice(postgres_url, kafka, tokens, datasets, tmp_path):
    chance = random.Random(SEED)
    datasets.delay_s = 0.1
    environment = {
        "MONITORING_DATABASE_URL": postgres_url,
        "MONITORING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "MONITORING_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "MONITORING_LISTEN_ADDRESS": "127.0.0.1:0",
        "MONITORING_METRICS_ADDRESS": "127.0.0.1:0",
        "MONITORING_TOKENS_FILE": str(tokens.path),
        "MONITORING_TOKEN": tokens.of("service"),
        "MONITORING_DATASETS_ADDRESS": datasets.address,
        "MONITORING_OBJECT_STORE_URL": f"file://{tmp_path}",
        "MONITORING_DRAIN_TIMEOUT_S": "2",
    }
    world = World(kafka=kafka, tokens=tokens, database_url=postgres_url, datasets=datasets, clock=utc_now)
    process = Process(environment, tmp_path / "log")
    await process.start()

    async def is_migrated() -> bool:
        return await world.one("select to_regclass('watches')") is not None

    try:
        await eventually(is_migrated, deadline_s=90)
        await world.apply(project())
        await world.route(1, revision=1)
        made = Traffic(world.clock).predictions(REFERENCE + 200)
        made += Traffic(world.clock, seed=1).predictions(AFTER, shifted=True)

        async def send_all() -> None:
            for start in range(0, len(made), 50):
                await world.send(made[start : start + 50])
                if chance.random() < 0.3:
                    await world.send(made[start : start + 10])  # a gateway's spool may say it twice
                await asyncio.sleep(0.2)

        async def kill_and_start() -> None:
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(1.0, 3.0))
                await process.kill()
                await process.start()

        await asyncio.gather(send_all(), kill_and_start())
        await world.seen(made[-1])

        async def quiet() -> bool:
            waiting = await world.one("select count(*) from picks where state = 'picked'")
            wanted = "select count(*) from picks where stream = 'selected' and alert_id <> ''"
            return waiting == 0 and await world.one(wanted) == 30 and await world.sql("select 1 from outbox") == []

        await eventually(quiet, deadline_s=90)
        await check_books(world, predictions=len(made))
    finally:
        await world.leave()
        assert await process.kill(signal.SIGTERM) == 0


async def check_books(world: World, *, predictions: int) -> None:
    assert await world.one("select predictions from monitored_projects") == predictions
    assert await world.one("select predictions from watches") == predictions
    windows = await world.one("select coalesce(sum(predictions), 0) from windows")
    assert 0 <= predictions - windows < 200
    picks = await world.sql("select flag_id, state from picks")
    assert {state for _, state in picks} == {"flagged"}
    (bought,) = await world.sql("select sum(reserved), sum(spent) from ledger")
    assert bought == (0, len(picks))
    for_alert = "select count(*) from picks where alert_id <> '' and stream = :s"
    assert await world.one(for_alert, s="audit") == 20
    assert await world.one(for_alert, s="selected") == 30
    events = await collect_all(world.kafka, pb.PredictionFlagged)
    assert sorted(event.message.flag.flag_id for event in events) == sorted(flag_id for flag_id, _ in picks)
