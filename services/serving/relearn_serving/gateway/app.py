"""Composition root of the gateway: everything it is made of, and the order of start and stop."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
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
from relearn_serving.gateway.fronts import AioFront, NativeFront
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.ids import new_prediction_id
from relearn_serving.gateway.metrics import GatewayMetrics
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.model_files import ModelFiles
from relearn_serving.gateway.observer import Observer
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


class Gateway:
    """One gateway: `start`, then `address` answers until `stop`."""

    def __init__(self, config: Config, *, new_id: NewId) -> None:
        self._config = config
        self._new_id = new_id
        self._closing = AsyncExitStack()
        self.address = ""
        self.metrics_address = ""

    async def start(self) -> None:
        """Opens the port at the end, with the routes of the last life in force; control may be away."""
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            raise

    async def stop(self) -> None:
        """Takes no more calls, answers those under way, and hands what the tap holds to Kafka or to the disk."""
        await self._closing.aclose()

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
        self._start_models()
        self._start_engine()
        await self._start_servers()
        await self._start_routes()

    def _start_tap(self) -> None:
        config = self._config
        spool = Spool(config.spool_dir / "spool", max_bytes=config.spool_max_bytes, segment_bytes=_SEGMENT_BYTES)
        self._tap = Tap(producer_settings(config.kafka_bootstrap_servers), spool)
        self._tap.start()
        self._on_stop(self._tap.stop)
        url = config.object_store_url
        self._store = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
        blobs = Blobs(self._store, tell=self._tap.offer)
        blobs.start()
        self._on_stop(blobs.stop)
        self._blobs = blobs
        observer = Observer(
            identity=self._identity,
            tap=self._tap,
            blobs=blobs,
            current=self._current,
            topic_prefix=config.kafka_topic_prefix,
        )
        self._shadow = Shadow(waiting=config.shadow_waiting, counters=self._counters, observe=observer.shadowed)
        self._shadow.start()
        self._on_stop(self._shadow.stop)
        observer.shadow = self._shadow
        self._observer = observer

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
        workers = Workers(threads=config.decode_threads, waiting=config.decode_waiting)
        self._on_stop(workers.stop)
        self._engine = Engine(
            self._current,
            limits=Limits(max_batch=config.max_batch),
            run_max=config.run_max,
            workers=workers,
            counters=self._counters,
            load_pinned=Pinned(self._files.load, keep=config.pinned_versions).get,
            observe=self._observer.answered,
            new_id=new_prediction_id,
        )

    async def _start_routes(self) -> None:
        config = self._config
        saved = config.spool_dir / "routes.pb"
        routes = self._routes
        loop = asyncio.get_running_loop()
        self._background(routes.run())
        routes.want(*route_cache.load(saved))

        def want(route: Route) -> None:
            loop.call_soon_threadsafe(routes.want, route)

        topic = RouteTopic(
            config.kafka_bootstrap_servers,
            topic_prefix=config.kafka_topic_prefix,
            want=want,
        )
        topic.start()
        self._on_stop(topic.stop)
        reporting = Reporting(
            self._control,
            routes,
            identity=self._identity,
            counters=self._counters,
            tap=self._tap,
            shadow=self._shadow,
        )
        self._background(reporting.run())

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
            self._closing.push_async_callback(server.stop, config.drain_timeout_s)
        else:
            folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="relearn-gateway-"))
            socket = str(Path(folder) / "fallback.sock")
            server.add_insecure_port(f"unix:{socket}")
            await server.start()
            self._closing.push_async_callback(server.stop, config.drain_timeout_s)
            front = NativeFront(
                config.listen_address,
                fallback=socket,
                process=self._engine.process,
                max_bytes=config.max_request_bytes,
                drain_s=config.drain_timeout_s,
            )
            front.start()
            self._on_stop(front.stop)
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

    def _background(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(coroutine)

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._closing.push_async_callback(end)


def _version() -> str:
    try:
        return version("relearn-serving")
    except PackageNotFoundError:
        return "unknown"
