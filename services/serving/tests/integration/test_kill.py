"""Control is killed (SIGKILL) again and again while the gate speaks: every move happens once, and is told."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from typing import Any

from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.serving.v1.control_service_pb2 import ListRouteChangesRequest
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_runtime.testing import collect

ROUNDS = 6
PROJECTS = ("one", "two")


def start(the_loop: Any) -> subprocess.Popen[bytes]:
    config = the_loop.control_config
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": config.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": config.kafka_topic_prefix,
        "LISTEN_ADDRESS": the_loop.control.address,
        "METRICS_ADDRESS": "127.0.0.1:0",
        "TOKENS_FILE": str(config.tokens_file),
        "TOKEN": config.token.get_secret_value(),
        "DATABASE_URL": config.database_url.get_secret_value(),
    }
    environment = {**os.environ, **{f"CONTROL_{name}": value for name, value in settings.items()}}
    return subprocess.Popen(
        [sys.executable, "-m", "relearn_serving.control"], env=environment, stdout=subprocess.DEVNULL
    )


async def test_every_move_happens_once_whenever_control_is_killed(the_loop: Any) -> None:
    generator = random.Random(7)
    for project in PROJECTS:
        await the_loop.apply(project)
    await the_loop.stop_control()
    child = start(the_loop)
    try:
        for number in range(1, ROUNDS + 1):
            for project in PROJECTS:
                version = f"{project}/model/{number}"
                await the_loop.judge(version, id=f"{version}/passed")
                await the_loop.judge(version, verdict=Judgement.VERDICT_REJECTED, step=2, id=f"{version}/rejected")
                await the_loop.judge(version, id=f"{version}/passed")  # once more: a relay that was killed repeats
            await asyncio.sleep(generator.uniform(0.3, 2.5))
            child.kill()
            child.wait()
            child = start(the_loop)
        for project in PROJECTS:
            await the_loop.route_is(lambda route: route.revision == 1 + 2 * (ROUNDS - 1), project)
        events = await collect(the_loop.kafka, RouteChanged, len(PROJECTS) * (2 * ROUNDS - 1))
        for project in PROJECTS:
            history = await the_loop.control_stub.ListRouteChanges(ListRouteChangesRequest(project_id=project))
            told = {event.message.route.revision: event.message for event in events if event.key == project}
            kept = {change.route.revision: change for change in history.changes}
            assert sorted(told) == sorted(kept) == list(range(1, 2 * ROUNDS))
            assert all(told[revision].route == kept[revision].route for revision in told)
            assert {message.route.champion_model_version_id for message in told.values()} == {f"{project}/model/1"}
            assert [told[revision].outcome for revision in (2, 3)] == [
                RouteChanged.OUTCOME_STARTED,
                RouteChanged.OUTCOME_UNDONE,
            ]
    finally:
        child.kill()
        child.wait()
        await the_loop.start_control()
