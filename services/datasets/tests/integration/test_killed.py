"""Killed at any moment under load: each label in exactly one version, each version told once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter

import grpc
import pytest
from datasets_world import SELECTED, World, accepted, flag, header, labeled, png, project, settings
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn_runtime.testing import collect_all, eventually, publish

LABELS = 120
KILLS = 4


@pytest.fixture
async def killable(postgres_url, kafka, tokens, tmp_path, test_ports):
    """What starts the service as a process of its own, again and again, at one address."""
    address = f"127.0.0.1:{test_ports.claim_any()}"
    found = settings(postgres_url, kafka, tokens, tmp_path / "objects") | {"listen_address": address}
    environment = os.environ | {f"DATASETS_{name.upper()}": value for name, value in found.items()}
    world = World(kafka=kafka, tokens=tokens, database_url=postgres_url, address=address, objects=tmp_path / "objects")
    processes = []

    async def start():
        with (tmp_path / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "relearn_datasets", env=environment, stdout=log, stderr=log
            )
        processes.append(process)
        await eventually(serves)
        return process

    async def serves():
        try:
            answer = await HealthStub(world.channel("engineer")).Check(HealthCheckRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
        return answer.status == HealthCheckResponse.SERVING

    yield world, start
    await world.close()
    for process in processes:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_each_label_is_committed_once_however_often_the_service_is_killed(killable):
    world, start = killable
    draw = random.Random(11)
    process = await start()
    await world.apply(project(labels=5, after_s=1))
    for number in range(LABELS):
        await world.put(png(number), SELECTED)

    async def accept_labels():
        for number in range(LABELS):
            content = png(number)
            message = accepted(content, label_id=f"label-{number}", flags=[flag(SELECTED, content=content)])
            event_id = await publish(world.kafka, message)
            if number % 10 == 0:
                await publish(world.kafka, message, id=event_id)

    accepting = asyncio.create_task(accept_labels())
    for _ in range(KILLS):
        await asyncio.sleep(draw.uniform(0.1, 1.5))  # the moment of the kill is the point
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process = await start()
    await accepting

    async def all_committed():
        rows = await world.sql("select state, count(*) from labels group by state")
        return rows == [("committed", LABELS)]

    await eventually(all_committed)
    changes = await world.sql("select new_label_id from changes")
    assert Counter(label_id for (label_id,) in changes) == {f"label-{number}": 1 for number in range(LABELS)}
    commits = await world.sql("select number, digest from commits order by number")
    assert [number for number, _ in commits] == list(range(1, len(commits) + 1))
    assert await world.sql("select (counts ->> 'train/selected')::int from heads") == [(LABELS,)]
    await eventually(lambda: outbox_is_empty(world))
    told = {event.id: event.message for event in await collect_all(world.kafka, VersionCommitted)}
    assert Counter(m.dataset_version.number for m in told.values()) == {n: 1 for n, _ in commits}
    named = Counter(label_id for message in told.values() for label_id in message.label_ids)
    assert named == {f"label-{number}": 1 for number in range(LABELS)}


async def test_an_import_in_which_the_service_is_killed_leaves_nothing_visible_and_can_be_repeated(killable):
    world, start = killable
    process = await start()
    await world.apply(project())

    async def half():
        yield header()
        for message in labeled(range(1100)):  # one batch and a part of the next
            yield message
        await asyncio.sleep(3600)

    call = world.stub().ImportSamples(half())
    await eventually(lambda: world.sql("select 1 from staged_samples limit 1"))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    await start()

    assert await world.sql("select 1 from samples") == []
    response = await world.import_(header(), *labeled(range(1100)))
    assert (response.added, response.dataset_version.number) == (1100, 1)


async def outbox_is_empty(world) -> bool:
    return await world.sql("select 1 from outbox limit 1") == []
