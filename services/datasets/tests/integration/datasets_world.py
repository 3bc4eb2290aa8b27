"""One datasets service on a real Kafka, a real PostgreSQL and a folder of objects."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import grpc
import numpy as np
import pytest
import sqlalchemy as sa
from google.rpc import error_details_pb2, status_pb2
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from relearn.labeling.v1 import events_pb2 as labeling_pb2
from relearn.labeling.v1 import label_task_pb2
from relearn.monitoring.v1 import flag_pb2
from relearn.operations.v1 import operations_service_pb2 as operations_pb
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import events_pb2 as registry_events_pb2
from relearn.registry.v1 import project_pb2
from relearn_datasets.app import build
from relearn_datasets.config import Config
from relearn_datasets.store import Transaction
from relearn_media import encode_png
from relearn_runtime import Store, channel, database, new_id, utc_now
from relearn_runtime.testing import collect, eventually, publish

CLASSES = ("shirt", "boot", "bag")
AUDIT, SELECTED, DISAGREEMENT = flag_pb2.STREAM_AUDIT, flag_pb2.STREAM_SELECTED, flag_pb2.STREAM_DISAGREEMENT
WHOLE = label_task_pb2.Whole()


def png(number: int) -> bytes:
    """A picture of its own for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, size=(8, 8, 1), dtype=np.uint8)
    return encode_png(pixels)


def animated_png() -> bytes:
    first, second = (Image.new("L", (8, 8), value) for value in (0, 255))
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=[second])
    return buffer.getvalue()


