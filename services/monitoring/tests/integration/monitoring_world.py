"""One monitoring service on a real Kafka and a real PostgreSQL, traffic to watch, and a clock that tests can turn."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import sqlalchemy as sa
from confluent_kafka import Producer
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from relearn.datasets.v1 import datasets_service_pb2, datasets_service_pb2_grpc, sample_pb2
from relearn.datasets.v1.dataset_version_pb2 import USE_TRAIN, USE_VALIDATION
from relearn.labeling.v1 import events_pb2 as labeling_pb
from relearn.labeling.v1 import label_task_pb2
from relearn.monitoring.v1 import events_pb2 as pb
from relearn.monitoring.v1.flag_pb2 import STREAM_SELECTED
from relearn.monitoring.v1.monitoring_service_pb2_grpc import MonitoringServiceStub
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import events_pb2 as registry_pb
from relearn.registry.v1 import model_version_pb2, project_pb2
from relearn.serving.v1 import events_pb2 as serving_pb
from relearn.serving.v1 import route_pb2
from relearn_monitoring.app import build
from relearn_monitoring.config import Config
from relearn_runtime import channel, new_id
from relearn_runtime.envelope import encode
from relearn_runtime.errors import InvalidInput
from relearn_runtime.rpc_errors import DETAILS, status_of
from relearn_runtime.testing import DEADLINE_S, NotInTime, collect, eventually, publish

CLASSES = ("shirt", "boot", "bag")
CHAMPION, CANARY = serving_pb.PredictionMade.ARM_CHAMPION, serving_pb.PredictionMade.ARM_CANARY
SHADOW, PINNED = serving_pb.PredictionMade.ARM_SHADOW, serving_pb.PredictionMade.ARM_PINNED
REFERENCE = 300
POLICY: dict[str, Any] = {
    "labels_per_day": 400,
    "audit_share": 0.1,
    "reserve_share": 0.8,
    "audits_per_alert": 20,
    "selected_per_alert": 30,
    "predictions_per_day": 1_000_000,
    "window_predictions": 200,
    "reference_predictions": REFERENCE,
    "predictions_per_false_alarm": 1_000_000,
    "waiting_inputs": 500,
}


class Clock:
    """Noon of a day, plus the real time since, plus what a test has let pass: no test meets midnight by chance."""

    def __init__(self) -> None:
        self._noon, self._started = datetime(2026, 11, 23, 12, tzinfo=UTC), time.monotonic()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return self._noon + timedelta(seconds=time.monotonic() - self._started) + self._ahead

    def advance(self, **passed: float) -> None:
        self._ahead += timedelta(**passed)


class UndecodableImage(InvalidInput):
    """As datasets says it."""

    reason = "IMAGE_UNDECODABLE"


class FakeDatasets(datasets_service_pb2_grpc.DatasetsServiceServicer):
    """PutSample as its contract has it: idempotent by bytes; what begins with `broken` is undecodable.

    `samples` is what datasets has; tests put in what it got from elsewhere.
    """

    def __init__(self) -> None:
        self.puts: list[datasets_service_pb2.PutSampleRequest] = []
        self.samples: dict[str, sample_pb2.Sample] = {}
        self.away = False
        self.delay_s = 0.0
        self.address = ""
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        datasets_service_pb2_grpc.add_DatasetsServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(None)

    async def PutSample(self, request, context):  # noqa: N802 - the name of the RPC
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        await asyncio.sleep(self.delay_s)
        if request.content.startswith(b"broken"):
            status = status_of(UndecodableImage("no image"), service="datasets")
            context.set_trailing_metadata(((DETAILS, status.SerializeToString()),))
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no image")
        self.puts.append(request)
        sample_id = f"{request.project_id}/sample/{sha256(request.content).hexdigest()}"
        use = USE_TRAIN if request.stream == STREAM_SELECTED else USE_VALIDATION
        new = sample_pb2.Sample(sample_id=sample_id, project_id=request.project_id, stream=request.stream, use=use)
        added = sample_id not in self.samples
        return datasets_service_pb2.PutSampleResponse(sample=self.samples.setdefault(sample_id, new), added=added)


def project(name: str = "clothes", *, revision: int = 1, paused: bool = False, **policy: Any) -> project_pb2.Project:
    state = project_pb2.Project.STATE_PAUSED if paused else project_pb2.Project.STATE_ACTIVE
    gate = {name: policy.pop(name) for name in ("shadow_pairs", "disagreements_per_look") if name in policy}
    window_after_s = policy.pop("window_after_s", 300)
    made = project_pb2.Project(
        project_id=name,
        input_kind=project_pb2.INPUT_KIND_IMAGE,
        label_set=project_pb2.LabelSet(version=1, classes=CLASSES),
        revision=revision,
        state=state,
        monitoring=project_pb2.MonitoringPolicy(**POLICY | policy),
        promotion=project_pb2.PromotionPolicy(**gate),
    )
    made.monitoring.window_after.FromTimedelta(timedelta(seconds=window_after_s))
    return made


class Traffic:
    """A model of three classes with embeddings: sure of itself on the old camera, lost on the new one.

    `aside` traffic is as sure and as near to its classes as before, but all on one side of them.
    """

    def __init__(self, clock: Clock, *, name: str = "clothes", seed: int = 0) -> None:
        self._clock, self._name, self._generator = clock, name, np.random.default_rng(seed)
        self._centres = np.random.default_rng(7).normal(size=(len(CLASSES), 16)) * 3
        self._sequence = 0

    def predictions(
        self, n: int, *, version: int = 1, arm: int = CHAMPION, shifted: bool = False, **fields: Any
    ) -> list[serving_pb.PredictionMade]:
        """New ones, each of another input."""
        return [self._prediction(version, arm, shifted, dict(fields)) for _ in range(n)]

    def shadow_of(
        self, champion: serving_pb.PredictionMade, *, version: int = 2, differs: bool = False
    ) -> serving_pb.PredictionMade:
        """The shadow's prediction of the same input."""
        (made,) = self.predictions(1, version=version, arm=SHADOW, champion_prediction_id=champion.prediction_id)
        made.input_content, made.input_sha256 = champion.input_content, champion.input_sha256
        said = CLASSES.index(champion.predicted_label)
        made.predicted_label = CLASSES[(said + 1) % 3] if differs else CLASSES[said]
        return made

    def _prediction(self, version: int, arm: int, shifted: bool, fields: dict[str, Any]) -> serving_pb.PredictionMade:
        label = int(self._generator.integers(3))
        aside = fields.pop("aside", False)
        spread = 2.5 if shifted else 0.5 if aside else 1.0
        embedding = self._centres[label] + self._generator.normal(size=16) * spread + aside * 3 * np.eye(16)[0]
        sure = self._generator.beta(8, 1.2) if not shifted else self._generator.beta(2, 2)
        probabilities = np.full(3, (1 - (1 / 3 + sure * 2 / 3)) / 2)
        probabilities[label] = 1 / 3 + sure * 2 / 3
        content = fields.pop("input_content", None) or self._generator.bytes(40)
        self._sequence += 1
        at = Timestamp()
        at.FromDatetime(self._clock())
        return serving_pb.PredictionMade(
            **{
                "prediction_id": f"{new_id()}/0",
                "project_id": self._name,
                "partition_key": f"{self._name}/0",
                "model_version_id": f"{self._name}/model/{version}",
                "arm": arm,
                "gateway_id": f"gateway-of-{self._name}",
                "sequence": self._sequence,
                "route_revision": 1,
                "predict_time": at,
                "input_content": content,
                "input_sha256": sha256(content).hexdigest(),
                "probabilities": probabilities,
                "predicted_label": CLASSES[label],
                "confidence": probabilities[label],
                "embedding": embedding.astype("<f2").tobytes(),
                "image_statistics": serving_pb.ImageStatistics(
                    width=28, height=28, channels=1, brightness=0.3 if not shifted else 0.2, contrast=0.3
                ),
            }
            | fields
        )


