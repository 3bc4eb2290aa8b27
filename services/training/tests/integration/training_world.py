"""Training on a real Kafka, PostgreSQL and object storage, with a small server of datasets' contract beside it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import polars as pl
import psutil
import sqlalchemy as sa
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy.ext.asyncio import create_async_engine

from relearn.datasets.v1 import dataset_version_pb2
from relearn.datasets.v1 import datasets_service_pb2 as datasets_pb
from relearn.datasets.v1 import events_pb2 as datasets_events
from relearn.datasets.v1.datasets_service_pb2_grpc import (
    DatasetsServiceServicer,
    add_DatasetsServiceServicer_to_server,
)
from relearn.monitoring.v1 import alert_pb2
from relearn.monitoring.v1 import events_pb2 as monitoring_events
from relearn.operations.v1 import operations_service_pb2 as operations_pb
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import events_pb2 as registry_events
from relearn.registry.v1 import model_version_pb2, project_pb2
from relearn.serving.v1 import events_pb2 as serving_events
from relearn.serving.v1 import route_pb2
from relearn.training.v1 import training_service_pb2 as pb
from relearn.training.v1.training_service_pb2_grpc import TrainingServiceStub
from relearn_media import encode_png
from relearn_runtime import Store, channel, database, new_id, utc_now
from relearn_runtime.testing import eventually, handled, publish
from relearn_training import wire
from relearn_training.app import build
from relearn_training.config import Config
from relearn_training.domain.policy import Trigger
from relearn_training.domain.studies import Study, StudyState
from relearn_training.store import Transaction

CLASSES = ("left", "right", "top")
NAME = "shapes"
SIDE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a pack."""

    label: int
    use: str
    stream: str = "imported"
    probability: float | None = None
    version_n: int = 1
    turned: bool = False


def samples(n: int, use: str, **more: Any) -> list[Sample]:
    return [Sample(label=i % len(CLASSES), use=use, **more) for i in range(n)]


def picture(sample: Sample, generator: np.random.Generator) -> np.ndarray:
    """A bright bar at the left, right or top of noise; dark on bright where the camera was `turned`.

    Training mirrors, which makes left and right hard to tell by their place alone: the bars differ in width too.
    """
    pixels = generator.integers(0, 60, (SIDE, SIDE), dtype=np.uint8)
    bar = (slice(None), slice(1, 3)) if sample.label == 0 else (slice(None), slice(5, 11))
    pixels[bar if sample.label < 2 else (slice(1, 4), slice(None))] += 180
    return 255 - pixels if sample.turned else pixels


def project(
    *,
    name: str = NAME,
    classes: Sequence[str] = CLASSES,
    revision: int = 1,
    paused: bool = False,
    seconds: dict[str, float] | None = None,
    **policy: Any,
) -> Any:
    """A project with a policy of small numbers."""
    numbers = {
        "min_train_labels": 60, "min_validation_labels": 30, "new_labels": 50, "new_labels_after_alert": 20,
        "trials": 2, "trials_in_parallel": 2, "epochs": 2, "update_epochs": 2, "new_share": 0.5, "seed": 7,
    } | policy  # fmt: skip
    made = project_pb2.Project(
        project_id=name,
        input_kind=project_pb2.INPUT_KIND_IMAGE,
        label_set=project_pb2.LabelSet(version=1, classes=classes),
        revision=revision,
        state=project_pb2.Project.STATE_PAUSED if paused else project_pb2.Project.STATE_ACTIVE,
        training=project_pb2.TrainingPolicy(**numbers),
    )
    for name, value in ({"cool_down": 0.0, "time_budget": 600.0} | (seconds or {})).items():
        getattr(made.training, name).FromTimedelta(timedelta(seconds=value))
    return made


