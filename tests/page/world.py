"""What the labeling page runs on: labeling, datasets and the console, real ones, in a loop of their own."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from google.protobuf.json_format import MessageToDict
from sqlalchemy.ext.asyncio import create_async_engine

from relearn.labeling.v1 import labeling_service_pb2 as labeling_pb
from relearn.labeling.v1.labeling_service_pb2_grpc import LabelingServiceStub
from relearn.monitoring.v1 import events_pb2, flag_pb2
from relearn.registry.v1 import events_pb2 as registry_events_pb2
from relearn.registry.v1 import project_pb2
from relearn_console.app import build as build_console
from relearn_console.config import Config as ConsoleConfig
from relearn_datasets.app import build as build_datasets
from relearn_datasets.config import Config as DatasetsConfig
from relearn_labeling.app import build as build_labeling
from relearn_labeling.config import Config as LabelingConfig
from relearn_runtime import Service, channel, new_id, utc_now
from relearn_runtime.testing import eventually, publish

T = TypeVar("T")
PAGE = Path(__file__).parents[2] / "services" / "console" / "relearn_console" / "page"
LEASE_S = 120
KNOWN = "select 1 from projects where project_id = :name"
KINDS = {
    "image": project_pb2.INPUT_KIND_IMAGE,
    "text": project_pb2.INPUT_KIND_TEXT,
    "audio": project_pb2.INPUT_KIND_AUDIO,
    "video": project_pb2.INPUT_KIND_VIDEO,
}
MEDIA_TYPES = {"image": "image/png", "text": "text/plain", "audio": "audio/wav", "video": "video/mp4"}


class Clock:
    """The real time, and what a test has let pass."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, **passed: float) -> None:
        self._ahead += timedelta(**passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project that a test made, and whose samples it is asked to label."""

    name: str
    kind: str


@dataclass
class World:
    """Everything a browser needs, and what a test asks of it. Methods may be called from any thread."""

    kafka: Any
    tokens: Any
    labeling_url: str
    datasets_url: str
    folder: Path
    clock: Clock = field(default_factory=Clock)
    url: str = ""

    def start(self) -> None:
        """Serves; the address is in `url`."""
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(started)))
        self._thread.start()
        if not started.wait(60):
            raise AssertionError("the services did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def project(self, kind: str, classes: list[str], *kinds: int, name: str = "", **label_set: Any) -> Project:
        """A new project with its label set, known to labeling and datasets."""
        made = Project(name=name or f"{kind}-{new_id()[:13]}", kind=kind)
        return self._do(self._project(made, classes, kinds, label_set))

    def want(self, project: Project, *contents: bytes) -> None:
        """Opens a label task for each of these samples, the first one asked for first."""
        for content in contents:
            self._do(self._want(project, content))

    def token(self, subject: str, role: str = "annotator") -> str:
        return str(self.tokens.add(subject=subject, role=role))

    def answers(self, project: Project, n: int) -> list[dict[str, Any]]:
        """The first n answers to a project's tasks, oldest first, once there are so many."""
        return self._do(self._answers(project, n))

    # in the loop

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    async def _run(self, started: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        common: dict[str, Any] = {
            "listen_address": "127.0.0.1:0",
            "metrics_address": "127.0.0.1:0",
            "tokens_file": self.tokens.path,
            "drain_timeout_s": 2,
        }
        events = {
            "kafka_bootstrap_servers": self.kafka.bootstrap_servers,
            "kafka_topic_prefix": self.kafka.topic_prefix,
            "token": self.tokens.of("service"),
        }
        objects = (self.folder / "objects").as_uri()
        labeling = build_labeling(
            LabelingConfig(**common, **events, database_url=self.labeling_url, sweep_every_s=0.1),
            new_id=new_id,
            now=self.clock,
        )
        datasets = build_datasets(
            DatasetsConfig(**common, **events, database_url=self.datasets_url, object_store_url=objects),
            new_id=new_id,
            now=utc_now,
        )
        services: list[Service] = [labeling, datasets]
        for service in services:
            await service.start()
        console = build_console(
            ConsoleConfig(
                **common,
                web_address="127.0.0.1:0",
                registry_address="127.0.0.1:1",
                labeling_address=labeling.address,
                datasets_address=datasets.address,
                object_store_url=objects,
                work_dir=self.folder / "work",
                pages_dir=PAGE,
            ),
            new_id=new_id,
            now=utc_now,
        )
        await console.start()
        self._labeling, self._datasets = labeling, datasets
        self._engineer = channel(labeling.address, token=self.tokens.of("engineer"))
        self.url = f"http://{console.doors[0].address}"
        started.set()
        await self._end.wait()
        await self._engineer.close()
        for service in (console, *services):
            await service.stop()

    async def _project(self, project: Project, classes: list[str], kinds: tuple[int, ...], more: Any) -> Project:
        made = project_pb2.Project(
            project_id=project.name,
            input_kind=KINDS[project.kind],
            label_set=project_pb2.LabelSet(version=1, classes=classes, region_kinds=kinds, **more),
            revision=1,
            state=project_pb2.Project.STATE_ACTIVE,
            labeling=project_pb2.LabelingPolicy(instructions="Mark all that you see."),
        )
        made.labeling.lease.FromTimedelta(timedelta(seconds=LEASE_S))
        await publish(self.kafka, registry_events_pb2.ProjectApplied(project=made))
        for url in (self.labeling_url, self.datasets_url):
            await eventually(lambda url=url: self._sql(url, KNOWN, name=project.name), deadline_s=30)
        return project

    async def _want(self, project: Project, content: bytes) -> None:
        sample_id = await self._put(project, content)
        flag = flag_pb2.Flag(
            flag_id=new_id(),
            project_id=project.name,
            prediction_id=f"prediction-of-{sample_id}",
            sample_id=sample_id,
            stream=flag_pb2.STREAM_SELECTED,
            probability=0.25,
            reason="the model was unsure",
            model_version_id=f"{project.name}/model/1",
        )
        await publish(self.kafka, events_pb2.PredictionFlagged(flag=flag))
        known = "select 1 from flags where flag_id = :id"
        await eventually(lambda: self._sql(self.labeling_url, known, id=flag.flag_id), deadline_s=30)

    async def _put(self, project: Project, content: bytes) -> str:
        """The sample as datasets keeps it: its bytes, and the row that names them."""
        digest = hashlib.sha256(content)
        path = self.folder / "objects" / "blobs" / digest.hexdigest()[:2] / digest.hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        await self._sql(
            self.datasets_url,
            """with of_its_own as (insert into groups values (:project, :key, 0, null))
               insert into samples (project_id, sha256, size_bytes, media_type, group_key, origin, created_at)
               values (:project, :sha256, :size, :media_type, :key, 'import', now())""",
            project=project.name,
            sha256=digest.digest(),
            key=digest.hexdigest(),
            size=len(content),
            media_type=MEDIA_TYPES[project.kind],
        )
        return f"{project.name}/sample/{digest.hexdigest()}"

    async def _answers(self, project: Project, n: int) -> list[dict[str, Any]]:
        stub = LabelingServiceStub(self._engineer)
        give_up = time.monotonic() + 30
        while True:
            listed = await stub.ListLabelTasks(labeling_pb.ListLabelTasksRequest(project_id=project.name))
            found = []
            for task in listed.label_tasks:
                request = labeling_pb.GetLabelTaskRequest(label_task_id=task.label_task_id)
                found += list((await stub.GetLabelTask(request)).annotations)
            if len(found) >= n:
                found.sort(key=lambda annotation: annotation.create_time.ToNanoseconds())
                return [MessageToDict(annotation) for annotation in found]
            if time.monotonic() > give_up:
                raise AssertionError(f"{len(found)} answers to {project.name}, not {n}")
            await asyncio.sleep(0.05)

    async def _sql(self, url: str, query: str, **values: Any) -> list[Any]:
        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
        try:
            async with engine.begin() as connection:
                rows = await connection.execute(sa.text(query), values)
                return list(rows) if rows.returns_rows else []
        finally:
            await engine.dispose()
