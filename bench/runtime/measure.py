"""What an event costs in the runtime: `python bench/runtime/measure.py [--events N]`.

A Kafka and a PostgreSQL (with fsync) of its own, one service process. CPU is that process's own, user and system, with
what it takes when idle taken off. The commit rate beside it is the server's: transactions of one row and one event,
16 connections at once, no Kafka.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import asyncpg
import psutil
from confluent_kafka import Producer

from relearn.monitoring.v1.events_pb2 import ShadowCompared
from relearn_contracts.topics import all_topics
from relearn_local import children, ports, topics
from relearn_local import tokens as token_file
from relearn_local.kafka import STOP_GRACE_S, Kafka
from relearn_local.postgres import Postgres
from relearn_runtime import Store, Transaction, database, new_id, schema, utc_now
from relearn_runtime.envelope import encode
from relearn_runtime.kafka import producer_settings

SERVICE = Path(__file__).parent / "service.py"
KEYS = 12
PACE = 100
PACED_S = 12
IDLE_S = 5
COMMITS_S = 4
CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The two servers, and the service's settings for them."""

    database_url: str
    bootstrap_servers: str
    environment: Mapping[str, str]
    folder: Path


def main() -> None:
    """Prints one line a way of working."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3000, help="single events that wait at the start; batches: 10x")
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as world:
        asyncio.run(measure(world, events))


async def measure(world: World, events: int) -> None:
    """Catching up with what waits, then a steady stream; one event at a time, then in batches."""
    connection = await asyncpg.connect(world.database_url)
    await make_tables(connection)
    print(f"{'':32} | {'events/s':>8} | {'CPU µs/event':>12}")
    sent = 0
    for name, batch, count in (("single", False, events), ("batch", True, 10 * events)):
        await connection.execute("truncate ledger")
        send(world, range(sent, sent + count))
        sent += count
        expected = sent if batch else count  # batches are a group of their own and begin at the beginning
        with service(world, batch=batch) as process:
            rate, cpu_us = await catching_up(connection, process, expected)
            print(f"{f'{name}, {expected} waiting':32} | {rate:8.0f} | {cpu_us:12.0f}", flush=True)
            idle = await idle_share(process)
            cpu_us = await steadily(world, connection, process, idle, first=sent, before=expected)
            sent += PACE * PACED_S
            print(f"{f'{name}, {PACE} a second':32} | {'':8} | {cpu_us:12.0f}", flush=True)
            print(f"{f'{name}, idle: share of a core':32} | {'':8} | {100 * idle:11.1f}%", flush=True)
    print(f"{f'commits, {CONNECTIONS} connections':32} | {await commits_a_second(world):8.0f} |")
    await connection.close()


async def catching_up(connection: Any, process: psutil.Process, count: int) -> tuple[float, float]:
    """Events a second and CPU µs an event, from the first tenth to the last event and its answer."""
    tenth = await until(connection, count // 10)
    started, cpu_s = time.monotonic(), cpu(process)
    await until(connection, count, answered=True)
    handled = count - tenth
    return handled / (time.monotonic() - started), 1e6 * (cpu(process) - cpu_s) / handled


async def steadily(
    world: World, connection: Any, process: psutil.Process, idle: float, *, first: int, before: int
) -> float:
    """CPU µs an event when they come one after the other."""
    started, cpu_s = time.monotonic(), cpu(process)
    count = PACE * PACED_S
    for number in range(count):
        await asyncio.sleep(started + number / PACE - time.monotonic())
        send(world, [first + number])
    await until(connection, before + count, answered=True)
    return 1e6 * (cpu(process) - cpu_s - idle * (time.monotonic() - started)) / count


async def idle_share(process: psutil.Process) -> float:
    """CPU seconds a second when nothing comes."""
    await asyncio.sleep(1)
    cpu_s = cpu(process)
    await asyncio.sleep(IDLE_S)
    return (cpu(process) - cpu_s) / IDLE_S


async def until(connection: Any, count: int, *, answered: bool = False) -> int:
    """Waits until so many are written (and their answers gone out); how many there are."""
    while True:
        written = await connection.fetchval("select count(*) from ledger")
        waiting = await connection.fetchval("select count(*) from outbox") if answered else 0
        if written >= count and not waiting:
            return int(written)
        await asyncio.sleep(0.05)


async def commits_a_second(world: World) -> float:
    """How many transactions of one row and one event the server commits."""
    store = Store(database(world.database_url, pool_size=CONNECTIONS), Transaction)
    give_up = time.monotonic() + COMMITS_S

    async def commit() -> int:
        done = 0
        while time.monotonic() < give_up:
            async with store.transaction() as tx:
                await tx.outbox.add(ShadowCompared(project_id="p"))
            done += 1
        return done

    done = await asyncio.gather(*(commit() for _ in range(CONNECTIONS)))
    await store.database.close()
    return sum(done) / COMMITS_S


def send(world: World, numbers: range | list[int]) -> None:
    """Puts events into their topic, spread over some keys."""
    producer = _producers.setdefault(
        world.bootstrap_servers, Producer(producer_settings(world.bootstrap_servers, client_id="bench"))
    )
    for number in numbers:
        event = ShadowCompared(project_id=f"p{number % KEYS}", pairs=number)
        record = encode(event, id=new_id(), time=utc_now())
        producer.produce(record.topic, record.value, record.key, headers=list(record.headers or ()))
        if number % 1000 == 999:
            producer.flush(10)
    producer.flush(10)


_producers: dict[str, Producer] = {}


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def make_tables(connection: Any) -> None:
    """The runtime's tables and the service's one."""
    statements: list[str] = []

    class Noting:
        def execute(self, sqltext: str) -> None:
            statements.append(sqltext)

    schema.create(Noting())
    for statement in [*statements, "create table ledger (number bigint not null)"]:
        await connection.execute(statement)


@contextmanager
def service(world: World, *, batch: bool) -> Iterator[psutil.Process]:
    """The service's process while the block runs."""
    log = world.folder / "service.log"
    environment = {**world.environment, "BENCH_BATCH": str(batch)}
    child = children.start([sys.executable, str(SERVICE)], log=log, environment=environment, folder=world.folder)
    try:
        yield psutil.Process(child.pid)
    finally:
        children.stop(child, gently=signal.SIGTERM, grace_s=20)


