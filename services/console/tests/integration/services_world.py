"""Registry, datasets and labeling as processes of their own, and a console in front of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace
from typing import Any

import asyncpg
from console_world import Browser, running

from relearn.monitoring.v1 import events_pb2, flag_pb2
from relearn_client import Relearn
from relearn_contracts.topics import all_topics
from relearn_local import children, topics
from relearn_local.services import SERVICES, Surroundings, environment
from relearn_local.testing import TokensForTest
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import encode
from relearn_runtime.testing import publish_record

BEHIND = ("registry", "datasets", "labeling")


@dataclass
class ServicesWorld:
    """The console, who may enter, and what happens behind it."""

    console: str
    tokens: TokensForTest
    kafka: SimpleNamespace
    client: Relearn
    processes: dict[str, subprocess.Popen[bytes]]

    def browser(self, role: str) -> Browser:
        """Somebody of this role, signed in."""
        browser = Browser(self.console)
        token = self.tokens.add(subject=f"{role}-{token_hex(4)}", role=role)
        assert browser.sign_in(token).status == 200
        return browser

    def project(self, **policies: Any) -> str:
        """The name of a new project."""
        name = f"shop-{token_hex(4)}"
        content = {"project_id": name, "input_kind": "image", "label_set": {"classes": ["boot", "shirt"]}}
        self.client.apply_project(content | policies)
        return name

    def flag(self, project_id: str, content: bytes) -> None:
        """As the monitor does it, once the input is in datasets."""
        flag = flag_pb2.Flag(
            flag_id=new_id(),
            project_id=project_id,
            prediction_id=new_id(),
            sample_id=sample_id(project_id, content),
            stream=flag_pb2.STREAM_SELECTED,
            probability=0.5,
            reason="the model said boot with 0.41",
            model_version_id=f"{project_id}/model/1",
            predicted_label="boot",
        )
        record = encode(events_pb2.PredictionFlagged(flag=flag), id=new_id(), time=utc_now())
        asyncio.run(publish_record(self.kafka, record))


def sample_id(project_id: str, content: bytes) -> str:
    return f"{project_id}/sample/{sha256(content).hexdigest()}"


@contextmanager
def services(folder: Path, tokens: TokensForTest, postgres: Any, kafka: Any, ports: Any) -> Iterator[ServicesWorld]:
    """All of it, answering."""
    names = [service.name for service in SERVICES]
    addresses = {name: f"127.0.0.1:{ports.claim_any()}" for name in names}
    objects = (folder / "objects").as_uri()
    around = Surroundings(
        listen=addresses,
        addresses=addresses,
        metrics=dict.fromkeys(names, "127.0.0.1:0"),
        database_urls={name: _database(postgres) for name in BEHIND},
        tokens=dict.fromkeys(names, tokens.of("service")),
        web={},
        web_secrets={},
        tokens_file=str(tokens.path),
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        object_store_url=objects,
        spool_folder=str(folder / "spool"),
        scratch_folder=str(folder / "scratch"),
    )
    topics.apply(all_topics(), bootstrap_servers=kafka.bootstrap_servers)
    processes = {one.name: _started(one, around, folder) for one in SERVICES if one.name in BEHIND}
    known = {f"{name}_address": addresses[name] for name in BEHIND}
    endpoints = {name: addresses[name] for name in BEHIND} | {"kafka": kafka.bootstrap_servers}
    client = Relearn(token=tokens.of("engineer"), endpoints=endpoints, home=folder, patience_s=90)
    try:
        with client, running(tokens, folder, object_store_url=objects, call_deadline_s=5, **known) as browser:
            client.projects()  # registry answers
            where = SimpleNamespace(bootstrap_servers=kafka.bootstrap_servers, topic_prefix="")
            yield ServicesWorld(console=browser.address, tokens=tokens, kafka=where, client=client, processes=processes)
    finally:
        for process in processes.values():
            children.stop(process, gently=signal.SIGTERM, grace_s=10)


def _started(service: Any, around: Surroundings, folder: Path) -> subprocess.Popen[bytes]:
    return children.start(
        [sys.executable, "-m", service.module],
        log=folder / f"{service.name}.log",
        environment=os.environ | environment(service, around),
    )


def _database(postgres: Any) -> str:
    name = f"console_{token_hex(6)}"

    async def create() -> None:
        connection = await asyncpg.connect(postgres.url("postgres"))
        await connection.execute(f'create database "{name}"')
        await connection.close()

    asyncio.run(create())
    return postgres.url(name)