@dataclass
class World:
    kafka: Any
    tokens: Any
    database_url: str
    datasets: FakeDatasets
    clock: Clock
    address: str = ""
    folder: Path = Path()
    engine: AsyncEngine = field(init=False)
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = create_async_engine(self.database_url.replace("postgresql://", "postgresql+asyncpg://"))

    async def leave(self) -> None:
        await self.engine.dispose()
        for one in self.channels:
            await one.close()

    async def sql(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        async with self.engine.begin() as connection:
            rows = await connection.execute(sa.text(query), values)
            return [tuple(row) for row in rows] if rows.returns_rows else []

    async def one(self, query: str, **values: Any) -> Any:
        rows = await self.sql(query, **values)
        return rows[0][0] if rows else None

    async def apply(self, applied: project_pb2.Project) -> None:
        """Applies a project and waits until monitoring knows this revision."""
        await publish(self.kafka, registry_pb.ProjectApplied(project=applied))
        query = "select revision from projects where project_id = :p"

        async def known() -> bool:
            return await self.one(query, p=applied.project_id) == applied.revision

        await eventually(known)

    async def route(
        self, champion: int, challenger: int = 0, *, revision: int, name: str = "clothes", left: int = 0
    ) -> str:
        """Changes the route and waits until monitoring knows it."""
        phase = route_pb2.Route.PHASE_SHADOW if challenger else route_pb2.Route.PHASE_SERVING
        route = route_pb2.Route(
            route_id=f"{name}/route/{revision}",
            project_id=name,
            revision=revision,
            champion_model_version_id=f"{name}/model/{champion}",
            challenger_model_version_id=f"{name}/model/{challenger}" if challenger else "",
            phase=phase,
            shards=1,
        )
        changed = serving_pb.RouteChanged(
            route=route, project_id=name, left_model_version_id=f"{name}/model/{left}" if left else ""
        )
        event_id = await publish(self.kafka, changed)
        query = "select route_revision from monitored_projects where project_id = :p"

        async def known() -> bool:
            return await self.one(query, p=name) == revision

        await eventually(known)
        return event_id

    async def register(self, version: int, *, accuracy: float, samples: int = 1000, name: str = "clothes") -> None:
        """Registers a version with its accuracy on validation, and waits until monitoring knows."""
        measured = model_version_pb2.Measurement(
            name="accuracy/imported", value=accuracy, lower=accuracy - 0.02, upper=accuracy + 0.02, samples=samples
        )
        registered = model_version_pb2.ModelVersion(
            model_version_id=f"{name}/model/{version}", project_id=name, number=version, measurements=[measured]
        )
        await publish(self.kafka, registry_pb.ModelVersionRegistered(model_version=registered, project_id=name))
        query = "select validated from watches where model_version_id = :v"

        async def known() -> bool:
            return bool(await self.one(query, v=registered.model_version_id))

        await eventually(known)

    async def send(self, predictions: list[serving_pb.PredictionMade]) -> None:
        """Puts predictions on their topic, in order, as the tap does."""
        await asyncio.to_thread(self._send, predictions)

    async def serve(self, predictions: list[serving_pb.PredictionMade]) -> None:
        """Sends predictions and waits until the last is known."""
        await self.send(predictions)
        await self.seen(predictions[-1])

    async def seen(self, prediction: serving_pb.PredictionMade) -> None:
        query = "select 1 from recent_predictions where prediction_id = :id"
        await eventually(lambda: self.one(query, id=prediction.prediction_id))

    async def answer(self, flag: Any, label: str, *, revision: int = 1) -> str:
        """People agree on a label for the sample of a flag."""
        region = label_task_pb2.Region(whole=label_task_pb2.Whole(), label=label)
        answered = label_task_pb2.Label(
            label_id=new_id(), project_id=flag.project_id, sample_id=flag.sample_id, regions=[region]
        )
        accepted = labeling_pb.LabelAccepted(
            label=answered, label_task_id=f"task-of-{flag.sample_id}", flags=[flag], revision=revision
        )
        return await publish(self.kafka, accepted)

    async def close(self, flag: Any, *, revision: int = 1) -> str:
        """People could not agree on the sample of a flag."""
        task = label_task_pb2.LabelTask(label_task_id=f"task-of-{flag.sample_id}", project_id=flag.project_id)
        closed = labeling_pb.LabelTaskClosed(
            label_task=task, label_task_id=task.label_task_id, flags=[flag], reason="DISPUTED", revision=revision
        )
        return await publish(self.kafka, closed)

    async def settled(self, n: int) -> None:
        """Waits until so many audits are settled."""

        async def enough() -> bool:
            return await self.one("select count(*) from picks where settled is not null") >= n

        await eventually(enough)

    async def collect(self, message_type: Any, n: int, *, deadline_s: float = DEADLINE_S) -> list[Any]:
        return await collect(self.kafka, message_type, n, deadline_s=deadline_s)

    async def flags(self, n: int, *, stream: int | None = None) -> list[Any]:
        """The first flags of a stream, once there are so many."""
        wanted = n
        while True:
            events = await self.collect(pb.PredictionFlagged, wanted)
            found = [event.message.flag for event in events if stream in (None, event.message.flag.stream)]
            if len(found) >= n:
                return found
            wanted += n - len(found)

    async def none(self, message_type: Any, *, more_than: int = 0) -> bool:
        """Whether no more events than these have come, once the outbox is empty."""

        async def is_empty() -> bool:
            return await self.sql("select 1 from outbox") == []

        await eventually(is_empty)
        try:
            await self.collect(message_type, more_than + 1, deadline_s=1.5)
        except NotInTime:
            return True
        return False

    def stub(self, role: str = "engineer") -> MonitoringServiceStub:
        return MonitoringServiceStub(self._channel(role))

    def operations(self) -> OperationsServiceStub:
        return OperationsServiceStub(self._channel("engineer"))

    def _channel(self, role: str) -> grpc.aio.Channel:
        self.channels.append(channel(self.address, token=self.tokens.of(role), deadline_s=60))
        return self.channels[-1]

    def _send(self, predictions: list[serving_pb.PredictionMade]) -> None:
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers, "enable.idempotence": True})
        for made in predictions:
            record = encode(made, id=made.prediction_id, time=datetime.now(UTC))
            headers = list(record.headers or ())
            producer.produce(self.kafka.topic_prefix + record.topic, record.value, record.key, headers=headers)
            producer.poll(0)
        assert producer.flush(30) == 0


@asynccontextmanager
async def running(postgres_url, kafka, tokens, datasets, folder, clock):
    """The service, in this process."""
    config = Config(
        database_url=postgres_url,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_topic_prefix=kafka.topic_prefix,
        listen_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        tokens_file=tokens.path,
        token=tokens.of("service"),
        datasets_address=datasets.address,
        object_store_url=f"file://{folder}",
        drain_timeout_s=2,
    )
    service = build(config, new_id=new_id, now=clock)
    await service.start()
    world = World(
        kafka=kafka,
        tokens=tokens,
        database_url=postgres_url,
        datasets=datasets,
        clock=clock,
        address=service.address,
        folder=folder,
    )
    try:
        yield world
    finally:
        await world.leave()
        await service.stop()
