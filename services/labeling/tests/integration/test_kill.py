"""kill -9 in the middle of the work: afterwards the books balance."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from labeling_world import AUDIT, CLASSES, DISAGREEMENT, SELECTED, World, flag, project

from relearn.labeling.v1 import events_pb2 as pb
from relearn_local import children
from relearn_runtime import new_id
from relearn_runtime.testing import NotInTime, eventually

SEED, KILLS, SAMPLES, FLAGS = 3, 4, 30, 90
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class Process:
    """The service as its own process, that can be killed and started again on the same port."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It dies with the test run, however that ends."""
        command = [sys.executable, "-m", "relearn_labeling"]
        self._child = children.start(command, log=self._log, environment=os.environ | self._environment)

    def check(self) -> None:
        if self._child is None or self._child.poll() is not None:
            raise RuntimeError(f"the service ended: {self._log.read_text()[-3000:]}")

    async def end(self, by: signal.Signals) -> int:
        self.check()
        assert self._child is not None
        self._child.send_signal(by)
        return await asyncio.to_thread(self._child.wait)

    def stop(self) -> None:
        if self._child is not None:
            children.stop(self._child, gently=signal.SIGTERM, grace_s=5)


@pytest.fixture
async def killable(postgres_url, kafka, tokens, test_ports, tmp_path):
    """A world whose service is a process, and that process."""
    address = f"127.0.0.1:{test_ports.claim_any()}"
    environment = {
        "LABELING_DATABASE_URL": postgres_url,
        "LABELING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LABELING_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "LABELING_LISTEN_ADDRESS": address,
        "LABELING_METRICS_ADDRESS": "127.0.0.1:0",
        "LABELING_TOKENS_FILE": str(tokens.path),
        "LABELING_TOKEN": tokens.of("service"),
        "LABELING_DRAIN_TIMEOUT_S": "2",
    }
    world = World(kafka=kafka, tokens=tokens, database_url=postgres_url, address=address)
    process = Process(environment, tmp_path / "log")
    process.start()
    try:
        await eventually(lambda: is_migrated(world, process), deadline_s=60)
        yield world, process
    finally:
        for one in world.channels.values():
            await one.close()
        process.stop()


async def test_nothing_is_lost_or_counted_twice_when_the_process_is_killed_at_random_moments(killable):
    world, process = killable
    chance = random.Random(SEED)
    await world.apply(project(lease_s=2, overlap_disagreement=5))
    streams = [SELECTED, AUDIT, DISAGREEMENT]
    flags = [flag(f"flag-{i}", chance.choice(streams), sample=f"{chance.randrange(SAMPLES)}") for i in range(FLAGS)]

    async def flag_all() -> None:
        for one in flags:
            event_id = await world.flag(one)
            if chance.random() < 0.2:  # the relay of the monitor may say it twice
                await world.flag(one, id=event_id)

    async def kill_and_start() -> None:
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.5, 2.5))
            await process.end(signal.SIGKILL)
            process.start()

    busy = asyncio.create_task(chain(flag_all(), kill_and_start()))
    done = asyncio.Event()
    workers = [asyncio.create_task(work(world, f"annotator-{i}", random.Random(i), done)) for i in range(6)]
    await busy
    await eventually(lambda: all_settled(world, len(flags)), deadline_s=60)
    done.set()
    await asyncio.gather(*workers)

    await check_books(world, {one.sample_id for one in flags}, {one.flag_id for one in flags})
    assert await process.end(signal.SIGTERM) == 0


async def chain(*work) -> None:
    await asyncio.gather(*work)


async def is_migrated(world: World, process: Process) -> bool:
    process.check()
    return (await world.sql("select to_regclass('projects')"))[0][0] is not None


async def all_settled(world: World, flags: int) -> bool:
    counts = await world.sql(
        "select (select count(*) from flags), (select count(*) from label_tasks where state = 'open')"
    )
    return counts == [(flags, 0)]


async def work(world: World, annotator: str, chance: random.Random, done: asyncio.Event) -> None:
    """An annotator as a careful client is: every submission is repeated with its request_id until it is answered.

    Nobody leaves before all is settled: no open task may also mean that the flags are not consumed yet.
    """
    while not done.is_set():
        task = None
        with contextlib.suppress(grpc.aio.AioRpcError):
            task = (await world.next_task(annotator)).label_task
        if task is None or not task.label_task_id:
            await asyncio.sleep(0.05)
            continue
        request_id, text = new_id(), chance.choice(CLASSES)
        while True:
            try:
                await world.submit(annotator, task.label_task_id, text, request_id=request_id)
                break
            except grpc.aio.AioRpcError as error:
                if error.code() not in AWAY:
                    break  # the lease ran out while the service was away


async def check_books(world: World, samples: set[str], flags: set[str]) -> None:
    tasks = await world.sql("select label_task_id, sample_id, revision, label_id, state from label_tasks")
    assert sorted(row[1] for row in tasks) == sorted(samples)
    answers = await world.sql("select annotation_id from annotations")
    assert (await world.sql("select sum(answers) from answer_days"))[0][0] == len(answers)

    submitted = {event.id for event in await everything(world, pb.AnnotationSubmitted, at_least=len(answers))}
    assert submitted == {row[0] for row in answers}
    outcomes: dict[str, dict[int, object]] = {}
    accepted = await everything(world, pb.LabelAccepted, at_least=1)
    closed = await everything(world, pb.LabelTaskClosed, at_least=1)
    for event in [*accepted, *closed]:
        told = outcomes.setdefault(event.message.label_task_id, {})
        assert (
            told.setdefault(event.message.revision, event.message) == event.message
        )  # said twice at most, never changed
    for label_task_id, _, revision, label_id, state in tasks:
        told = outcomes[label_task_id]
        assert sorted(told) == list(range(1, revision + 1))
        last = told[revision]
        assert isinstance(last, pb.LabelAccepted) == (state == "accepted")
        if state == "accepted":
            assert last.label.label_id == label_id
    finals = [told[max(told)] for told in outcomes.values()]
    assert {one.flag_id for final in finals for one in final.flags} == flags
    opened = await everything(world, pb.LabelTaskOpened, at_least=len(flags))
    assert {event.message.flag_id for event in opened} == flags
    assert len({event.message.label_task_id for event in opened if event.message.created}) == len(samples)


async def everything(world: World, message_type, *, at_least: int) -> list:
    """All events of a type, once the outbox is empty."""

    async def is_empty() -> bool:
        return await world.sql("select 1 from outbox") == []

    await eventually(is_empty, deadline_s=30)
    found, wanted = await world.collect(message_type, at_least), at_least
    while len(found) == wanted:
        wanted += 50
        try:
            found = await world.collect(message_type, wanted, deadline_s=1.5)
        except NotInTime as error:
            wanted = int(str(error).split(" of ")[0])
            return await world.collect(message_type, wanted) if wanted else []
    return found
