"""One labeling service on a real Kafka and a real PostgreSQL, with a clock that tests can turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from sqlalchemy.ext.asyncio import create_async_engine

from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.labeling.v1 import management_service_pb2 as management_pb
from relearn.labeling.v1 import review_service_pb2 as review_pb
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceStub
from relearn.labeling.v1.management_service_pb2_grpc import ManagementServiceStub
from relearn.labeling.v1.review_service_pb2_grpc import ReviewServiceStub
from relearn.monitoring.v1 import events_pb2, flag_pb2
from relearn.operations.v1 import operations_service_pb2 as operations_pb
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import events_pb2 as registry_events_pb2
from relearn.registry.v1 import project_pb2
from relearn_labeling.app import build
from relearn_labeling.config import Config
from relearn_runtime import channel, new_id
from relearn_runtime.testing import collect, eventually, publish

CLASSES = ("shirt", "boot", "bag")
AUDIT, SELECTED, DISAGREEMENT = flag_pb2.STREAM_AUDIT, flag_pb2.STREAM_SELECTED, flag_pb2.STREAM_DISAGREEMENT


class Clock:
    """Noon of a day, plus the real time since, plus what a test has let pass: no test meets midnight by chance."""

    def __init__(self) -> None:
        self._noon, self._started = datetime(2026, 11, 23, 12, tzinfo=UTC), time.monotonic()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return self._noon + timedelta(seconds=time.monotonic() - self._started) + self._ahead

    def advance(self, **passed: float) -> None:
        self._ahead += timedelta(**passed)


def project(name: str = "clothes", *, revision: int = 1, paused: bool = False, **policy: Any) -> project_pb2.Project:
    state = project_pb2.Project.STATE_PAUSED if paused else project_pb2.Project.STATE_ACTIVE
    lease, patience = policy.pop("lease_s", 120), policy.pop("patience_s", 3600)
    label_set = policy.pop("label_set", None) or project_pb2.LabelSet(version=1, classes=CLASSES)
    made = project_pb2.Project(
        project_id=name,
        input_kind=policy.pop("input_kind", project_pb2.INPUT_KIND_IMAGE),
        label_set=label_set,
        revision=revision,
        state=state,
        labeling=project_pb2.LabelingPolicy(**policy),
    )
    made.labeling.lease.FromTimedelta(timedelta(seconds=lease))
    made.labeling.patience.FromTimedelta(timedelta(seconds=patience))
    return made


def flag(flag_id: str, stream: int = SELECTED, *, sample: str = "a", name: str = "clothes", alert: str = "") -> Any:
    return flag_pb2.Flag(
        flag_id=flag_id,
        project_id=name,
        prediction_id=f"prediction-of-{flag_id}",
        sample_id=f"{name}/sample/{sample}",
        stream=stream,
        probability=0.25,
        reason="the model said boot with 0.41",
        predicted_label="boot",
        alert_id=alert,
        model_version_id=f"{name}/model/1",
    )


@dataclass
class World:
    kafka: Any
    tokens: Any
    database_url: str
    address: str
    clock: Clock = field(default_factory=Clock)
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    async def apply(self, applied: project_pb2.Project) -> None:
        """Applies a project and waits until labeling knows this revision."""
        await publish(self.kafka, registry_events_pb2.ProjectApplied(project=applied))

        async def known() -> bool:
            rows = await self.sql("select revision from projects where project_id = :p", p=applied.project_id)
            return rows == [(applied.revision,)]

        await eventually(known)

    async def flag(self, one: flag_pb2.Flag, *, id: str | None = None) -> str:
        return await publish(self.kafka, events_pb2.PredictionFlagged(flag=one), id=id)

    async def flagged(self, *flags: flag_pb2.Flag) -> None:
        """Publishes flags one by one, each handled before the next."""
        for one in flags:
            await self.flag(one)
            await eventually(lambda flag_id=one.flag_id: self.knows(flag_id))

    async def knows(self, flag_id: str) -> bool:
        return bool(await self.sql("select 1 from flags where flag_id = :id", id=flag_id))

    async def sql(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        engine = create_async_engine(self.database_url.replace("postgresql://", "postgresql+asyncpg://"))
        try:
            async with engine.begin() as connection:
                rows = await connection.execute(sa.text(query), values)
                return [tuple(row) for row in rows] if rows.returns_rows else []
        finally:
            await engine.dispose()

    async def task_state(self, sample: str = "a", name: str = "clothes") -> str:
        rows = await self.sql("select state from label_tasks where sample_id = :s", s=f"{name}/sample/{sample}")
        return rows[0][0] if rows else ""

    def stub(self, subject: str, role: str = "annotator") -> LabelingServiceStub:
        return LabelingServiceStub(self._channel(subject, role))

    async def raw(self, subject: str, path: str, request: Message) -> bytes:
        """Any RPC as an annotator calls it; the answer's bytes."""
        call = self._channel(subject, "annotator").unary_unary(path, request_serializer=type(request).SerializeToString)
        answer: bytes = await call(request)
        return answer

    def reviews(self, subject: str = "rita", role: str = "reviewer") -> ReviewServiceStub:
        return ReviewServiceStub(self._channel(subject, role))

    async def next_review(self, reviewer: str = "rita", known: Any = (), role: str = "reviewer") -> Any:
        request = review_pb.NextReviewRequest(project_id="clothes", label_task_ids=known)
        return await self.reviews(reviewer, role).NextReview(request)

    def manager(self) -> ManagementServiceStub:
        return ManagementServiceStub(self._channel("mia", "manager"))

    async def revoke(self, annotator: str, *, reason: str = "at random", request_id: str = "") -> Any:
        request = management_pb.RevokeAnnotatorRequest(
            project_id="clothes", annotator=annotator, reason=reason, request_id=request_id or new_id()
        )
        return await self.manager().RevokeAnnotator(request)

    def operations(self) -> OperationsServiceStub:
        return OperationsServiceStub(self._channel("engineer", "engineer"))

    def health(self) -> HealthStub:
        return HealthStub(self._channel("engineer", "engineer"))

    def _channel(self, subject: str, role: str) -> grpc.aio.Channel:
        if subject not in self.channels:
            token = self.tokens.add(subject=subject, role=role)
            self.channels[subject] = channel(self.address, token=token, deadline_s=60)
        return self.channels[subject]

    def management(self, subject: str = "mona", role: str = "manager") -> ManagementServiceStub:
        return ManagementServiceStub(self._channel(subject, role))

    async def next_task(self, annotator: str, name: str = "clothes", known: Sequence[str] = ()) -> pb.NextTaskResponse:
        return await self.stub(annotator).NextTask(pb.NextTaskRequest(project_id=name, label_task_ids=known))

    async def request(self, *samples: str, overlap: int = 0, **asked: Any) -> management_pb.RequestLabelsResponse:
        """Asks for labels of samples of `clothes`, as a manager."""
        asked.setdefault("source", label_task_pb2.LabelRequest.SOURCE_HAND)
        request = management_pb.RequestLabelsRequest(
            project_id="clothes",
            sample_ids=[f"clothes/sample/{sample}" for sample in samples],
            label_request=label_task_pb2.LabelRequest(**asked),
            overlap=overlap,
            request_id=new_id(),
        )
        return await self.management().RequestLabels(request)

    async def set_gold(self, sample: str, text: str) -> None:
        """Says that the right answer for a sample of `clothes` is this class."""
        whole = label_task_pb2.Region(whole=label_task_pb2.Whole(), label=text)
        request = management_pb.SetGoldRequest(
            project_id="clothes", sample_id=f"clothes/sample/{sample}", regions=[whole], request_id=new_id()
        )
        await self.management().SetGold(request)

    async def submit(self, annotator: str, label_task_id: str, text: str, **more: Any) -> pb.SubmitAnnotationResponse:
        return await self.stub(annotator).SubmitAnnotation(submission(label_task_id, text, **more))

    async def answer(self, annotator: str, text: str) -> pb.SubmitAnnotationResponse:
        """Takes the next task and answers it."""
        task = (await self.next_task(annotator)).label_task
        return await self.submit(annotator, task.label_task_id, text)

    async def release(self, annotator: str, label_task_id: str, request_id: str = "") -> pb.ReleaseTaskResponse:
        request = pb.ReleaseTaskRequest(label_task_id=label_task_id, request_id=request_id or new_id())
        return await self.stub(annotator).ReleaseTask(request)

    async def collect(self, message_type: Any, n: int) -> list[Any]:
        return await collect(self.kafka, message_type, n)

    async def parked(self) -> list[operations_pb.ParkedEvent]:
        response = await self.operations().ListParkedEvents(operations_pb.ListParkedEventsRequest())
        return list(response.parked_events)