class PlayedDatasets(DatasetsServiceServicer):
    """GetPack and GetVersion as datasets' contract says, on packs that a test puts in.

    Attributes:
        away: no pack is given, as if the service were down.
        never_ready: projects whose packs are never made.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self.address = ""
        self.packs: dict[str, datasets_pb.GetPackResponse] = {}
        self.versions: dict[str, dataset_version_pb2.DatasetVersion] = {}
        self.away = False
        self.never_ready: set[str] = set()

    def commit(
        self,
        number: int,
        rows: Sequence[Sample],
        *,
        content: bytes | None = None,
        name: str = NAME,
        classes: Sequence[str] = CLASSES,
    ) -> Any:
        """A version with its pack; `content` replaces the bytes of every picture."""
        generator = np.random.default_rng(number)
        encoded = [encode_png(picture(row, generator)) if content is None else content for row in rows]
        sizes = [len(data) for data in encoded]
        table = pl.DataFrame(
            {
                "sample_id": [f"{name}/sample/{sha256(data).hexdigest()}" for data in encoded],
                "offset": [sum(sizes[:i]) for i in range(len(rows))],
                "size": sizes,
                "label": [classes[row.label] for row in rows],
                "use": [row.use for row in rows],
                "stream": [row.stream for row in rows],
                "probability": [row.probability for row in rows],
                "group_key": [str(i) for i in range(len(rows))],
                "version_n": [row.version_n for row in rows],
            },
            schema_overrides={"probability": pl.Float64},
        )
        prefix = f"packs/{sha256(f'{name}/{number}'.encode()).hexdigest()}/"
        folder = self._store / prefix
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pack.bin").write_bytes(b"".join(encoded))
        table.write_parquet(folder / "index.parquet")
        index = sha256((folder / "index.parquet").read_bytes()).hexdigest()
        version = dataset_version_pb2.DatasetVersion(
            dataset_version_id=f"{name}/data/{number}", project_id=name, number=number
        )
        version.create_time.GetCurrentTime()
        version.counts.train = sum(row.use == "train" for row in rows)
        version.counts.validation = sum(row.use == "validation" for row in rows)
        version.counts.selected = sum(row.stream == "selected" for row in rows)
        response = datasets_pb.GetPackResponse(ready=True, prefix=prefix, index_sha256=index, samples=len(rows))
        self.packs[version.dataset_version_id] = response
        self.versions[version.dataset_version_id] = version
        return version

    async def GetPack(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if request.dataset_version_id.partition("/")[0] in self.never_ready:
            return datasets_pb.GetPackResponse(ready=False)
        return self.packs[request.dataset_version_id]

    async def GetVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.dataset_version_id not in self.versions:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such version")
        return datasets_pb.GetVersionResponse(dataset_version=self.versions[request.dataset_version_id])


@asynccontextmanager
async def playing_datasets(store: Path) -> AsyncIterator[PlayedDatasets]:
    played, server = PlayedDatasets(store), grpc.aio.server()
    add_DatasetsServiceServicer_to_server(played, server)
    played.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield played
    await server.stop(None)


@dataclass
class World:
    kafka: Any
    tokens: Any
    database_url: str
    folder: Path
    datasets: PlayedDatasets
    address: str = ""
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "database_url": self.database_url,
            "kafka_bootstrap_servers": self.kafka.bootstrap_servers,
            "kafka_topic_prefix": self.kafka.topic_prefix,
            "listen_address": "127.0.0.1:0",
            "metrics_address": "127.0.0.1:0",
            "tokens_file": str(self.tokens.path),
            "token": self.tokens.of("service"),
            "datasets_address": self.datasets.address,
            "object_store_url": self.objects.as_uri(),
            "work_dir": str(self.folder / "work"),
            "trial_niceness": 0,
            "lease_s": 5.0,
        } | more

    @asynccontextmanager
    async def running(self, **more: Any) -> AsyncIterator[None]:
        """Training in this process."""
        service = build(Config(**self.settings(**more)), new_id=new_id, now=utc_now)
        await service.start()
        self.address = service.address
        try:
            yield
        finally:
            await service.stop()

    async def process(self, **more: Any) -> asyncio.subprocess.Process:
        """Training as a process of its own, to be killed."""
        environment = {f"TRAINING_{name.upper()}": str(value) for name, value in self.settings(**more).items()}
        with (self.folder / "training.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "relearn_training", env=os.environ | environment, stdout=log, stderr=log
            )

    async def apply(self, applied: project_pb2.Project) -> None:
        await publish(self.kafka, registry_events.ProjectApplied(project=applied))

        async def known() -> bool:
            rows = await self.sql("select revision from projects where project_id = :p", p=applied.project_id)
            return rows == [(applied.revision,)]

        await eventually(known)

    async def commit(self, number: int, rows: Sequence[Sample], *, id: str | None = None, **more: Any) -> str:
        version = self.datasets.commit(number, rows, **more)
        return await self.committed(version, id=id)

    async def committed(self, version: Any, *, id: str | None = None) -> str:
        event = datasets_events.VersionCommitted(dataset_version=version, project_id=version.project_id)
        return await publish(self.kafka, event, id=id)

    async def handled(self, *event_ids: str) -> None:
        """Until these events have had their effect, if any."""
        await handled(self.database_url, *event_ids)

    async def studied(self, version: Any, applied: project_pb2.Project, *, ended_at: datetime | None = None) -> None:
        """A study of a version that has had a winner, as if it had been carried out."""
        engine = database(self.database_url)
        async with Store(engine, Transaction).transaction() as tx:
            known = await tx.situations.lock(version.project_id)
            study = Study(
                id=new_id(),
                project_id=version.project_id,
                dataset_version=wire.dataset_version(version),
                trigger=Trigger.MANUAL,
                detail="",
                alert_id="",
                champion=known.situation.champion,
                state=StudyState.FINISHED,
                plan=wire.plan(applied, known),
                project_revision=applied.revision,
                started_at=ended_at or utc_now(),
                started_event_id=new_id(),
                ended_at=ended_at or utc_now(),
            )
            await tx.studies.add(study)
        await engine.close()

    async def let_pass(self, interval: str) -> None:
        """Time, since all that has been decided."""
        await self.sql(f"update studies set ended_at = ended_at - interval '{interval}'")
        await self.sql(f"update situations set reconsider_at = reconsider_at - interval '{interval}'")

    async def register(self, number: int, *, run_id: str = "run", version_n: int = 1) -> str:
        """A model version of the project, registered."""
        version = model_version_pb2.ModelVersion(
            model_version_id=f"{NAME}/model/{number}",
            project_id=NAME,
            number=number,
            run_id=run_id,
            dataset_version_id=f"{NAME}/data/{version_n}",
        )
        await publish(self.kafka, registry_events.ModelVersionRegistered(model_version=version, project_id=NAME))
        return version.model_version_id

    async def route(self, champion: str, *, revision: int, outcome: int = 1) -> str:
        """A model version becomes the champion."""
        route = route_pb2.Route(
            route_id=f"{NAME}/route/{revision}",
            project_id=NAME,
            revision=revision,
            champion_model_version_id=champion,
        )
        return await publish(self.kafka, serving_events.RouteChanged(route=route, project_id=NAME, outcome=outcome))

    async def serve(self, finished: Any, *, number: int = 1, revision: int = 1) -> str:
        """Register a study's winner and make it the champion."""
        version_n = wire.version_number(finished.study.dataset_version_id)
        champion = await self.register(number, run_id=finished.winner.run_id, version_n=version_n)
        await self.handled(await self.route(champion, revision=revision))
        return champion

    def alert(self, alert_id: str, model_version_id: str, state: int, opened_at: datetime | None) -> alert_pb2.Alert:
        made = alert_pb2.Alert(alert_id=alert_id, project_id=NAME, model_version_id=model_version_id, state=state)
        made.open_time.FromDatetime(opened_at or utc_now())
        return made

    async def open_alert(self, alert_id: str, model_version_id: str, *, at: datetime | None = None) -> str:
        alert = self.alert(alert_id, model_version_id, alert_pb2.Alert.STATE_OPEN, at)
        return await publish(self.kafka, monitoring_events.AlertOpened(alert=alert, project_id=NAME))

    async def confirm_alert(self, alert_id: str, model_version_id: str, *, at: datetime | None = None) -> str:
        alert = self.alert(alert_id, model_version_id, alert_pb2.Alert.STATE_CONFIRMED, at)
        return await publish(self.kafka, monitoring_events.AlertConfirmed(alert=alert, project_id=NAME))

    async def resolve_alert(self, alert_id: str, model_version_id: str) -> str:
        alert = self.alert(alert_id, model_version_id, alert_pb2.Alert.STATE_RESOLVED, None)
        return await publish(self.kafka, monitoring_events.AlertResolved(alert=alert, project_id=NAME))

    async def refute_alert(self, alert_id: str, model_version_id: str) -> str:
        alert = self.alert(alert_id, model_version_id, alert_pb2.Alert.STATE_REFUTED, None)
        return await publish(self.kafka, monitoring_events.AlertRefuted(alert=alert, project_id=NAME))

    async def sql(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        engine = create_async_engine(self.database_url.replace("postgresql://", "postgresql+asyncpg://"))
        try:
            async with engine.begin() as connection:
                rows = await connection.execute(sa.text(query), values)
                return [tuple(row) for row in rows] if rows.returns_rows else []
        finally:
            await engine.dispose()

    def stub(self, role: str = "engineer") -> TrainingServiceStub:
        self.channels.append(channel(self.address, token=self.tokens.of(role), deadline_s=60))
        return TrainingServiceStub(self.channels[-1])

    async def waits_for(self, name: str = NAME) -> Any:
        self.channels.append(channel(self.address, token=self.tokens.of("service"), deadline_s=60))
        request = operations_pb.GetWaitingRequest(project_id=name)
        return (await OperationsServiceStub(self.channels[-1]).GetWaiting(request)).waiting

    def start_request(self, **values: Any) -> pb.StartStudyRequest:
        return pb.StartStudyRequest(**({"project_id": NAME, "reason": "a test", "request_id": new_id()} | values))

    async def close(self) -> None:
        for one in self.channels:
            await one.close()


def children_of(pid: int) -> list[psutil.Process]:
    """Worker processes below a process."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # it has just ended
            if "relearn_training.worker" in child.cmdline():
                found.append(child)
    return found


def kill(process: psutil.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)


def reason_of(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str]:
    trailing: Any = error.trailing_metadata() or ()
    status = next(value for name, value in trailing if name == "grpc-status-details-bin")
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(status).details[0].Unpack(info)
    return error.code(), info.reason
