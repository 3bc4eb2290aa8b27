"""Pytest plugin: a real PostgreSQL and a real Kafka, started once a run, fresh databases and topics a test.

It is found by its entry point; nothing has to be imported. What only some tests need is imported by its fixture,
for every run of pytest loads this module.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from relearn_local import children
from relearn_local import kafka as kafka_server
from relearn_local import postgres as postgres_server
from relearn_local import tokens as token_file
from relearn_local.kafka import Kafka
from relearn_local.ports import PortClaims, accepts
from relearn_local.postgres import Postgres

START_DEADLINE_S = 90.0


class ServerDidNotStart(Exception):
    """A server of the test run ended or was not ready in time; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaForTest:
    """The run's broker and this test's own topics."""

    bootstrap_servers: str
    topic_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensForTest:
    """A tokens file that knows one subject a role, named `test-<role>`."""

    path: Path
    by_role: dict[str, str]

    def of(self, role: str) -> str:
        """The token of a role, one of `tokens.ROLES`."""
        return self.by_role[role]

    def add(self, *, subject: str, role: str) -> str:
        """A token for one more subject."""
        return token_file.add(self.path, subject=subject, role=role)


@pytest.fixture(scope="session")
def pedestrians() -> Path:
    """A real video without sound: 795 frames of 768 x 576 pixels, 10 a second."""
    return _fetched("PEDESTRIANS") / "vtest.avi"


@pytest.fixture(scope="session")
def prompts() -> Path:
    """A folder of 568 spoken prompts, 8 kHz mono WAV, such as `digits/7.wav`."""
    return _fetched("PROMPTS")


@pytest.fixture(scope="session")
def speeches() -> Path:
    """A folder of State of the Union addresses, UTF-8, such as `1790_george_washington_n.txt`."""
    return _fetched("SPEECHES")


def _fetched(name: str) -> Path:
    from relearn_local import real_data

    try:
        return real_data.fetched(getattr(real_data, name))
    except real_data.DataUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"real data is missing: {error}")
        pytest.skip(f"real data is missing: {error}")


@pytest.fixture(scope="session")
def test_ports() -> Iterator[PortClaims]:
    """Free ports that no other test run or stack takes meanwhile: `test_ports.claim_any()`."""
    claims = PortClaims()
    yield claims
    claims.release()


@pytest.fixture(scope="session")
def postgres_server_of_run(tmp_path_factory: pytest.TempPathFactory, test_ports: PortClaims) -> Iterator[Postgres]:
    """One PostgreSQL for the run, without fsync."""
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder=folder, port=test_ports.claim_any(), password=token_hex(16), durable=False)
    server.prepare()
    child = children.start(server.command(), log=folder / "log", folder=folder)
    _wait(child, server.is_ready, folder / "log", "PostgreSQL")
    yield server
    children.stop(child, gently=postgres_server.STOP_SIGNAL, grace_s=postgres_server.STOP_GRACE_S)


@pytest.fixture
def postgres_url(postgres_server_of_run: Postgres) -> Iterator[str]:
    """postgresql:// URL of a fresh, empty database, dropped after the test."""
    name = f"test_{token_hex(8)}"
    asyncio.run(_execute(postgres_server_of_run, f'create database "{name}"'))
    yield postgres_server_of_run.url(name)
    asyncio.run(_execute(postgres_server_of_run, f'drop database "{name}" with (force)'))


@pytest.fixture(scope="session")
def kafka_server_of_run(tmp_path_factory: pytest.TempPathFactory, test_ports: PortClaims) -> Iterator[Kafka]:
    """One broker for the run."""
    folder = tmp_path_factory.mktemp("kafka")
    server = Kafka(folder=folder, port=test_ports.claim_any(), controller_port=test_ports.claim_any())
    server.prepare()
    child = children.start(server.command(), log=folder / "log", folder=folder)
    _wait(child, lambda: accepts(server.port), folder / "log", "Kafka")
    yield server
    children.stop(child, gently=kafka_server.STOP_SIGNAL, grace_s=kafka_server.STOP_GRACE_S)


@pytest.fixture
def kafka(kafka_server_of_run: Kafka) -> Iterator[KafkaForTest]:
    """The broker with all topics of the contracts under a prefix of this test's own, deleted after the test.

    Left behind, they slow the broker down from test to test: a run makes some 15,000 partitions.
    """
    from relearn_contracts.topics import all_topics
    from relearn_local import topics

    prefix = f"t{token_hex(6)}."
    servers = kafka_server_of_run.bootstrap_servers
    topics.apply(all_topics(), bootstrap_servers=servers, prefix=prefix)
    yield KafkaForTest(bootstrap_servers=servers, topic_prefix=prefix)
    topics.delete(prefix, bootstrap_servers=servers)


@pytest.fixture
def tokens(tmp_path: Path) -> TokensForTest:
    """A tokens file with one token a role."""
    path = tmp_path / "tokens.json"
    by_role = {role: token_file.add(path, subject=f"test-{role}", role=role) for role in token_file.ROLES}
    return TokensForTest(path=path, by_role=by_role)


async def _execute(server: Postgres, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _wait(child: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path, name: str) -> None:
    give_up = time.monotonic() + START_DEADLINE_S
    while not is_ready():
        if children.has_ended(child) or time.monotonic() > give_up:
            children.finish(child)
            raise ServerDidNotStart(f"{name} did not start; the end of its log:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
