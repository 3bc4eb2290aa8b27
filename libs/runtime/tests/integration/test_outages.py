"""Kafka or PostgreSQL away: everything waits, nothing is parked, and all goes on when they are back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import grpc
import pytest
from events import compared
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ledger_service.app import Config, build
from servers import Machine, Process

from relearn.monitoring.v1.events_pb2 import WindowClosed
from relearn.monitoring.v1.monitoring_service_pb2 import GetMonitoringRequest
from relearn.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceStub
from relearn_contracts.topics import all_topics
from relearn_local import topics
from relearn_local.kafka import Kafka
from relearn_local.ports import accepts
from relearn_local.postgres import Postgres
from relearn_runtime import channel, new_id, utc_now
from relearn_runtime.errors import DependencyUnavailable
from relearn_runtime.rpc_errors import translated
from relearn_runtime.testing import collect, eventually, publish


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: Any, test_ports: Any) -> Any:
    folder = tmp_path_factory.mktemp("own-postgres")
    server = Postgres(folder=folder, port=test_ports.claim_any(), password="of-a-test", durable=True)
    server.prepare()
    machine = Machine(server, ready=server.is_ready, stop_signal=signal.SIGINT, folder=folder)
    yield SimpleNamespace(machine=machine, url=server.url("postgres"))
    machine.stop()


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: Any, test_ports: Any) -> Any:
    folder = tmp_path_factory.mktemp("own-kafka")
    server = Kafka(folder=folder, port=test_ports.claim_any(), controller_port=test_ports.claim_any())
    server.prepare()
    machine = Machine(server, ready=lambda: accepts(server.port), stop_signal=signal.SIGTERM, folder=folder)
    yield SimpleNamespace(machine=machine, bootstrap_servers=server.bootstrap_servers, topic_prefix="own.")
    machine.stop()


@pytest.fixture
def query(own_postgres: Any) -> Any:
    async def run(text: str) -> list[Any]:
        connection = await asyncpg.connect(own_postgres.url, timeout=60)
        try:
            return [tuple(row) for row in await connection.fetch(text)]
        finally:
            await connection.close()

    return run


@pytest.fixture
async def stopping() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def ledger(query: Any, expected: list[int]) -> bool:
    found = [number for (number,) in await query("select number from ledger order by number")]
    assert found == expected, found
    return True


async def status(address: str) -> int:
    async with grpc.aio.insecure_channel(address) as opened:
        return (await health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest())).status


async def test_servers_come_late_are_killed_and_come_back(
    own_postgres: Any, own_kafka: Any, query: Any, tokens: Any, caplog: Any, stopping: AsyncExitStack
) -> None:
    settings = {
        "database_url": own_postgres.url,
        "kafka_bootstrap_servers": own_kafka.bootstrap_servers,
        "kafka_topic_prefix": own_kafka.topic_prefix,
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "tokens_file": tokens.path,
        "token": tokens.of("service"),
        "drain_timeout_s": 3,
    }
    service = build(Config(**settings), new_id=new_id, now=utc_now)
    stopping.push_async_callback(service.stop)

    # a start before both: it waits, and says so
    starting = asyncio.create_task(service.start())
    await eventually(lambda: "waiting for postgresql" in caplog.text)
    assert await status(service.address) == health_pb2.HealthCheckResponse.NOT_SERVING
    own_postgres.machine.start()
    await asyncio.wait_for(starting, 60)
    assert await status(service.address) == health_pb2.HealthCheckResponse.SERVING
    own_kafka.machine.start()
    topics.apply(all_topics(), bootstrap_servers=own_kafka.bootstrap_servers, prefix=own_kafka.topic_prefix)
    await publish(own_kafka, compared(1))
    await eventually(lambda: ledger(query, [1]))

    # PostgreSQL is killed under traffic
    own_postgres.machine.kill()
    for number in (2, 3):
        await publish(own_kafka, compared(number))
    await eventually(lambda: _is(service.address, health_pb2.HealthCheckResponse.NOT_SERVING))
    async with channel(service.address, token=tokens.of("engineer")) as opened:
        with pytest.raises(DependencyUnavailable):
            async with translated("ledger"):
                await MonitoringServiceStub(opened).GetMonitoring(GetMonitoringRequest(project_id="anyone"))
    own_postgres.machine.start()
    await eventually(lambda: ledger(query, [1, 2, 3]))

    # Kafka is killed: facts wait in the outbox
    await eventually(lambda: _outbox(query, 0))
    own_kafka.machine.kill()
    async with service._delivery.store.transaction() as tx:  # as an RPC would
        await tx.outbox.add(WindowClosed(project_id="rpc"))
    own_kafka.machine.start()
    await publish(own_kafka, compared(4))
    await eventually(lambda: ledger(query, [1, 2, 3, 4]))
    answers = await collect(own_kafka, WindowClosed, 5)

    assert sorted(event.key for event in answers) == ["p"] * 4 + ["rpc"]
    assert await query("select count(*) from parked") == [(0,)]
    await eventually(lambda: _is(service.address, health_pb2.HealthCheckResponse.SERVING))


async def _outbox(query: Any, expected: int) -> bool:
    return await query("select count(*) from outbox") == [(expected,)]


async def _is(address: str, expected: int) -> bool:
    found = await status(address)
    assert found == expected
    return True


async def test_a_killed_relay_has_a_successor(settings: Any, kafka: Any, sql: Any, tmp_path: Path) -> None:
    processes = [Process(settings, tmp_path / f"log{number}") for number in range(2)]
    await publish(kafka, compared(1))
    await collect(kafka, WindowClosed, 1)
    working = next(p for p in processes if "relay at work" in p.log.read_text())

    working.kill()
    await publish(kafka, compared(2))

    answers = await collect(kafka, WindowClosed, 2)
    assert [event.message.window.number for event in answers] == [1, 2]
    for process in processes:
        if process is not working:
            assert process.terminate() == 0
