"""Where calls come in: the native HTTP/2 front, or everything on grpc.aio. One engine behind both."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import grpc
from google.protobuf.message import DecodeError
from pygrpc_native import EVENT_CALL, NativeGrpcFront
from tritonclient.grpc import service_pb2 as oip

from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.refusals import MalformedRequest, RequestTooLarge, ShuttingDown
from relearn_serving.gateway.wire import DEADLINE_EXCEEDED, details, status_code, status_message
from relearn_serving.gateway.work import Call

log = logging.getLogger(__name__)


Process = Callable[[Sequence[Call]], None]

MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
_BATCH = 64
_SETTLE_S = 0.25  # answers were seen lost after 0, none after this
_EXPIRED = "DEADLINE_EXCEEDED: the deadline passed before the answer"


class _UnderWay:
    """How many calls wait for an answer."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def begin(self, calls: int) -> None:
        with self._changed:
            self._count += calls

    def end(self) -> None:
        with self._changed:
            self._count -= 1
            if not self._count:
                self._changed.notify_all()

    def wait_for_none(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._count, max(0.0, timeout_s))


class NativeCall:
    """A call of the native front."""

    __slots__ = (
        "_call_id",
        "_front",
        "_max_bytes",
        "_payload",
        "_under_way",
        "arrived",
        "deadline",
        "size_bytes",
        "traceparent",
    )

    def __init__(
        self,
        front: NativeGrpcFront,
        under_way: _UnderWay,
        call_id: int,
        payload: bytes,
        *,
        arrived: float,
        metadata: Sequence[tuple[str, str | bytes]],
        time_remaining_s: float | None,
        max_bytes: int,
    ) -> None:
        self._front = front
        self._under_way = under_way
        self._call_id = call_id
        self._payload = payload
        self._max_bytes = max_bytes
        self.size_bytes = len(payload)
        self.arrived = arrived
        self.deadline = None if time_remaining_s is None else arrived + time_remaining_s
        self.traceparent = ""
        for name, value in metadata:
            if name == "traceparent" and isinstance(value, str):
                self.traceparent = value

    def message(self) -> oip.ModelInferRequest:
        payload, self._payload = self._payload, b""  # parsed once; what waits should not hold it twice
        if len(payload) > self._max_bytes:
            raise RequestTooLarge(f"the request has {len(payload)} bytes; at most {self._max_bytes} are allowed")
        try:
            return oip.ModelInferRequest.FromString(payload)
        except DecodeError as error:
            raise MalformedRequest("the request is not an inference.ModelInferRequest") from error

    def answer(self, response: bytes) -> None:
        self._front.respond(self._call_id, response)
        self._under_way.end()

    def refuse(self, error: RelearnError) -> None:
        self._front.fail(self._call_id, status_code(error).value[0], status_message(error), details(error))
        self._under_way.end()

    def expire(self) -> None:
        self._front.fail(self._call_id, DEADLINE_EXCEEDED, _EXPIRED)
        self._under_way.end()


class NativeFront:
    """`ModelInfer` straight from Rust to one Python thread, in batches; the rest goes to the fallback socket."""

    def __init__(self, address: str, *, fallback: str, process: Process, max_bytes: int) -> None:
        self._front = NativeGrpcFront(address, [(MODEL_INFER, False)], io_threads=1, call_details=True)
        self._front.set_fallback(fallback)
        self._process = process
        self._max_bytes = max_bytes
        self._under_way = _UnderWay()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="front", daemon=True)

    @property
    def port(self) -> int:
        return self._front.bound_port

    def start(self) -> None:
        self._front.start()
        self._thread.start()

    def stop(self, *, deadline_s: float) -> None:
        """Refuses new calls, answers those under way until the deadline, then closes.

        `close` alone would cut off calls under way, and answers that are given but not yet written to their
        connections; the front does not tell when they are, hence the pause.
        """
        until = time.monotonic() + deadline_s
        self._stopping = True
        self._under_way.wait_for_none(deadline_s)
        time.sleep(min(_SETTLE_S, max(0.0, until - time.monotonic())))
        self._under_way.wait_for_none(until - time.monotonic())
        self._front.close()
        self._thread.join()

    def _serve(self) -> None:
        while (events := self._front.recv_batch_details(_BATCH)) is not None:
            arrived = time.monotonic()
            calls = [
                NativeCall(
                    self._front,
                    self._under_way,
                    call_id,
                    payload or b"",
                    arrived=arrived,
                    metadata=call_details[0] if call_details else (),
                    time_remaining_s=call_details[2] if call_details else None,
                    max_bytes=self._max_bytes,
                )
                for kind, call_id, _, payload, _, call_details in events
                if kind == EVENT_CALL
            ]
            self._under_way.begin(len(calls))
            if self._stopping:
                for call in calls:
                    call.refuse(ShuttingDown("the gateway is shutting down; another one or a retry will answer"))
            elif calls:
                _process_safely(self._process, calls)


class AioCall:
    """A call of grpc.aio; answered from the engine's threads, awaited on the event loop."""

    def __init__(self, request: oip.ModelInferRequest, context: grpc.aio.ServicerContext[object, object]) -> None:
        self._request = request
        self.size_bytes = request.ByteSize()
        self._loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[oip.ModelInferResponse] = self._loop.create_future()
        self.arrived = time.monotonic()
        remaining: float | None = context.time_remaining()  # the stubs forget that there may be none
        self.deadline: float | None = None if remaining is None else self.arrived + remaining
        found = dict(context.invocation_metadata() or ()).get("traceparent", "")
        self.traceparent = found if isinstance(found, str) else ""

    def message(self) -> oip.ModelInferRequest:
        return self._request

    def answer(self, response: bytes) -> None:
        self._loop.call_soon_threadsafe(self._finish, oip.ModelInferResponse.FromString(response))

    def refuse(self, error: RelearnError) -> None:
        self._loop.call_soon_threadsafe(self._finish, error)

    def expire(self) -> None:
        self._loop.call_soon_threadsafe(self.answered.cancel)

    def _finish(self, outcome: oip.ModelInferResponse | RelearnError) -> None:
        if self.answered.done():
            return
        if isinstance(outcome, RelearnError):
            self.answered.set_exception(outcome)
        else:
            self.answered.set_result(outcome)


class AioFront:
    """Hands calls of grpc.aio to the engine's thread: what queued meanwhile is the next batch."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._queue: queue.SimpleQueue[AioCall | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="front", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._queue.put(None)
        self._thread.join()

    async def infer(
        self, request: oip.ModelInferRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> oip.ModelInferResponse:
        """Raises RelearnError when the request is refused."""
        call = AioCall(request, context)
        self._queue.put(call)
        return await call.answered

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            calls: list[Call] = [first]
            while len(calls) < _BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                calls.append(following)
            _process_safely(self._process, calls)


def _process_safely(process: Process, calls: Sequence[Call]) -> None:
    """One batch that fails must not end the thread that serves all others."""
    try:
        process(calls)
    except Exception:
        log.exception("a batch failed in the gateway")
