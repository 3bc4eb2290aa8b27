"""The real servers under the real supervisor."""

from __future__ import annotations

import asyncio
import os
import signal

import asyncpg
import pytest

from relearn_local import local, prepare
from relearn_local.ports import PortClaims
from relearn_local.stack import Home
from relearn_local.supervisor import Supervisor

kafka = pytest.mark.parametrize("servers", ["kafka"], indirect=True)
postgres = pytest.mark.parametrize("servers", ["postgres"], indirect=True)


@pytest.fixture
async def servers(request, tmp_path):
    """One server of the local stack, named by the mark, kept by a supervisor; its home and its ports."""
    home = Home(path=tmp_path / "Bilder, für Jörg")  # Kafka reads its settings as Latin-1 and splits at commas
    home.make()
    with PortClaims() as claims:
        port = {name: claims.claim_any() for name in local.DEFAULT_PORTS}
        processes = local.processes(home, port=port, secret=local.secrets(home))
        kept = [process for process in processes if process.name == request.param]
        supervisor = Supervisor(kept, on_change=lambda reports: None)
        running = asyncio.create_task(supervisor.run())
        yield supervisor, home, port
        supervisor.stop()
        await running


@kafka
async def test_a_killed_broker_is_back_with_what_it_had(servers):
    supervisor, home, port = servers
    broker = f"127.0.0.1:{port['kafka']}"
    await until(lambda: state(supervisor, "kafka") == ("running", 0))
    await asyncio.to_thread(create_topic, broker, "kept")

    os.kill(pid(supervisor, "kafka"), signal.SIGKILL)
    await until(lambda: state(supervisor, "kafka") == ("running", 1))

    assert await asyncio.to_thread(topic_names, broker) == ["kept"]
    assert [path.name for path in home.path.parent.iterdir()] == [home.path.name]  # nothing was written beside it


@postgres
async def test_a_killed_database_server_is_back_with_what_it_had(servers):
    supervisor, home, port = servers
    await until(lambda: state(supervisor, "postgres") == ("running", 0))
    password = local.secrets(home).postgres_password
    server = f"postgresql://postgres:{password}@127.0.0.1:{port['postgres']}/postgres"
    own = f"postgresql://labeling:secret@127.0.0.1:{port['postgres']}/labeling"
    await prepare.databases(server, {"labeling": own})
    await execute(own, "create table kept ()")

    os.kill(pid(supervisor, "postgres"), signal.SIGKILL)
    await until(lambda: state(supervisor, "postgres") == ("running", 1))
    await prepare.databases(server, {"labeling": own})  # waits for the recovery, and changes nothing

    await execute(own, "insert into kept default values")


@postgres
async def test_a_service_cannot_connect_to_the_database_of_another_one(servers):
    supervisor, home, port = servers
    await until(lambda: state(supervisor, "postgres") == ("running", 0))
    password = local.secrets(home).postgres_password
    address = f"127.0.0.1:{port['postgres']}"
    urls = {name: f"postgresql://{name}:secret@{address}/{name}" for name in ("labeling", "training")}
    await prepare.databases(f"postgresql://postgres:{password}@{address}/postgres", urls)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(f"postgresql://labeling:secret@{address}/training", "select 1")


def state(supervisor: Supervisor, name: str) -> tuple[str, int]:
    report = next(report for report in supervisor.reports if report.name == name)
    return report.state, report.restarts


def pid(supervisor: Supervisor, name: str) -> int:
    found = next(report for report in supervisor.reports if report.name == name).pid
    assert found is not None
    return found


async def until(condition, *, deadline_s: float = 60.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.05)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def create_topic(broker: str, name: str) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()


def topic_names(broker: str) -> list[str]:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=broker)
    names = admin.list_topics()
    admin.close()
    return list(names)
