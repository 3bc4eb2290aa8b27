"""Copies of versions and models on the gateway's disk: used when they are whole, fetched anew when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from obstore.store import LocalStore
from serving_loop import Registry

from relearn.registry.v1.registry_service_pb2_grpc import add_RegistryServiceServicer_to_server
from relearn_media import ImageLimits
from relearn_serving.gateway.clients import RegistryVersions
from relearn_serving.gateway.model_files import ModelFiles


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[tuple[Registry, grpc.aio.Channel]]:
    (tmp_path / "objects").mkdir()
    registry = Registry(tmp_path / "objects")
    server = grpc.aio.server()
    add_RegistryServiceServicer_to_server(registry, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield registry, channel
    await server.stop(None)


def files(folder: Path, channel: grpc.aio.Channel) -> ModelFiles:
    return ModelFiles(
        versions=RegistryVersions(channel, folder / "versions", asyncio.get_running_loop()),
        store=LocalStore(folder / "objects"),
        directory=folder / "models",
        limits=ImageLimits(),
    )


@pytest.mark.parametrize("damaged", [b"", b"\xff\xff\xff", b"\x0a\x0cother/model/"])
async def test_a_damaged_copy_of_a_version_is_fetched_again(
    registry: tuple[Registry, grpc.aio.Channel], tmp_path: Path, damaged: bytes
) -> None:
    known, channel = registry
    version = known.add("shop", 1)
    loader = files(tmp_path, channel)
    await asyncio.to_thread(loader.load, version)
    (copy,) = (tmp_path / "versions").iterdir()
    whole = copy.read_bytes()
    copy.write_bytes(damaged)

    model = await asyncio.to_thread(loader.load, version)

    assert model.model_version_id == version
    assert known.asked == 2
    assert copy.read_bytes() == whole


async def test_threads_that_load_one_version_at_once_do_not_meet(
    registry: tuple[Registry, grpc.aio.Channel], tmp_path: Path
) -> None:
    known, channel = registry
    version = known.add("shop", 1)
    loader = files(tmp_path, channel)

    models = await asyncio.gather(*(asyncio.to_thread(loader.load, version) for _ in range(8)))

    assert {model.model_version_id for model in models} == {version}
    assert not list(tmp_path.rglob("*.partial"))
