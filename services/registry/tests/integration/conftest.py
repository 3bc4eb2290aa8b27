"""A running registry and the rest of the loop's events, told by the tests in any order."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relearn.datasets.v1.dataset_version_pb2 import DatasetVersion
from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn.labeling.v1.events_pb2 import LabelAccepted, LabelTaskClosed
from relearn.labeling.v1.label_task_pb2 import Label, LabelTask, Region
from relearn.monitoring.v1.events_pb2 import PredictionFlagged, ShadowCompared
from relearn.monitoring.v1.flag_pb2 import Disagreement, Flag, Stream
from relearn.operations.v1.operations_service_pb2 import GetWaitingRequest
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.registry.v1.events_pb2 import ModelVersionJudged, ModelVersionRegistered
from relearn.registry.v1.model_version_pb2 import Judgement, ModelFile
from relearn.registry.v1.project_pb2 import InputKind, LabelSet, Project, PromotionPolicy
from relearn.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn.serving.v1.route_pb2 import Route
from relearn.training.v1.events_pb2 import StudyFinished
from relearn.training.v1.study_pb2 import Run, Study
from relearn_registry.app import build
from relearn_registry.config import Config
from relearn_runtime import Service, channel, new_id, utc_now
from relearn_runtime.testing import DEADLINE_S, NotInTime, collect, eventually, handled, publish

PROJECT = "fashion"
OUTCOMES = {
    "first": (RouteChanged.OUTCOME_FIRST, Route.PHASE_SERVING),
    "shadow": (RouteChanged.OUTCOME_STARTED, Route.PHASE_SHADOW),
    "canary": (RouteChanged.OUTCOME_ADVANCED, Route.PHASE_CANARY),
    "finished": (RouteChanged.OUTCOME_FINISHED, Route.PHASE_SERVING),
    "undone": (RouteChanged.OUTCOME_UNDONE, Route.PHASE_SERVING),
    "rolled back": (RouteChanged.OUTCOME_ROLLED_BACK, Route.PHASE_SERVING),
}


def model(number: int) -> str:
    return f"{PROJECT}/model/{number}"


def data(number: int) -> str:
    return f"{PROJECT}/data/{number}"


def now() -> Any:
    return utc_now()


@dataclass(kw_only=True)
class Loop:
    """The registry under test, and everybody around it as one narrator."""

    kafka: Any
    config: Config
    service: Service
    registry: Any
    operations: Any
    close: Any
    objects: Path
    files: dict[str, list[ModelFile]] = field(default_factory=dict)

    async def apply(self, project: Project | None = None, **promotion: Any) -> pb.ApplyProjectResponse:
        wanted = project or Project(
            project_id=PROJECT,
            input_kind=InputKind.INPUT_KIND_IMAGE,
            label_set=LabelSet(classes=["coat", "shirt"]),
            promotion=PromotionPolicy(**({"disagreements_per_look": 10} | promotion)),
        )
        return await self.registry.ApplyProject(pb.ApplyProjectRequest(project=wanted, request_id=new_id()))

    async def pause(self, reason: str = "test") -> None:
        await self.registry.PauseProject(pb.PauseProjectRequest(project_id=PROJECT, reason=reason, request_id=new_id()))

    async def resume(self, reason: str = "test") -> None:
        await self.registry.ResumeProject(
            pb.ResumeProjectRequest(project_id=PROJECT, reason=reason, request_id=new_id())
        )

    def finished_study(self, *, right: int = 90, dataset: int = 1, study_id: str | None = None) -> StudyFinished:
        """A study whose winner gets so many of 100 validation samples right; its files are in object storage."""
        study_id, run_id = study_id or new_id(), new_id()
        files = {"validation.parquet": validation(right), "model.onnx": f"weights of {run_id}".encode()}
        named = []
        for name, content in files.items():
            key = f"runs/{run_id}/{name}"
            path = self.objects / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            named.append(ModelFile(name=name, key=key, sha256=digest, size_bytes=len(content)))
        self.files[study_id] = named
        return StudyFinished(
            project_id=PROJECT,
            study=Study(study_id=study_id, project_id=PROJECT, dataset_version_id=data(dataset)),
            winner=Run(run_id=run_id, study_id=study_id, project_id=PROJECT, family="plain-cnn", objective=0.9),
            files=named,
            classes=["coat", "shirt"],
            label_set_version=1,
        )

    async def study(self, **how: Any) -> str:
        """A study finishes; its id."""
        finished = self.finished_study(**how)
        await publish(self.kafka, finished)
        return finished.study.study_id

    async def champion(self) -> None:
        """A project with a first version that serves, and its dataset version; the registry knows the route."""
        await self.apply_if_missing()
        await self.committed(1)
        await self.study()
        await self.judged(1)
        await self.handled(await self.route(1, champion=1, how="first"))

    async def apply_if_missing(self) -> None:
        listed = await self.registry.ListProjects(pb.ListProjectsRequest())
        if not listed.projects:
            await self.apply()

    async def in_shadow(self, *, dataset: int = 2, revision: int = 2) -> None:
        """Beside the champion, version 2 in the shadow, as the registry knows."""
        await self.champion()
        await self.committed(dataset)
        await self.study(dataset=dataset)
        await self.judged(2)
        await self.handled(await self.route(revision, champion=1, challenger=2, how="shadow"))

    async def committed(self, number: int, *label_ids: str) -> str:
        version = DatasetVersion(
            dataset_version_id=data(number),
            project_id=PROJECT,
            number=number,
            parent_dataset_version_id=data(number - 1) if number > 1 else "",
            create_time=now(),
        )
        return await publish(
            self.kafka, VersionCommitted(dataset_version=version, project_id=PROJECT, label_ids=label_ids)
        )

    async def route(
        self,
        revision: int,
        *,
        champion: int,
        challenger: int | None = None,
        how: str,
        left: int | None = None,
        barred: Sequence[int] = (),
        judgement: str = "",
        alert: str = "",
    ) -> str:
        outcome, phase = OUTCOMES[how]
        changed = RouteChanged(
            project_id=PROJECT,
            outcome=outcome,
            reason=f"test: {how}",
            left_model_version_id=model(left) if left else "",
            barred_model_version_ids=[model(b) for b in barred],
            judgement_id=judgement,
            alert_id=alert,
            route=Route(
                route_id=f"{PROJECT}/route/{revision}",
                project_id=PROJECT,
                revision=revision,
                champion_model_version_id=model(champion),
                challenger_model_version_id=model(challenger) if challenger else "",
                phase=phase,
                weight_percent=25 if how == "canary" else 0,
                change_time=now(),
            ),
        )
        return await publish(self.kafka, changed)

    async def handled(self, *event_ids: str) -> None:
        """Until the registry has taken in what these events say: topics are read in any order."""
        await handled(self.config.database_url.get_secret_value(), *event_ids)

    async def flagged(self, flag: Flag) -> str:
        return await publish(self.kafka, PredictionFlagged(flag=flag))

    async def accepted(self, flag: Flag, answer: str, *, label_id: str | None = None, revision: int = 1) -> str:
        label = Label(
            label_id=label_id or f"label-of-{flag.flag_id}",
            label_task_id=f"task-of-{flag.sample_id}",
            project_id=PROJECT,
            sample_id=flag.sample_id,
            regions=[Region(label=answer)],
            accept_time=now(),
        )
        return await publish(
            self.kafka,
            LabelAccepted(label=label, label_task_id=label.label_task_id, flags=[flag], revision=revision),
        )

    async def disputed(self, flag: Flag, *, revision: int = 1) -> str:
        task = LabelTask(
            label_task_id=f"task-of-{flag.sample_id}", project_id=PROJECT, sample_id=flag.sample_id, answers=3
        )
        closed = LabelTaskClosed(
            label_task=task, label_task_id=task.label_task_id, flags=[flag], reason="DISPUTED", revision=revision
        )
        return await publish(self.kafka, closed)

    async def compared(self, *, asked: int = 0, stop: str = "", revision: int = 1, differ: int = 200) -> str:
        return await publish(
            self.kafka,
            ShadowCompared(
                project_id=PROJECT,
                champion_model_version_id=model(1),
                challenger_model_version_id=model(2),
                pairs=1000,
                disagreements=differ,
                asked=asked,
                wanted=10,
                stop_reason=stop,
                revision=revision,
                compare_time=now(),
            ),
        )

    async def answers(self, wins: int, losses: int, *, first: int = 1) -> list[Flag]:
        """Disagreements flagged and answered: "shirt" is what the challenger had said."""
        flags = [disagreement(first + i) for i in range(wins + losses)]
        for i, flag in enumerate(flags):
            await self.flagged(flag)
            await self.accepted(flag, "shirt" if i < wins else "coat")
        return flags

    async def judgements(self, count: int, deadline_s: float = DEADLINE_S) -> list[Any]:
        """So many events with a judgement in the order of the topic."""
        return await collect(self.kafka, ModelVersionJudged, count, deadline_s)

    async def judged(self, count: int, deadline_s: float = DEADLINE_S) -> list[Judgement]:
        """So many judgements in the order of the topic."""
        return [event.message.judgement for event in await self.judgements(count, deadline_s)]

    async def registered(self, count: int, deadline_s: float = DEADLINE_S) -> list[Any]:
        events = await collect(self.kafka, ModelVersionRegistered, count, deadline_s)
        return [event.message.model_version for event in events]

    async def nothing_more(self, judgements: int, for_s: float = 1.5) -> None:
        """No judgement comes but those there are."""
        with pytest.raises(NotInTime):
            await self.judged(judgements + 1, for_s)

    async def waits_for(self, words: str) -> Any:
        """The line of `why` that says this, once it does."""

        async def said() -> Any:
            lines = (await self.operations.GetWaiting(GetWaitingRequest(project_id=PROJECT))).waiting
            return next((line for line in lines if words in line.waits_for), None)

        return await eventually(said)

    async def stands(self, number: int, words: str) -> None:
        async def said() -> bool:
            return words in (await self.status(number)).standing

        await eventually(said)

    async def promote(self, number: int, reason: str = "I looked at it") -> Judgement:
        request = pb.PromoteModelVersionRequest(model_version_id=model(number), reason=reason, request_id=new_id())
        judgement: Judgement = (await self.registry.PromoteModelVersion(request)).judgement
        return judgement

    async def status(self, number: int) -> pb.ModelVersionStatus:
        response = await self.registry.GetModelVersion(pb.GetModelVersionRequest(model_version_id=model(number)))
        return response.status


def validation(right: int, n: int = 100) -> bytes:
    """A validation file of n samples, half of each class, of which the first `right` are answered right."""
    labels = ["coat" if i % 2 else "shirt" for i in range(n)]
    wrong = {"coat": "shirt", "shirt": "coat"}
    buffer = io.BytesIO()
    pl.DataFrame(
        {
            "sample_id": [f"{PROJECT}/sample/{i:064x}" for i in range(n)],
            "stream": ["imported"] * n,
            "probability": pl.Series([None] * n, dtype=pl.Float64),
            "label": labels,
            "predicted": [label if i < right else wrong[label] for i, label in enumerate(labels)],
            "confidence": [0.8] * n,
        }
    ).write_parquet(buffer)
    return buffer.getvalue()


def disagreement(number: int, *, champion: int = 1, challenger: int = 2) -> Flag:
    """The champion said coat, the challenger shirt."""
    pair = f"{champion}-{challenger}-{number}"
    return Flag(
        flag_id=f"flag-{pair}",
        project_id=PROJECT,
        prediction_id=f"prediction-{pair}",
        sample_id=f"{PROJECT}/sample/{hashlib.sha256(pair.encode()).hexdigest()}",
        stream=Stream.STREAM_DISAGREEMENT,
        probability=0.5,
        reason="they differ",
        model_version_id=model(champion),
        predicted_label="coat",
        confidence=0.6,
        predict_time=now(),
        flag_time=now(),
        disagreement=Disagreement(
            champion_model_version_id=model(champion),
            challenger_model_version_id=model(challenger),
            champion_label="coat",
            challenger_label="shirt",
            challenger_prediction_id=f"shadow-{pair}",
            number=number,
        ),
    )


@pytest.fixture
def config(postgres_url: str, kafka: Any, tokens: Any, tmp_path: Path) -> Config:
    nowhere = "127.0.0.1:1"
    return Config(
        database_url=postgres_url,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_topic_prefix=kafka.topic_prefix,
        listen_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        tokens_file=tokens.path,
        token=tokens.of("service"),
        object_store_url=f"file://{tmp_path}/objects",
        control_address=nowhere,
        monitoring_address=nowhere,
        labeling_address=nowhere,
        datasets_address=nowhere,
        training_address=nowhere,
        gate_every_s=0.1,
        copy_lease_s=1,
        drain_timeout_s=1,
        why_deadline_s=30,
    )


@pytest.fixture
def loop_events(config: Config, kafka: Any, tokens: Any, tmp_path: Path) -> Any:
    """Makes a narrator around a registry that runs."""

    def make(service: Service) -> Loop:
        engineer = channel(service.address, token=tokens.of("engineer"), deadline_s=60)
        return Loop(
            kafka=kafka,
            config=config,
            service=service,
            close=engineer.close,
            registry=RegistryServiceStub(engineer),
            operations=OperationsServiceStub(engineer),
            objects=tmp_path / "objects",
        )

    return make


@dataclass
class Clock:
    """The registry's time: as it is, and `ahead` of it."""

    ahead: timedelta = timedelta()

    def now(self) -> Any:
        return utc_now() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def loop(config: Config, loop_events: Any, clock: Clock) -> AsyncIterator[Loop]:
    service = build(config, new_id=new_id, now=clock.now)
    await service.start()
    narrator = loop_events(service)
    yield narrator
    await narrator.close()
    await service.stop()


@pytest.fixture
def make_disagreement() -> Any:
    return disagreement
