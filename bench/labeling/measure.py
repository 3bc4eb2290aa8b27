"""How fast tasks are handed out and answered: `python bench/labeling/measure.py [--tasks N]`.

One labeling process on a Kafka and a PostgreSQL (with fsync) of its own; annotators call it over gRPC, each on a
channel of their own, next task and answer without a pause. At the largest size, a tenth and a hundredth of it: it
should take the same. CPU is that of the labeling process alone: it means something on a machine that others use, too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from uuid import uuid4

import asyncpg
import psutil

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceStub
from relearn.monitoring.v1.flag_pb2 import STREAM_SELECTED, Flag
from relearn.registry.v1.project_pb2 import LabelingPolicy, LabelSet, Project
from relearn_contracts.topics import all_topics
from relearn_local import children, ports, topics
from relearn_local import tokens as token_file
from relearn_local.kafka import STOP_GRACE_S, Kafka
from relearn_local.postgres import Postgres
from relearn_runtime import channel

PROJECT = Project(
    project_id="bench",
    revision=1,
    label_set=LabelSet(version=1, classes=["boot", "bag"]),
    labeling=LabelingPolicy(answers_per_day=1_000_000),
)
FLAG = Flag(flag_id="f", project_id="bench", stream=STREAM_SELECTED, reason="margin 0.04", confidence=0.5)
CROWDS = (1, 10, 50)
WARM_S, MEASURED_S = 2.0, 8.0
_FILL = """
    insert into label_tasks (label_task_id, project_id, sample_id, label_set_version, state, settled, overlap, answers,
        rank, due_at, answer_s, revision, created_at, updated_at)
    select 'task-' || n, 'bench', 'bench/sample/' || n, 1, 'open', 0, 1, 0,
        1, now() + n * interval '1 ms', 10, 0, now(), now()
    from generate_series($1::int, $2::int) n"""
_FILL_FLAGS = """
    insert into flags (label_task_id, number, flag_id, stream, alert_id, reason, event_id, confidence, content)
    select 'task-' || n, 1, 'flag-' || n, 'selected', '', 'margin 0.04', 'event-' || n, 0.5, $3::bytea
    from generate_series($1::int, $2::int) n"""


@dataclass(slots=True)
class Timed:
    """What a crowd of annotators did, in seconds."""

    next_s: list[float] = field(default_factory=list)
    submit_s: list[float] = field(default_factory=list)
    task_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The running service and its database."""

    database_url: str
    address: str
    process: psutil.Process
    tokens: list[str]


def main() -> None:
    """Prints one line for each size and crowd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="most open tasks")
    most = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as world:
        asyncio.run(measure(world, [most // 100, most // 10, most]))


async def measure(world: World, sizes: list[int]) -> None:
    """The same work at each size."""
    connection = await asyncpg.connect(world.database_url, timeout=30)
    while await connection.fetchval("select to_regclass('label_sets')") is None:  # the service migrates first
        await asyncio.sleep(0.1)
    await connection.execute(
        "insert into projects (project_id, revision, body) values ('bench', 1, $1)", PROJECT.SerializeToString()
    )
    await connection.execute("insert into label_sets values ('bench', 1, $1)", PROJECT.label_set.SerializeToString())
    heads = ("tasks", "annotators", "next p50", "p99", "submit p50", "p99 (ms)", "cycles/s", "CPU ms/cycle")
    print(" | ".join(f"{head:>12}" for head in heads))
    there = 0
    for size in sizes:
        for query in (_FILL, _FILL_FLAGS):
            more = (FLAG.SerializeToString(),) if query is _FILL_FLAGS else ()
            await connection.execute(query, there + 1, size, *more, timeout=600)
        there = size
        await connection.execute("vacuum analyze", timeout=600)
        for crowd in CROWDS:
            await told(world, size, crowd)
    await connection.close()


async def told(world: World, size: int, crowd: int) -> None:
    """One line; no slot was held twice."""
    await work(world, crowd, WARM_S)
    started, cpu_s = time.monotonic(), cpu(world.process)
    done = await work(world, crowd, MEASURED_S)
    took_s, cpu_s = time.monotonic() - started, cpu(world.process) - cpu_s
    cycles = len(done.submit_s)
    if len(set(done.task_ids)) != cycles:
        raise SystemExit("a task with one slot was answered twice")
    times = [1000 * t for s in (done.next_s, done.submit_s) for t in (statistics.median(s), p99(s))]
    figures = [*(f"{ms:.1f}" for ms in times), f"{cycles / took_s:.0f}", f"{1000 * cpu_s / cycles:.2f}"]
    print(" | ".join(f"{one:>12}" for one in [str(size), str(crowd), *figures]), flush=True)


async def work(world: World, crowd: int, seconds: float) -> Timed:
    """Annotators who take a task and answer it, until the time is over."""
    done, until = Timed(), time.monotonic() + seconds

    async def annotate(token: str) -> None:
        async with channel(world.address, token=token) as one:
            stub = LabelingServiceStub(one)
            while time.monotonic() < until:
                started = time.monotonic()
                given = await stub.NextTask(pb.NextTaskRequest(project_id="bench"), timeout=30)
                done.next_s.append(time.monotonic() - started)
                request = pb.SubmitAnnotationRequest(
                    label_task_id=given.label_task.label_task_id,
                    regions=[Region(whole=Whole(), label="boot")],
                    request_id=str(uuid4()),
                )
                started = time.monotonic()
                await stub.SubmitAnnotation(request, timeout=30)
                done.submit_s.append(time.monotonic() - started)
                done.task_ids.append(request.label_task_id)

    await asyncio.gather(*(annotate(token) for token in world.tokens[:crowd]))
    return done


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return sorted(seconds)[min(int(0.99 * len(seconds)), len(seconds) - 1)]


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Kafka with the topics, PostgreSQL, and labeling."""
    claims, started = ports.PortClaims(), []
    postgres = Postgres(folder=folder / "postgres", port=claims.claim_any(), password=token_hex(16), durable=True)
    kafka = Kafka(folder=folder / "kafka", port=claims.claim_any(), controller_port=claims.claim_any())
    tokens, port = folder / "tokens.json", claims.claim_any()
    try:
        for server in (postgres, kafka):
            server.folder.mkdir()
            server.prepare()
            started.append(children.start(server.command(), log=server.folder / "log", folder=server.folder))
        while not (postgres.is_ready() and ports.accepts(kafka.port)):
            time.sleep(0.1)
        topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers, prefix="")
        url, address = postgres.url("postgres"), f"127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"],
            "LABELING_DATABASE_URL": url,
            "LABELING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "LABELING_LISTEN_ADDRESS": address,
            "LABELING_METRICS_ADDRESS": "127.0.0.1:0",
            "LABELING_TOKENS_FILE": str(tokens),
            "LABELING_TOKEN": token_file.add(tokens, subject="labeling", role="service"),
        }
        people = [token_file.add(tokens, subject=f"annotator-{n}", role="annotator") for n in range(max(CROWDS))]
        command = [sys.executable, "-m", "relearn_labeling"]
        service = children.start(command, log=folder / "labeling.log", environment=environment, folder=folder)
        started.append(service)
        while not ports.accepts(port):
            time.sleep(0.1)
        yield World(database_url=url, address=address, process=psutil.Process(service.pid), tokens=people)
    finally:
        for child, gently in zip(reversed(started), (signal.SIGTERM, signal.SIGTERM, signal.SIGINT), strict=False):
            children.stop(child, gently=gently, grace_s=STOP_GRACE_S)
        claims.release()


if __name__ == "__main__":
    main()
