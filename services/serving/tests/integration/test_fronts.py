"""The native front on its own: whom it answers while it stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import grpc
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from relearn_runtime.testing import eventually
from relearn_serving.gateway.fronts import NativeFront
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

    def idle(self) -> None: ...


class Callers:
    """Many that never stop asking until they are refused."""

    def __init__(self) -> None:
        self.answered = 0
        self.refused: list[grpc.aio.AioRpcError] = []

    async def ask(self, channel: grpc.aio.Channel) -> None:
        stub = GRPCInferenceServiceStub(channel)
        while True:
            try:
                await stub.ModelInfer(oip.ModelInferRequest(model_name="shop"), timeout=20)
                self.answered += 1
            except grpc.aio.AioRpcError as error:
                self.refused.append(error)
                return


async def test_a_stop_loses_no_answer_that_was_given() -> None:
    answering, callers = Answering(), Callers()
    front = NativeFront("127.0.0.1:0", fallback="/nonexistent", engine=answering, max_bytes=1 << 20)
    front.start()
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{front.port}", [("n", n)]) for n in range(CHANNELS)]
    asking = [asyncio.create_task(callers.ask(channel)) for channel in channels for _ in range(CALLERS)]
    await eventually(lambda: callers.answered > 10 * len(asking))

    await asyncio.to_thread(front.stop, deadline_s=10.0)
    await asyncio.gather(*asking)
    for channel in channels:
        await channel.close()

    assert callers.answered == answering.answered
    assert {error.code() for error in callers.refused} == {grpc.StatusCode.UNAVAILABLE}
    told = [error for error in callers.refused if (error.details() or "").startswith("SHUTTING_DOWN: ")]
    assert len(told) > len(asking) / 2, "whose connection lived was told why"
