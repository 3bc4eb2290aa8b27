"""One server under measurement, in a process of its own: `python server.py VARIANT FOLDER BROKER`.

    null       the native front answers a constant: what is left when nothing is done
    native     the gateway's engine behind the native front, tap off
    native+tap the same with the tap to a real broker
    native+tap+shadow
               the same, and the model once more as its own challenger
    aio        the same engine behind grpc.aio, tap off
    aio+tap    the same with the tap

It prints its port and serves until its standard input ends.
"""

import asyncio
import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType

import grpc
import uvloop
from model import CHALLENGER, VERSION, load
from obstore.store import LocalStore
from pygrpc_native import EVENT_CALL, NativeGrpcFront
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from relearn_runtime import new_id
from relearn_serving.gateway.blobs import Blobs
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import Workers
from relearn_serving.gateway.engine import Engine, Number, Observe
from relearn_serving.gateway.fronts import MODEL_INFER, AioFront, NativeFront
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.ids import new_prediction_id
from relearn_serving.gateway.observer import Observer, Telling
from relearn_serving.gateway.pinned import Pinned
from relearn_serving.gateway.requests import Limits
from relearn_serving.gateway.routing import Phase, Route, RouteTable
from relearn_serving.gateway.rpc import InferenceRpc
from relearn_serving.gateway.shadow import Shadow
from relearn_serving.gateway.spool import Spool
from relearn_serving.gateway.state import Current, Serving
from relearn_serving.gateway.tap import Tap, producer_settings

ADDRESS = "127.0.0.1:0"


def null() -> int:
    front = NativeGrpcFront(ADDRESS, [(MODEL_INFER, False)], io_threads=1, call_details=True)
    answer = oip.ModelInferResponse(model_name="bench").SerializeToString()

    def serve() -> None:
        while (events := front.recv_batch_details(64)) is not None:
            for event in events:
                if event[0] == EVENT_CALL:
                    front.respond(event[1], answer)

    front.start()
    threading.Thread(target=serve, daemon=True).start()
    return front.bound_port


def observing(
    current: Current, counters: Counters, folder: Path, broker: str, closing: ExitStack
) -> tuple[Number, Observe]:
    scratch = Path(tempfile.mkdtemp(dir=folder))
    tap = Tap(producer_settings(broker), Spool(scratch / "spool", max_bytes=1 << 28, segment_bytes=1 << 22))
    tap.start()
    closing.callback(tap.stop)
    blobs = Blobs(LocalStore(scratch), tell=tap.offer)
    telling = Telling(identity=Identity(scratch, new_id=new_id), tap=tap, blobs=blobs, topic_prefix="")
    shadow = Shadow(
        current, waiting=512, max_bytes=1 << 28, counters=counters, number=telling.number, tell=telling.tell
    )
    shadow.start()
    closing.callback(shadow.stop)
    observer = Observer(telling, offer_to_shadow=shadow.offer)
    observer.start()
    closing.callback(observer.stop)
    return telling.number, observer.answered


def routed(folder: Path, *, shadow: bool) -> Current:
    """The model as champion, and as its own challenger."""
    route = Route(
        project_id="bench",
        revision=1,
        champion=VERSION,
        challenger=CHALLENGER if shadow else "",
        phase=Phase.SHADOW if shadow else Phase.SERVING,
        weight=0,
        shards=1,
    )
    current = Current()
    models = {version: load(folder, version) for version in route.versions}
    current.swap(Serving(RouteTable().with_route(route).completed(), MappingProxyType(models)))
    return current


async def serve(variant: str, folder: Path, broker: str, closing: ExitStack) -> None:
    counters, limits = Counters(), Limits(max_batch=64)
    current = routed(folder, shadow="shadow" in variant)
    number, observe = lambda _: 0, lambda *_: None
    if "+tap" in variant:
        number, observe = observing(current, counters, folder, broker, closing)
    engine = Engine(
        current,
        limits=limits,
        run_max=32,
        lane_waiting=512,
        waiting_max_bytes=1 << 28,
        workers=Workers(threads=2, waiting=256, max_bytes=1 << 28),
        counters=counters,
        pinned=Pinned(partial(load, folder), keep=1, waiting=1),
        number=number,
        observe=observe,
        new_id=new_prediction_id,
    )
    if variant.startswith("native"):
        front = NativeFront(ADDRESS, fallback="/nonexistent", process=engine.process, max_bytes=1 << 26)
        front.start()
        port = front.port
    else:
        aio = AioFront(engine.process)
        aio.start()
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        rpc = InferenceRpc(current, front=aio, counters=counters, limits=limits, server_version="bench")
        add_GRPCInferenceServiceServicer_to_server(rpc, server)
        port = server.add_insecure_port(ADDRESS)
        await server.start()
    await until_told(port)


async def until_told(port: int) -> None:
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    variant, folder, broker = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as closing:
        runner.run(until_told(null()) if variant == "null" else serve(variant, folder, broker, closing))
        closing.close()
        os._exit(0)  # the fronts' threads have nothing to save


if __name__ == "__main__":
    main()
