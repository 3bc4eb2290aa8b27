"""kill -9 in the middle of the work: afterwards the books balance."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from labeling_world import AUDIT, CLASSES, DISAGREEMENT, SELECTED, World, flag, project

from relearn.labeling.v1 import events_pb2 as pb
from relearn.labeling.v1 import management_service_pb2 as management_pb
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.management_service_pb2_grpc import ManagementServiceStub
from relearn_local import children
from relearn_runtime import new_id
from relearn_runtime.testing import collect_all, eventually

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
        await eventually(lambda: serves(world, process))
        yield world, process
    finally:
        for one in world.channels.values():
            await one.close()
        process.stop()


async def test_nothing_is_lost_or_counted_twice_when_the_process_is_killed_at_random_moments(killable):
    world, process = killable
    await world.apply(project(lease_s=2, overlap_disagreement=5))
    chance, streams = random.Random(SEED), [SELECTED, AUDIT, DISAGREEMENT]
    flags = [flag(f"flag-{i}", chance.choice(streams), sample=f"{chance.randrange(SAMPLES)}") for i in range(FLAGS)]
    done = asyncio.Event()
    workers = [asyncio.create_task(work(world, f"annotator-{i}", random.Random(i), done)) for i in range(6)]

    try:
        await asyncio.gather(
            flag_all(world, flags, random.Random(SEED + 1)), kill_and_start(world, process, random.Random(SEED + 2))
        )
        await eventually(lambda: all_settled(world, len(flags)))
    finally:
        done.set()
        await asyncio.gather(*workers)

    await check_books(world, {one.sample_id for one in flags}, {one.flag_id for one in flags})
    assert await process.end(signal.SIGTERM) == 0


async def flag_all(world: World, flags: list[Any], chance: random.Random) -> None:
    for one in flags:
        event_id = await world.flag(one)
        if chance.random() < 0.2:  # the relay of the monitor may say it twice
            await world.flag(one, id=event_id)
        await asyncio.sleep(chance.uniform(0, 0.2))  # so that flags still come while the service is killed


async def kill_and_start(world: World, process: Process, chance: random.Random) -> None:
    """Kills a process that serves: one that still starts has nothing to lose."""
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 1.5))  # the moment of the kill is the point
        await process.end(signal.SIGKILL)
        process.start()
        await eventually(lambda: serves(world, process))


async def serves(world: World, process: Process) -> bool:
    process.check()
    try:
        answer = await world.health().Check(HealthCheckRequest(), timeout=1)
    except grpc.aio.AioRpcError:
        return False
    return answer.status == HealthCheckResponse.SERVING


async def all_settled(world: World, flags: int) -> bool:
    """Every flag has come and no task is open; if not, what was parked tells why."""
    counts = "select (select count(*) from flags), (select count(*) from label_tasks where state = 'open')"
    ((known, open_tasks),) = await world.sql(counts)
    parked = await world.sql("select event_type, state, reason, cause from parked")
    assert (known, open_tasks) == (flags, 0), f"{known} of {flags} flags, {open_tasks} open tasks, parked: {parked}"
    return True


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
        while not done.is_set():
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

    await eventually(lambda: outbox_is_empty(world))
    submitted = {event.id for event in await collect_all(world.kafka, pb.AnnotationSubmitted)}
    assert submitted == {row[0] for row in answers}
    outcomes: dict[str, dict[int, object]] = {}
    accepted, closed = [await collect_all(world.kafka, kind) for kind in (pb.LabelAccepted, pb.LabelTaskClosed)]
    for event in [*accepted, *closed]:
        told = outcomes.setdefault(event.message.label_task_id, {})
        assert told.setdefault(event.message.revision, event.message) == event.message  # never changed
    for label_task_id, _, revision, label_id, state in tasks:
        told = outcomes[label_task_id]
        assert sorted(told) == list(range(1, revision + 1))
        last = told[revision]
        assert isinstance(last, pb.LabelAccepted) == (state == "accepted")
        if state == "accepted":
            assert last.label.label_id == label_id
    finals = [told[max(told)] for told in outcomes.values()]
    assert {one.flag_id for final in finals for one in final.flags} == flags
    opened = await collect_all(world.kafka, pb.LabelTaskOpened)
    assert {event.message.flag_id for event in opened} == flags
    assert len({event.message.label_task_id for event in opened if event.message.created}) == len(samples)


async def outbox_is_empty(world: World) -> bool:
    return await world.sql("select 1 from outbox") == []


async def test_an_import_that_is_killed_in_the_middle_and_sent_again_is_there_once(killable):
    world, process = killable
    await world.apply(project())
    messages = [management_pb.ImportAnnotationsRequest(project_id="clothes", samples=batch(n)) for n in range(40)]

    with pytest.raises(grpc.aio.AioRpcError):
        await kill_after(5, manager(world).ImportAnnotations(iter(messages)), process)
    process.start()
    await eventually(lambda: serves(world, process), deadline_s=60)
    ((kept,),) = await world.sql("select count(*) from label_tasks")
    again = [answer async for answer in manager(world).ImportAnnotations(iter(messages))]

    assert 5 * 50 <= kept < 40 * 50
    assert sum(answer.repeated_records for answer in again) == kept
    assert await world.sql("select count(*), sum(answers) from label_tasks") == [(2000, 2000)]
    await eventually(lambda: outbox_is_empty(world), deadline_s=30)
    assert len({event.id for event in await collect_all(world.kafka, pb.AnnotationSubmitted)}) == 2000


async def test_a_revocation_that_is_killed_in_the_middle_ends_by_itself_and_takes_each_answer_back_once(killable):
    world, process = killable
    await world.apply(project())
    messages = [management_pb.ImportAnnotationsRequest(project_id="clothes", samples=batch(n)) for n in range(20)]
    messages[0].source = "old"
    assert sum([answer.taken async for answer in manager(world).ImportAnnotations(iter(messages))]) == 1000
    request_id = new_id()

    call = asyncio.create_task(world.revoke("import:old", request_id=request_id))
    await eventually(lambda: some_are_withdrawn(world))
    await process.end(signal.SIGKILL)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await call
    process.start()
    await eventually(lambda: serves(world, process), deadline_s=60)
    await eventually(lambda: all_are_revoked(world), deadline_s=60)
    done = await world.revoke("import:old", request_id=request_id)

    assert (done.answers, done.reopened, done.decided) == (1000, 1000, 0)
    states = "select state, answers, label_id, count(*) from label_tasks group by 1, 2, 3"
    assert await world.sql(states) == [("open", 0, None, 1000)]
    assert await world.sql("select count(*) from withdrawn_annotations where revoked") == [(1000,)]
    await eventually(lambda: outbox_is_empty(world), deadline_s=30)
    told = [event.message for event in await collect_all(world.kafka, pb.LabelSuperseded)]
    assert {one.by_label_id for one in told} == {""}
    assert len({one.label_id for one in told}) == len({one.label_task_id for one in told}) == 1000


async def some_are_withdrawn(world: World) -> bool:
    return bool(await world.sql("select 1 from withdrawn_annotations limit 1"))


async def all_are_revoked(world: World) -> bool:
    return await world.sql("select done from revocations") == [(True,)]


async def kill_after(answers: int, stream: Any, process: Process) -> None:
    """Reads a stream, and kills the service after so many answers."""
    count = 0
    async for _ in stream:
        count += 1
        if count == answers:
            await process.end(signal.SIGKILL)


def batch(number: int) -> list[management_pb.AnnotatedSample]:
    """Fifty records of their own."""
    answer = management_pb.ImportedAnswer(regions=[Region(whole=Whole(), label=CLASSES[0])])
    digests = [hashlib.sha256(f"{number} {one}".encode()).hexdigest() for one in range(50)]
    return [management_pb.AnnotatedSample(key=one, sample_id=f"clothes/sample/{one}", answer=answer) for one in digests]


def manager(world: World) -> ManagementServiceStub:
    return ManagementServiceStub(world._channel("mia", "manager"))
