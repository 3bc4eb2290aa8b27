"""The fixtures that every integration test stands on: a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import timedelta

import asyncpg
from kafka import KafkaAdminClient

from relearn_contracts.topics import all_topics
from relearn_local import children, postgres, topics
from relearn_local.postgres import Postgres
from relearn_local.testing import KafkaForTest


async def test_each_test_has_an_empty_database_of_a_current_postgresql(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)

    tables = await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'")
    version = connection.get_server_version()
    await connection.close()

    assert (tables, version.major) == (0, 18)


def test_each_test_has_the_topics_of_the_contracts_under_its_own_prefix(kafka: KafkaForTest) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)

    names = set(admin.list_topics())
    admin.close()

    assert {kafka.topic_prefix + topic.name for topic in all_topics()} <= names


def test_applying_topics_again_changes_nothing_and_finds_no_mismatch(kafka: KafkaForTest) -> None:
    again = topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers, prefix=kafka.topic_prefix)

    assert again == topics.Applied(created=(), mismatches=())


def test_a_topic_that_does_not_match_its_file_is_reported_and_left_alone(kafka: KafkaForTest) -> None:
    name = kafka.topic_prefix + "other"
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.create_topics({name: {"num_partitions": 1, "configs": {"cleanup.policy": "compact"}}}, wait_for_metadata=True)
    wanted = replace(all_topics()[0], name="other", partitions=3, cleanup="delete", retention=timedelta(days=1))

    applied = topics.apply([wanted], bootstrap_servers=kafka.bootstrap_servers, prefix=kafka.topic_prefix)
    partitions = len(admin.describe_topics([name])[0]["partitions"])
    admin.close()

    assert applied.created == ()
    assert applied.mismatches == (
        f"{name}: 1 partitions, its file says 3",
        f"{name}: cleanup.policy is compact, its file says delete",
        f"{name}: retention.ms is 604800000, its file says 86400000",
    )
    assert partitions == 1


def test_postgresql_runs_where_nobody_else_may_enter(tmp_path, test_ports, monkeypatch):
    private = tmp_path / "private"
    installed = postgres.binaries().parent
    package = installed.parent
    shutil.copytree(installed, private / package.name / installed.name, symlinks=True)
    shutil.copytree(package.with_name(package.name + ".libs"), private / (package.name + ".libs"))
    private.chmod(0o700)
    monkeypatch.setattr(postgres, "binaries", lambda: private / package.name / installed.name / "bin")
    server = Postgres(folder=private, port=test_ports.claim_any(), password="secret", durable=False)

    server.prepare()
    child = children.start(server.command(), log=tmp_path / "log")
    ready = eventually(server.is_ready)
    children.stop(child, gently=postgres.STOP_SIGNAL, grace_s=60)

    assert ready, (tmp_path / "log").read_text()
    assert child.returncode == 0


def eventually(condition, *, deadline_s: float = 60.0) -> bool:
    give_up = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True
