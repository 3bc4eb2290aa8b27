"""A small service on the real contracts (`ledger_service`), and what the tests share."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ledger_service.app import Config, build

from relearn_runtime import Service, new_id, utc_now

StartService: TypeAlias = Callable[..., Awaitable[Service]]


@pytest.fixture
def settings(postgres_url: str, kafka: Any, tokens: Any) -> dict[str, Any]:
    """Settings of the ledger service on this test's own database and topics."""
    return {
        "database_url": postgres_url,
        "kafka_bootstrap_servers": kafka.bootstrap_servers,
        "kafka_topic_prefix": kafka.topic_prefix,
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "tokens_file": tokens.path,
        "token": tokens.of("service"),
        "drain_timeout_s": 3.0,
    }


@pytest.fixture
async def start(settings: dict[str, Any]) -> AsyncIterator[StartService]:
    """Starts ledger services; stops them at the end."""
    running: list[Service] = []

    async def make(**changes: Any) -> Service:
        service = build(Config(**(settings | changes)), new_id=new_id, now=utc_now)
        running.append(service)
        await service.start()
        return service

    yield make
    for service in running:
        await service.stop()


@pytest.fixture
async def sql(postgres_url: str) -> AsyncIterator[Callable[..., Awaitable[list[Any]]]]:
    """Runs a query in this test's database; rows as tuples."""
    connections: list[Any] = []

    async def fetch(query: str, *arguments: Any) -> list[Any]:
        if not connections or connections[0].is_closed():
            connections[:] = [await asyncpg.connect(postgres_url)]
        return [tuple(row) for row in await connections[0].fetch(query, *arguments)]

    yield fetch
    for connection in connections:
        connection.terminate()
