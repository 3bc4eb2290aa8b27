"""Real Kafka, PostgreSQL, control and gateways; registry alone is played by a small server of its contract."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import tritonclient.grpc.aio as triton
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from relearn.operations.v1.operations_service_pb2 import GetWaitingRequest
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import project_pb2
from relearn.registry.v1.events_pb2 import ModelVersionJudged, ProjectApplied
from relearn.registry.v1.model_version_pb2 import Judgement, ModelVersion
from relearn.registry.v1.registry_service_pb2 import GetModelVersionResponse, ModelVersionStatus
from relearn.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from relearn.serving.v1.control_service_pb2 import GetRoutesRequest
from relearn.serving.v1.control_service_pb2_grpc import ControlServiceStub
from relearn.serving.v1.route_pb2 import Route
from relearn_media import Preprocessing
from relearn_runtime import Service, channel, new_id, utc_now
from relearn_runtime.testing import DEADLINE_S, eventually, publish
from relearn_serving.control.app import build
from relearn_serving.control.config import Config as ControlConfig
from relearn_serving.gateway.app import Gateway
from relearn_serving.gateway.config import Config as GatewayConfig

CLASSES = ("boot", "coat", "shirt")
SIDE = 8


def png(grey: int = 128, *, side: int = SIDE, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side), grey if mode == "L" else (grey, grey, grey)).save(buffer, format="PNG")
    return buffer.getvalue()


def onnx_model(favourite: int, *, classes: int = len(CLASSES), busy: int = 0) -> bytes:
    """Answers `favourite` for every picture, more surely the brighter it is; `busy` adds work that changes nothing."""
    weights = np.zeros((SIDE * SIDE, classes), np.float32)
    weights[:, favourite] = 1 / (SIDE * SIDE)
    bias = np.zeros(classes, np.float32)
    bias[favourite] = 1.0
    embed = np.random.default_rng(favourite).normal(size=(SIDE * SIDE, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["logits"]),
        helper.make_node("MatMul", ["flat", "embed"], ["embedding"]),
    ]
    constants = [("weights", weights), ("bias", bias), ("embed", embed)]
    if busy:
        nodes[3] = helper.make_node("MatMul", ["worked", "embed"], ["embedding"])
        square = np.eye(SIDE * SIDE, dtype=np.float32)
        constants.append(("square", square))
        for step in range(busy):
            source = "flat" if step == 0 else f"work{step}"
            target = "worked" if step == busy - 1 else f"work{step + 1}"
            nodes.insert(1 + step, helper.make_node("MatMul", [source, "square"], [target]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 4]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class Registry(RegistryServiceServicer):
    """Answers GetModelVersion as registry's contract says."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self.versions: dict[str, ModelVersion] = {}
        self.asked = 0

    def add(self, project: str, number: int, *, favourite: int = 0, model: bytes | None = None, busy: int = 0) -> str:
        """Registers a version with its files in object storage."""
        card = {
            "preprocessing": Preprocessing(height=SIDE, width=SIDE, channels=1, mean=(0.5,), std=(0.5,)).to_dict(),
            "temperature": 2.0,
        }
        contents = {
            "model.onnx": onnx_model(favourite, busy=busy) if model is None else model,
            "model.json": json.dumps(card).encode(),
        }
        version = ModelVersion(
            model_version_id=f"{project}/model/{number}", project_id=project, number=number, classes=CLASSES
        )
        for name, content in contents.items():
            key = f"models/{project}/{number}/{name}"
            path = self._store / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            version.files.add(name=name, key=key, sha256=sha256(content).hexdigest(), size_bytes=len(content))
        self.versions[version.model_version_id] = version
        return version.model_version_id

    async def GetModelVersion(self, request: Any, context: Any) -> GetModelVersionResponse:  # noqa: N802
        self.asked += 1
        version = self.versions.get(request.model_version_id)
        if version is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such version")
        return GetModelVersionResponse(status=ModelVersionStatus(model_version=version))


