"""The fronts on their own: whom they answer while they stop, and after a batch that failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
import pytest
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub, add_GRPCInferenceServiceServicer_to_server

from relearn_runtime.testing import eventually
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.fronts import AioFront, NativeFront
from relearn_serving.gateway.requests import Limits
from relearn_serving.gateway.rpc import InferenceRpc
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.work import Call

CHANNELS, CALLERS = 5, 30
ANSWER = oip.ModelInferResponse(model_name="shop").SerializeToString()


class Answering:
    """Answers every call, and counts."""

    def __init__(self) -> None:
        self.answered = 0
        self._lock = threading.Lock()

    def process(self, calls: Sequence[Call]) -> None:
        for call in calls:
            call.answer(ANSWER)
        with self._lock:
            self.answered += len(calls)


class FailingOnce(Answering):
    """Has a bug that the first batch finds."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = False

    def process(self, calls: Sequence[Call]) -> None:
        if not self.failed:
            self.failed = True
            raise RuntimeError("a bug")
        super().process(calls)


@asynccontextmanager
async def serving(front: str, engine: Answering) -> AsyncIterator[str]:
    """The address of a front before `engine`."""
    if front == "native":
        native = NativeFront("127.0.0.1:0", fallback="/nonexistent", process=engine.process, max_bytes=1 << 20)
        native.start()
        yield f"127.0.0.1:{native.port}"
        await asyncio.to_thread(native.stop, deadline_s=0.1)
        return
    aio, server = AioFront(engine.process), grpc.aio.server()
    aio.start()
    rpc = InferenceRpc(Current(), front=aio, counters=Counters(), limits=Limits(max_batch=1), server_version="test")
    add_GRPCInferenceServiceServicer_to_server(rpc, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)
    await asyncio.to_thread(aio.stop)


class Callers:
    """Many that never stop asking until they are refused."""

    def __init__(self) -> None:
        self.answered = 0
        self.refused: list[grpc.aio.AioRpcError] = []

    async def ask(self, channel: grpc.aio.Channel) -> None:
        stub = GRPCInferenceServiceStub(channel)
        while True:
            try:
                await stub.ModelInfer(oip.ModelInferRequest(model_name="shop"), timeout=60)
                self.answered += 1
            except grpc.aio.AioRpcError as error:
                self.refused.append(error)
                return


async def test_a_stop_loses_no_answer_that_was_given() -> None:
    answering, callers = Answering(), Callers()
    front = NativeFront("127.0.0.1:0", fallback="/nonexistent", process=answering.process, max_bytes=1 << 20)
    front.start()
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{front.port}", [("n", n)]) for n in range(CHANNELS)]
    asking = [asyncio.create_task(callers.ask(channel)) for channel in channels for _ in range(CALLERS)]
    await eventually(lambda: callers.answered > 10 * len(asking))

    await asyncio.to_thread(front.stop, deadline_s=60.0)
    await asyncio.gather(*asking)
    for channel in channels:
        await channel.close()

    assert callers.answered == answering.answered
    assert {error.code() for error in callers.refused} == {grpc.StatusCode.UNAVAILABLE}
    told = [error for error in callers.refused if (error.details() or "").startswith("SHUTTING_DOWN: ")]
    assert len(told) > len(asking) / 2, "whose connection lived was told why"


@pytest.mark.parametrize("front", ["native", "aio"])
async def test_a_batch_that_fails_ends_no_other(front: str) -> None:
    engine = FailingOnce()
    async with serving(front, engine) as address, grpc.aio.insecure_channel(address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        lost = asyncio.create_task(_asked(stub))
        await eventually(lambda: engine.failed)

        answer = await stub.ModelInfer(oip.ModelInferRequest(model_name="shop"), timeout=60)
        lost.cancel()
        await asyncio.wait([lost])

    assert answer.model_name == "shop"


async def _asked(stub: GRPCInferenceServiceStub) -> None:
    await stub.ModelInfer(oip.ModelInferRequest(model_name="shop"), timeout=60)
