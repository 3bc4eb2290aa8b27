"""The fixture `the_loop`; makes `serving_loop` importable: test modules are loaded one by one, not as a package."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from relearn.registry.v1.registry_service_pb2_grpc import add_RegistryServiceServicer_to_server
from relearn_runtime import new_id, utc_now
from relearn_serving.control.app import build
from relearn_serving.control.config import Config as ControlConfig
from relearn_serving.gateway.decoding import Workers

sys.path.insert(0, str(Path(__file__).parent))
from own_broker import OwnBroker
from serving_loop import Loop, Registry


@pytest.fixture
async def the_loop(postgres_url: str, kafka: Any, tokens: Any, test_ports: Any, tmp_path: Path) -> AsyncIterator[Loop]:
    store = tmp_path / "objects"
    store.mkdir()
    registry = Registry(store)
    server = grpc.aio.server()
    add_RegistryServiceServicer_to_server(registry, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    config = ControlConfig(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_topic_prefix=kafka.topic_prefix,
        listen_address=f"127.0.0.1:{test_ports.claim_any()}",  # it is stopped and started again there
        metrics_address="127.0.0.1:0",
        tokens_file=tokens.path,
        token=tokens.of("service"),
        database_url=postgres_url,
        drain_timeout_s=1.0,
    )
    control = build(config, new_id=new_id, now=utc_now)
    await control.start()
    made = Loop(
        kafka=kafka,
        tokens=tokens,
        registry=registry,
        registry_address=f"127.0.0.1:{port}",
        store_url=f"file://{store}",
        folder=tmp_path,
        control=control,
        control_config=config,
    )
    try:
        yield made
    finally:
        for gateway in made.gateways:
            await gateway.stop()
        await made.control_channel.close()
        await made.control.stop()
        await server.stop(None)


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the requests that were given to the decoding threads so far."""
    given: list[int] = []
    submit = Workers.submit

    def noted(workers: Workers, work: Callable[[], None], *, size_bytes: int) -> None:
        submit(workers, work, size_bytes=size_bytes)
        given.append(size_bytes)

    monkeypatch.setattr(Workers, "submit", noted)
    return given


@pytest.fixture
def own_broker(tmp_path: Path, test_ports: Any) -> Iterator[OwnBroker]:
    broker = OwnBroker(tmp_path / "kafka", test_ports)
    broker.start()
    yield broker
    broker.kill()