@contextmanager
def servers(folder: Path) -> Iterator[World]:
    """Kafka with the topics, and PostgreSQL."""
    claims, running = ports.PortClaims(), []
    postgres = Postgres(folder=folder / "postgres", port=claims.claim_any(), password=token_hex(16), durable=True)
    kafka = Kafka(folder=folder / "kafka", port=claims.claim_any(), controller_port=claims.claim_any())
    try:
        for server in (postgres, kafka):
            server.folder.mkdir()
            server.prepare()
            running.append(children.start(server.command(), log=server.folder / "log", folder=server.folder))
        while not (postgres.is_ready() and ports.accepts(kafka.port)):
            time.sleep(0.1)
        topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers, prefix="")
        url = postgres.url("postgres")
        tokens = folder / "tokens.json"
        environment = {
            "PATH": os.environ["PATH"],
            "BENCH_DATABASE_URL": url,
            "BENCH_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "BENCH_LISTEN_ADDRESS": "127.0.0.1:0",
            "BENCH_METRICS_ADDRESS": "127.0.0.1:0",
            "BENCH_TOKENS_FILE": str(tokens),
            "BENCH_TOKEN": token_file.add(tokens, subject="bench", role="service"),
        }
        yield World(database_url=url, bootstrap_servers=kafka.bootstrap_servers, environment=environment, folder=folder)
    finally:
        for child, gently in zip(running, (signal.SIGINT, signal.SIGTERM), strict=False):
            children.stop(child, gently=gently, grace_s=STOP_GRACE_S)
        claims.release()


if __name__ == "__main__":
    main()