def tone(frames: int) -> bytes:
    """A WAV of so many frames, 8,000 a second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x10" * frames)
    return buffer.getvalue()


def video(frames: int) -> bytes:
    """An MP4 of so many frames, 10 a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            pixels = np.full((32, 32, 3), number * 20, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def id_of(content: bytes, name: str = "clothes") -> str:
    return f"{name}/sample/{sha256(content).hexdigest()}"


def project(
    name: str = "clothes",
    *,
    revision: int = 1,
    labels: int = 3,
    after_s: float = 3600,
    classes: Any = CLASSES,
    **more: Any,
) -> project_pb2.Project:
    label_set = project_pb2.LabelSet(
        version=more.pop("label_set_version", 1),
        classes=classes,
        region_kinds=[f"REGION_KIND_{kind}" for kind in more.pop("region_kinds", ())],
        multi_label=more.pop("multi_label", False),
    )
    input_kind = more.pop("input_kind", project_pb2.INPUT_KIND_IMAGE)
    state = more.pop("state", project_pb2.Project.STATE_ACTIVE)
    policy = project_pb2.DatasetsPolicy(commit_labels=labels, **more)
    policy.commit_after.FromTimedelta(timedelta(seconds=after_s))
    return project_pb2.Project(
        project_id=name,
        input_kind=input_kind,
        label_set=label_set,
        revision=revision,
        state=state,
        datasets=policy,
    )


def header(name: str = "clothes", *, request_id: str = "", **more: Any) -> pb.ImportSamplesRequest:
    made = pb.ImportHeader(
        project_id=name, origin=more.pop("origin", "folder"), request_id=request_id or new_id(), **more
    )
    return pb.ImportSamplesRequest(header=made)


def part(content: bytes, label: str = "", group_key: str = "") -> pb.ImportSamplesRequest:
    return pb.ImportSamplesRequest(sample=pb.ImportSample(content=content, label=label, group_key=group_key))


def labeled(numbers: Iterable[int], label: str = "shirt") -> Iterator[pb.ImportSamplesRequest]:
    return (part(png(number), label) for number in numbers)


def flag(stream: int, *, content: bytes, name: str = "clothes", probability: float = 0.25) -> flag_pb2.Flag:
    return flag_pb2.Flag(
        flag_id=new_id(), project_id=name, sample_id=id_of(content, name), stream=stream, probability=probability
    )


def accepted(
    content: bytes, label: str = "boot", *, name: str = "clothes", flags: Any = (), **more: Any
) -> labeling_pb2.LabelAccepted:
    """What labeling says when a label was accepted."""
    task_id = more.pop("task_id", f"task-of-{sha256(content).hexdigest()[:12]}-{name}")
    regions = more.pop("regions", [label_task_pb2.Region(whole=WHOLE, label=label)])
    found = label_task_pb2.Label(
        label_id=more.pop("label_id", "") or new_id(),
        label_task_id=task_id,
        project_id=name,
        sample_id=more.pop("sample_id", id_of(content, name)),
        label_set_version=more.pop("label_set_version", 1),
        regions=regions,
    )
    return labeling_pb2.LabelAccepted(
        label=found, label_task_id=task_id, flags=flags, revision=more.pop("revision", 1), **more
    )


@dataclass
class World:
    kafka: Any
    tokens: Any
    database_url: str
    address: str
    objects: Path
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    engine: AsyncEngine | None = None

    async def apply(self, applied: project_pb2.Project) -> None:
        """Applies a project and waits until datasets knows this revision."""
        await publish(self.kafka, registry_events_pb2.ProjectApplied(project=applied))

        async def known() -> bool:
            rows = await self.sql("select revision from projects where project_id = :p", p=applied.project_id)
            return rows == [(applied.revision,)]

        await eventually(known)

    async def sql(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        if self.engine is None:
            self.engine = create_async_engine(self.database_url.replace("postgresql://", "postgresql+asyncpg://"))
        async with self.engine.begin() as connection:
            rows = await connection.execute(sa.text(query), values)
            return [tuple(row) for row in rows] if rows.returns_rows else []

    def stub(self, role: str = "engineer") -> DatasetsServiceStub:
        return DatasetsServiceStub(self.channel(role))

    def operations(self) -> OperationsServiceStub:
        return OperationsServiceStub(self.channel("engineer"))

    def channel(self, role: str) -> grpc.aio.Channel:
        if role not in self.channels:
            self.channels[role] = channel(self.address, token=self.tokens.of(role), deadline_s=60)
        return self.channels[role]

    async def import_(self, *messages: pb.ImportSamplesRequest) -> pb.ImportSamplesResponse:
        return await self.stub().ImportSamples(iter(messages))

    async def put(self, content: bytes, stream: int = SELECTED, *, name: str = "clothes", **more: Any) -> Any:
        probability = more.pop("probability", 0.25 if stream else None)
        request = pb.PutSampleRequest(
            project_id=name,
            content=content,
            stream=stream,
            probability=probability,
            origin=more.pop("origin", "prediction:1"),
            request_id=more.pop("request_id", "") or new_id(),
            **more,
        )
        return await self.stub("service").PutSample(request)

    async def sample(self, content: bytes, *, name: str = "clothes", role: str = "engineer", **more: Any) -> Any:
        request = pb.GetSampleRequest(sample_id=id_of(content, name), **more)
        return await self.stub(role).GetSample(request)

    async def version(self, number: int, name: str = "clothes") -> Any:
        request = pb.GetVersionRequest(dataset_version_id=f"{name}/data/{number}")
        return (await self.stub().GetVersion(request)).dataset_version

    async def versions(self, name: str = "clothes") -> list[Any]:
        return list((await self.stub().ListVersions(pb.ListVersionsRequest(project_id=name))).dataset_versions)

    async def diff(self, from_: int | None, to: int, name: str = "clothes", **more: Any) -> pb.DiffResponse:
        from_id = f"{name}/data/{from_}" if from_ else ""
        request = pb.DiffRequest(from_dataset_version_id=from_id, to_dataset_version_id=f"{name}/data/{to}", **more)
        return await self.stub().Diff(request)

    async def committed(self, n: int, name: str = "clothes") -> Any:
        """Waits for the n-th version."""

        async def there() -> Any:
            found = await self.versions(name)
            return found[0] if found and found[0].number >= n else None

        return await eventually(there)

    async def label_states(self) -> dict[str, str]:
        return dict(await self.sql("select label_id, state from labels"))

    async def collect(self, message_type: Any, n: int) -> list[Any]:
        return await collect(self.kafka, message_type, n)

    async def parked(self) -> list[operations_pb.ParkedEvent]:
        response = await self.operations().ListParkedEvents(operations_pb.ListParkedEventsRequest())
        return list(response.parked_events)

    async def waiting(self, name: str = "clothes") -> list[str]:
        response = await self.operations().GetWaiting(operations_pb.GetWaitingRequest(project_id=name))
        return [line.waits_for for line in response.waiting]

    def blobs(self) -> set[str]:
        return {path.name for path in self.objects.glob("blobs/*/*")}

    def store(self) -> Store[Transaction]:
        """The service's database as its own code sees it; close `store.database`."""
        return Store(database(self.database_url), Transaction)

    async def close(self) -> None:
        for one in self.channels.values():
            await one.close()
        if self.engine is not None:
            await self.engine.dispose()


@asynccontextmanager
async def refused(code: grpc.StatusCode, reason: str, **metadata: str) -> Any:
    """The block must end in this error."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        yield
    info = info_of(raised.value)
    assert (raised.value.code(), info.reason) == (code, reason), raised.value.details()
    assert info.domain == "datasets.relearn"
    assert metadata.items() <= dict(info.metadata).items()


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    assert details is not None, error
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(details).details[0].Unpack(info)
    return info


def settings(postgres_url: str, kafka: Any, tokens: Any, objects: Path) -> dict[str, str]:
    return {
        "database_url": postgres_url,
        "kafka_bootstrap_servers": kafka.bootstrap_servers,
        "kafka_topic_prefix": kafka.topic_prefix,
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "tokens_file": os.fspath(tokens.path),
        "token": tokens.of("service"),
        "object_store_url": f"file://{objects}",
        "drain_timeout_s": "2",
    }


@asynccontextmanager
async def running(postgres_url: str, kafka: Any, tokens: Any, objects: Path) -> Any:
    service = build(Config(**settings(postgres_url, kafka, tokens, objects)), new_id=new_id, now=utc_now)
    await service.start()
    world = World(kafka=kafka, tokens=tokens, database_url=postgres_url, address=service.address, objects=objects)
    try:
        yield world
    finally:
        await world.close()
        await service.stop()