@dataclass(kw_only=True)
class Loop:
    """The part of the loop that surrounds serving."""

    kafka: Any
    tokens: Any
    registry: Registry
    registry_address: str
    store_url: str
    folder: Path
    control: Service
    control_config: ControlConfig
    gateways: list[Gateway] = field(default_factory=list)
    project_revision: int = 0

    def __post_init__(self) -> None:
        self.control_channel = channel(self.control.address, token=self.tokens.of("engineer"), deadline_s=60)
        self.control_stub = ControlServiceStub(self.control_channel)

    async def apply(self, project: str = "shop", *, paused: bool = False, **rollout: Any) -> None:
        self.project_revision += 1
        applied = project_pb2.Project(
            project_id=project,
            input_kind=project_pb2.INPUT_KIND_IMAGE,
            label_set=project_pb2.LabelSet(version=1, classes=CLASSES),
            revision=self.project_revision,
            state=project_pb2.Project.STATE_PAUSED if paused else project_pb2.Project.STATE_ACTIVE,
            rollout=project_pb2.RolloutPolicy(**{"canary_percent": [25, 100], "requests_per_step": 20, **rollout}),
        )
        applied.create_time.FromDatetime(utc_now())
        await publish(self.kafka, ProjectApplied(project=applied, person="test"))

    async def judge(
        self,
        version: str,
        *,
        step: int = 1,
        verdict: Judgement.Verdict = Judgement.VERDICT_PASSED,
        reason: str = "the numbers are good",
        person: str = "",
        against: str | None = None,
        id: str | None = None,
    ) -> str:
        """The gate's word, compared with version 1 unless said otherwise; the id of the event."""
        project, _, number = version.partition("/model/")
        judgement = Judgement(
            judgement_id=f"{version}/judgement/{step}",
            model_version_id=version,
            champion_model_version_id=against or (f"{project}/model/1" if number != "1" else None),
            step=step,
            verdict=verdict,
            reason=reason,
            person=person,
        )
        return await publish(self.kafka, ModelVersionJudged(project_id=project, judgement=judgement), id=id)

    async def route(self, project: str = "shop") -> Route | None:
        response = await self.control_stub.GetRoutes(GetRoutesRequest())
        return next((route for route in response.routes if route.project_id == project), None)

    async def route_is(
        self, wanted: Callable[[Route], bool], project: str = "shop", *, deadline_s: float = DEADLINE_S
    ) -> Route:
        async def found() -> Route | None:
            try:
                route = await self.route(project)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    return None  # control is being started again
                raise
            return route if route is not None and wanted(route) else None

        return await eventually(found, deadline_s)

    def gateway_config(self, name: str = "gateway", **changes: Any) -> GatewayConfig:
        return GatewayConfig(
            **{
                "kafka_bootstrap_servers": self.kafka.bootstrap_servers,
                "kafka_topic_prefix": self.kafka.topic_prefix,
                "listen_address": "127.0.0.1:0",
                "metrics_address": "127.0.0.1:0",
                "tokens_file": self.tokens.path,
                "token": self.tokens.of("service"),
                "control_address": self.control.address,
                "registry_address": self.registry_address,
                "object_store_url": self.store_url,
                "spool_dir": self.folder / name,
                "drain_timeout_s": 5.0,
                **changes,
            }
        )

    async def gateway(self, name: str = "gateway", **changes: Any) -> Gateway:
        gateway = Gateway(self.gateway_config(name, **changes), new_id=new_id)
        await gateway.start()
        self.gateways.append(gateway)
        return gateway

    async def serving(self, project: str = "shop", *, favourite: int = 0, **gateway: Any) -> Gateway:
        """A gateway that answers for a project whose first version is champion."""
        await self.apply(project)
        version = self.registry.add(project, 1, favourite=favourite)
        await self.judge(version)
        started = await self.gateway(**gateway)
        await in_force(started, project, 1)
        return started

    async def waiting(self, project: str = "shop") -> str:
        """What control says it waits for."""
        stub = OperationsServiceStub(self.control_channel)
        response = await stub.GetWaiting(GetWaitingRequest(project_id=project))
        return "\n".join(f"{line.stage}: {line.waits_for}" for line in response.waiting)

    def empty_store_url(self) -> str:
        """Object storage that has nothing."""
        (self.folder / "nothing").mkdir()
        return f"file://{self.folder / 'nothing'}"

    async def stop_control(self) -> None:
        await self.control.stop()

    async def start_control(self) -> None:
        changed = self.control_config.model_copy(update={"listen_address": self.control.address})
        self.control = build(changed, new_id=new_id, now=utc_now)
        await self.control.start()


async def in_force(gateway: Gateway, project: str, revision: int, *, deadline_s: float = DEADLINE_S) -> None:
    """Waits until the gateway serves a revision, or a later one."""

    def reached() -> bool:
        route = gateway.routes_in_force().get(project)
        return route is not None and route.revision >= revision

    await eventually(reached, deadline_s)


async def infer(
    address: str, *images: bytes, project: str = "shop", version: str = "", outputs: tuple[str, ...] = (), **kw: Any
) -> triton.InferResult:
    """What an unmodified product does."""
    async with triton.InferenceServerClient(address) as client:
        return await client.infer(
            project,
            [image_input(*images)],
            model_version=version,
            outputs=[triton.InferRequestedOutput(name) for name in outputs] or None,
            **kw,
        )


def image_input(*images: bytes) -> triton.InferInput:
    given = triton.InferInput("image", [len(images)], "BYTES")
    given.set_data_from_numpy(np.array(images, dtype=np.object_))
    return given
