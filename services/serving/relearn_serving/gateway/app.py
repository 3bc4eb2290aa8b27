"""Composition root of the gateway: everything it is made of, and the order of start and stop."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from obstore.store import from_url
from prometheus_client import REGISTRY
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from relearn_media import ImageLimits
from relearn_runtime import NewId, channel, metrics
from relearn_serving.gateway import route_cache
from relearn_serving.gateway.blobs import Blobs
from relearn_serving.gateway.clients import Control, RegistryVersions
from relearn_serving.gateway.config import Config
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import Workers
from relearn_serving.gateway.engine import Engine
from relearn_serving.gateway.first_routes import want_first
from relearn_serving.gateway.fronts import AioFront, NativeFront
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.ids import new_prediction_id
from relearn_serving.gateway.metrics import GatewayMetrics
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.model_files import ModelFiles
from relearn_serving.gateway.observer import Observer, Telling
from relearn_serving.gateway.pinned import Pinned
from relearn_serving.gateway.reporting import Reporting
from relearn_serving.gateway.requests import Limits
from relearn_serving.gateway.route_topic import RouteTopic
from relearn_serving.gateway.routes import Routes
from relearn_serving.gateway.routing import Route
from relearn_serving.gateway.rpc import InferenceRpc
from relearn_serving.gateway.shadow import Shadow
from relearn_serving.gateway.spool import Spool
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.tap import Tap, producer_settings

_SEGMENT_BYTES = 4 << 20
_CALL_DEADLINE_S = 5.0
# Of the drain timeout: when calls have ended, large inputs are written and the tap has handed over what it holds.
_CALLS_SHARE, _BLOBS_SHARE, _TAP_SHARE = 0.6, 0.75, 1.0


class Gateway:
    """One gateway: `start`, then `address` answers until `stop`."""

    def __init__(self, config: Config, *, new_id: NewId) -> None:
        self._config = config
        self._new_id = new_id
        self._closing = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self._stop_at = 0.0
        self.address = ""
        self.metrics_address = ""

    async def start(self) -> None:
        """Answers NOT_READY at first, then by the newest routes that can be had; control may be away.

        Raises:
            SpoolInUse: another gateway owns the directory.
        """
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise

    async def stop(self) -> None:
        """Takes no more calls, answers those under way, and hands what the tap holds to Kafka or to the disk.

        All of it within the drain timeout, and the seconds that one run of a model or a picture may take.
        """
        await self._close()

    async def fails(self) -> None:
        """Waits until a loop that must not end has ended.

        Raises:
            Exception: what ended it. A supervisor starts the process anew.
        """
        done, _ = await asyncio.wait(self._loops, return_when=asyncio.FIRST_COMPLETED)
        for loop in done:
            loop.result()

    def routes_in_force(self) -> Mapping[str, Route]:
        """By project."""
        return self._current.serving.table.routes

    def models_in_force(self) -> Mapping[str, Model]:
        """By model version id."""
        return self._current.serving.models

    async def _start(self) -> None:
        config = self._config
        self._current = Current()
        self._counters = Counters()
        self._identity = Identity(config.spool_dir, new_id=self._new_id)
        self._on_stop(self._identity.close)
        self._start_tap()
        self._start_observer()
        self._start_models()
        self._start_engine()
        await self._start_servers()
        await self._start_routes()

    def _start_tap(self) -> None:
        config = self._config
        spool = Spool(config.spool_dir / "spool", max_bytes=config.spool_max_bytes, segment_bytes=_SEGMENT_BYTES)
        self._tap = Tap(producer_settings(config.kafka_bootstrap_servers), spool)
        self._tap.start()
        self._on_stop(lambda: self._tap.stop(deadline_s=self._left(_TAP_SHARE)))

    def _start_observer(self) -> None:
        config = self._config
        url = config.object_store_url
        self._store = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
        self._blobs = Blobs(self._store, tell=self._tap.offer)
        self._blobs.start()
        self._on_stop(lambda: self._blobs.stop(deadline_s=self._left(_BLOBS_SHARE)))
        self._telling = telling = Telling(
            identity=self._identity, tap=self._tap, blobs=self._blobs, topic_prefix=config.kafka_topic_prefix
        )
        self._shadow = Shadow(
            self._current,
            waiting=config.shadow_waiting,
            max_bytes=config.waiting_max_bytes,
            counters=self._counters,
            number=telling.number,
            tell=telling.tell,
        )
        self._shadow.start()
        self._on_stop(self._shadow.stop)
        self._observer = Observer(telling, offer_to_shadow=self._shadow.offer)
        self._observer.start()
        self._on_stop(self._observer.stop)

    def _start_models(self) -> None:
        config = self._config
        to = partial(channel, token=config.token.get_secret_value(), deadline_s=_CALL_DEADLINE_S)
        registry, control = to(config.registry_address), to(config.control_address)
        self._closing.push_async_callback(registry.close)
        self._closing.push_async_callback(control.close)
        self._control = Control(control)
        versions = RegistryVersions(registry, config.spool_dir / "versions", asyncio.get_running_loop())
        self._files = ModelFiles(
            versions=versions,
            store=self._store,
            directory=config.spool_dir / "models",
            limits=ImageLimits(max_bytes=config.max_image_bytes, max_pixels=config.max_image_pixels),
        )

    def _start_engine(self) -> None:
        config = self._config
        workers = Workers(
            threads=config.decode_threads, waiting=config.decode_waiting, max_bytes=config.waiting_max_bytes
        )
        self._on_stop(workers.stop)
        pinned = Pinned(self._files.load, keep=config.pinned_versions, waiting=config.pinned_waiting)
        self._on_stop(pinned.stop)
        self._engine = Engine(
            self._current,
            limits=Limits(max_batch=config.max_batch),
            run_max=config.run_max,
            lane_waiting=config.lane_waiting,
            waiting_max_bytes=config.waiting_max_bytes,
            workers=workers,
            counters=self._counters,
            pinned=pinned,
            number=self._telling.number,
            observe=self._observer.answered,
            new_id=new_prediction_id,
        )

    async def _start_routes(self) -> None:
        config, routes = self._config, self._routes
        self._closing.push_async_callback(routes.stop)
        loop = asyncio.get_running_loop()

        def want(route: Route) -> None:
            loop.call_soon_threadsafe(routes.want, route)

        topic = RouteTopic(config.kafka_bootstrap_servers, topic_prefix=config.kafka_topic_prefix, want=want)
        self._on_stop(topic.stop)
        saved = config.spool_dir / "routes.pb"
        all_known = await want_first(routes, control=self._control, topic=topic, saved=saved)
        reporting = Reporting(
            self._control,
            routes,
            identity=self._identity,
            counters=self._counters,
            tap=self._tap,
            shadow=self._shadow,
        )
        self._run(reporting.run(all_known=all_known))

    async def _start_servers(self) -> None:
        config = self._config
        self._routes = Routes(
            self._current, load=self._files.load, save=partial(route_cache.save, config.spool_dir / "routes.pb")
        )
        aio = AioFront(self._engine.process)
        aio.start()
        self._on_stop(aio.stop)
        server = self._server(aio)
        if config.front == "aio":
            port = server.add_insecure_port(config.listen_address)
            await server.start()
            self._closing.push_async_callback(self._drain, server)
        else:
            folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="relearn-gateway-"))
            socket = str(Path(folder) / "fallback.sock")
            server.add_insecure_port(f"unix:{socket}")
            await server.start()
            self._closing.push_async_callback(self._drain, server)
            front = NativeFront(
                config.listen_address,
                fallback=socket,
                process=self._engine.process,
                max_bytes=config.max_request_bytes,
            )
            front.start()
            self._on_stop(lambda: front.stop(deadline_s=self._left(_CALLS_SHARE)))
            port = front.port
        self.address = f"{config.listen_address.rpartition(':')[0]}:{port}"
        self._serve_metrics()

    def _server(self, aio: AioFront) -> grpc.aio.Server:
        config = self._config
        options = [
            ("grpc.max_receive_message_length", config.max_request_bytes),
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.aio.server(options=options)
        inference = InferenceRpc(
            self._current,
            front=aio,
            counters=self._counters,
            limits=Limits(max_batch=config.max_batch),
            server_version=_version(),
        )
        add_GRPCInferenceServiceServicer_to_server(inference, server)
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
        services = [oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name, health.SERVICE_NAME]
        reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)
        return server

    def _serve_metrics(self) -> None:
        self.metrics_address, stop = metrics.serve(self._config.metrics_address)
        self._on_stop(stop)
        collector = GatewayMetrics(
            self._counters,
            tap=self._tap.counts,
            shed=lambda: self._shadow.shed,
            lost_inputs=lambda: self._blobs.lost,
            revisions=lambda: {name: route.revision for name, route in self.routes_in_force().items()},
        )
        REGISTRY.register(collector)
        self._on_stop(partial(REGISTRY.unregister, collector))

    def _on_stop(self, close: Callable[[], None]) -> None:
        """Runs `close` in a thread when the gateway stops; last opened, first closed."""
        self._closing.push_async_callback(asyncio.to_thread, close)

    def _run(self, loop: Coroutine[object, object, None]) -> None:
        """Runs `loop` until the gateway stops; `fails` tells when it ends before."""
        task = asyncio.create_task(loop)
        self._loops.append(task)

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        self._closing.push_async_callback(end)

    async def _close(self) -> None:
        self._stop_at = time.monotonic()
        await self._closing.aclose()

    async def _drain(self, server: grpc.aio.Server) -> None:
        await server.stop(self._left(_CALLS_SHARE))

    def _left(self, share: float) -> float:
        """Seconds until a share of the time for stopping is used up."""
        return max(0.0, self._stop_at + share * self._config.drain_timeout_s - time.monotonic())


def _version() -> str:
    try:
        return version("relearn-serving")
    except PackageNotFoundError:
        return "unknown"