def submission(label_task_id: str, text: str, *, request_id: str = "", regions: Any = None) -> Any:
    whole = [label_task_pb2.Region(whole=label_task_pb2.Whole(), label=text)]
    return pb.SubmitAnnotationRequest(
        label_task_id=label_task_id,
        regions=whole if regions is None else regions,
        request_id=request_id or new_id(),
    )


@asynccontextmanager
async def refused(code: grpc.StatusCode, *reasons: str) -> Any:
    """The block must end in this error, for one of these reasons."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    details = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert (caught.value.code(), info.domain) == (code, "labeling.relearn")
    assert info.reason in reasons


@asynccontextmanager
async def running(postgres_url: str, kafka: Any, tokens: Any, clock: Clock) -> Any:
    config = Config(
        database_url=postgres_url,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_topic_prefix=kafka.topic_prefix,
        listen_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        tokens_file=tokens.path,
        token=tokens.of("service"),
        sweep_every_s=0.1,
        learn_every_s=0.3,
        drain_timeout_s=2,
    )
    service = build(config, new_id=new_id, now=clock)
    await service.start()
    world = World(kafka=kafka, tokens=tokens, database_url=postgres_url, address=service.address, clock=clock)
    try:
        yield world
    finally:
        for one in world.channels.values():
            await one.close()
        await service.stop()
