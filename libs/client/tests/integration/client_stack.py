"""All services but the gateway as processes of their own, on the run's PostgreSQL and Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace

import asyncpg
import numpy as np
import pytest

from relearn.monitoring.v1 import events_pb2, flag_pb2
from relearn_client import NotFound, Relearn, WrongState
from relearn_contracts.topics import all_topics
from relearn_local import children, tokens, topics
from relearn_local.services import SERVICES, Surroundings, environment
from relearn_media import encode_png
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import Record, encode
from relearn_runtime.testing import publish_record

RUNNING = ("registry", "datasets", "labeling", "training", "control", "monitoring")
CLASSES = ("boot", "shirt")


@dataclass
class ClientStack:
    """The services, where they listen, and tokens for whoever asks."""

    folder: Path
    around: Surroundings
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        (service,) = [one for one in SERVICES if one.name == name]
        self.children[name] = children.start(
            [sys.executable, "-m", service.module],
            log=self.folder / f"{name}.log",
            environment=os.environ | environment(service, self.around),
        )

    def kill(self, name: str) -> None:
        self.children[name].kill()
        self.children[name].wait()

    def stop(self) -> None:
        for child in self.children.values():
            children.stop(child, gently=signal.SIGTERM, grace_s=10)

    def token(self, subject: str, role: str) -> str:
        return tokens.add(Path(self.around.tokens_file), subject=subject, role=role)

    def client(self, subject: str = "ada", role: str = "engineer", **more: object) -> Relearn:
        known = {name: self.around.addresses[name] for name in RUNNING}
        endpoints = {**known, "kafka": self.around.kafka_bootstrap_servers}
        return Relearn(token=self.token(subject, role), endpoints=endpoints, home=self.folder, **more)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a person who uses the command."""
        addresses = {f"RELEARN_{name.upper()}": self.around.addresses[name] for name in RUNNING}
        more = {"RELEARN_KAFKA": self.around.kafka_bootstrap_servers, "RELEARN_HOME": str(self.folder)}
        return {**addresses, **more, "RELEARN_TOKEN": self.token("eve", "engineer")}


def pictures(folder: Path, *, first: int = 0, each: int = 4) -> Path:
    """A folder with one subfolder a class; every number makes pictures of its own."""
    for row, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            (folder / name / f"{number}.png").write_bytes(png(first + 1000 * row + number))
    return folder


def png(number: int) -> bytes:
    return encode_png(np.random.default_rng(number).integers(0, 256, size=(8, 8, 1), dtype=np.uint8))


def project(name: str, **policies: object) -> dict[str, object]:
    content: dict[str, object] = {"project_id": name, "input_kind": "image", "label_set": {"classes": list(CLASSES)}}
    return content | policies


@contextmanager
def running(folder: Path, postgres, kafka, ports) -> Iterator[ClientStack]:
    """The services, answering."""
    urls = {name: _database(postgres) for name in RUNNING}
    names = [service.name for service in SERVICES]
    addresses = {name: f"127.0.0.1:{ports.claim_any()}" for name in names}
    tokens_file = folder / "tokens.json"
    around = Surroundings(
        listen=addresses,
        addresses=addresses,
        metrics=dict.fromkeys(names, "127.0.0.1:0"),
        database_urls=urls,
        tokens={name: tokens.add(tokens_file, subject=name, role="service") for name in names},
        web={},
        web_secrets={},
        tokens_file=str(tokens_file),
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        object_store_url=(folder / "objects").as_uri(),
        spool_folder=str(folder / "spool"),
        scratch_folder=str(folder / "scratch"),
    )
    (folder / "objects").mkdir()
    topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers)
    stack = ClientStack(folder=folder, around=around)
    try:
        for name in RUNNING:
            stack.start(name)
        with stack.client(patience_s=90) as client:
            client.projects()
            # known to be there once they know no such project
            for ask in (client.versions, client.label_tasks, client.studies, client.routes, client.alerts):
                with pytest.raises(NotFound):
                    ask("nobody")
        yield stack
    finally:
        stack.stop()


def _database(postgres) -> str:
    name = f"client_{token_hex(6)}"

    async def create() -> None:
        connection = await asyncpg.connect(postgres.url("postgres"))
        await connection.execute(f'create database "{name}"')
        await connection.close()

    asyncio.run(create())
    return postgres.url(name)


def until(found, deadline_s: float = 60):
    """The first true answer; a thing that is not there yet is no error."""
    give_up = time.monotonic() + deadline_s
    while True:
        try:
            if answer := found():
                return answer
        except (NotFound, WrongState) as error:
            if time.monotonic() > give_up:
                raise AssertionError(f"not in time: {error}") from error
        assert time.monotonic() < give_up, "not in time"
        time.sleep(0.1)


def send(stack, record: Record) -> None:
    kafka = SimpleNamespace(bootstrap_servers=stack.around.kafka_bootstrap_servers, topic_prefix="")
    asyncio.run(publish_record(kafka, record))


def flag_one(stack, name: str, sample_id: str) -> str:
    """As the monitor does it, once the input is in datasets."""
    flag = flag_pb2.Flag(
        flag_id=new_id(),
        project_id=name,
        prediction_id=new_id(),
        sample_id=sample_id,
        stream=flag_pb2.STREAM_SELECTED,
        probability=0.5,
        reason="the model said boot with 0.41",
        model_version_id=f"{name}/model/1",
        predicted_label="boot",
    )
    send(stack, encode(events_pb2.PredictionFlagged(flag=flag), id=new_id(), time=utc_now()))
    return flag.flag_id


def sample_id(name: str, content: bytes) -> str:
    """The id that datasets gives to these bytes in a project."""
    return f"{name}/sample/{sha256(content).hexdigest()}"
