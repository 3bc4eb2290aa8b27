"""A gateway is killed (SIGKILL) under traffic: what it has numbered is in Kafka, or a gap."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc.aio as triton
from own_broker import OwnBroker
from serving_loop import image_input, png
from test_tap import TOPIC
from tritonclient.utils import InferenceServerException

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_runtime import new_id
from relearn_runtime.testing import eventually
from relearn_serving.gateway.identity import Identity


class Process:
    """A gateway in a process of its own, at one address over all its lives."""

    def __init__(self, config: Any) -> None:
        fields = config.model_dump(exclude_none=True)
        settings = {f"GATEWAY_{name.upper()}": str(value) for name, value in fields.items()}
        settings["GATEWAY_TOKEN"] = config.token.get_secret_value()
        self._environment = {**os.environ, **settings}
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "relearn_serving.gateway"]
        self._child = subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL)

    def end(self, number: int) -> int:
        """Sends a signal and waits; the exit code."""
        assert self._child is not None
        self._child.send_signal(number)
        return self._child.wait(60)

    def clean_up(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self.end(signal.SIGKILL)


class Products:
    """They go on asking whatever happens, and remember which predictions they were given."""

    def __init__(self, address: str) -> None:
        self.given: set[str] = set()
        self._address = address
        self._stopping = False
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(3)]

    async def _ask(self, number: int) -> None:
        given = [image_input(png(40 * number + 20))]
        async with triton.InferenceServerClient(self._address) as client:
            while not self._stopping:
                try:
                    result = await client.infer("shop", given, client_timeout=10)
                except InferenceServerException:
                    await asyncio.sleep(0.05)
                    continue
                self.given.add(f"{result.get_response().parameters['prediction_id'].string_param}/0")
                await asyncio.sleep(0.002)

    async def are_given(self, more: int) -> None:
        wanted = len(self.given) + more
        await eventually(lambda: len(self.given) >= wanted)

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def stopped_at_the_end(process: Process) -> AsyncIterator[Process]:
    try:
        yield process
    finally:
        process.clean_up()


def told(broker: OwnBroker) -> dict[int, set[str]]:
    """Prediction ids in the topic by their number."""
    found: dict[int, set[str]] = {}
    for record in broker.records(TOPIC.name, TOPIC.partitions):
        prediction = PredictionMade.FromString(record.value or b"")
        found.setdefault(prediction.sequence, set()).add(prediction.prediction_id)
    return found


async def arrived(broker: OwnBroker, *, more_than: int) -> None:
    """Waits while the products go on."""

    async def enough() -> bool:
        return len(await asyncio.to_thread(told, broker)) > more_than

    await eventually(enough)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "killed"


async def test_numbers_told_and_gaps_are_the_numbers_drawn(
    the_loop: Any, own_broker: OwnBroker, test_ports: Any, spool: Path
) -> None:
    await the_loop.apply()
    await the_loop.judge(the_loop.registry.add("shop", 1))
    await the_loop.route_is(lambda route: route.revision == 1)
    address = f"127.0.0.1:{test_ports.claim_any()}"
    config = the_loop.gateway_config(
        "killed",
        listen_address=address,
        kafka_bootstrap_servers=own_broker.bootstrap_servers,
        kafka_topic_prefix="",
    )
    async with stopped_at_the_end(Process(config)) as gateway:
        gateway.start()
        products = Products(address)

        await arrived(own_broker, more_than=200)
        assert gateway.end(signal.SIGKILL) == -signal.SIGKILL  # with numbers in librdkafka's hands
        gateway.start()
        await products.are_given(100)
        own_broker.kill()
        await eventually(lambda: spooled(spool) > 200_000)
        gateway.end(signal.SIGKILL)  # with predictions on its disk
        waiting = spooled(spool)
        own_broker.start()
        before = len(await asyncio.to_thread(told, own_broker))
        gateway.start()
        await arrived(own_broker, more_than=before)
        gateway.end(signal.SIGKILL)  # amid, or just after, their replay
        gateway.start()
        await products.are_given(100)
        await eventually(lambda: spooled(spool) == 0)
        await products.stop()
        assert gateway.end(signal.SIGTERM) == 0

    identity = Identity(spool, new_id=new_id)
    numbers = told(own_broker)
    gaps = set(range(1, identity.last + 1)) - numbers.keys()
    known = {each for ids in numbers.values() for each in ids}
    assert len(numbers) + len(gaps) == identity.last
    assert max(numbers) == identity.last, "the last life ended cleanly"
    assert all(len(ids) == 1 for ids in numbers.values()), "no number is used twice"
    assert len(products.given - known) <= len(gaps), "no prediction is missing that is not counted"
    assert waiting > 0
    assert len(gaps) < len(numbers) / 2
    identity.close()


def spooled(folder: Path) -> int:
    """Bytes of predictions that wait on the disk."""
    return sum(path.stat().st_size for path in (folder / "spool").glob("*.spool"))
