"""From a study's winner to a registered version and the first verdict."""

import asyncio
import os
import subprocess
import sys

import pytest

from relearn.operations.v1.operations_service_pb2 import GetWaitingRequest, ListParkedEventsRequest
from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.registry.v1.events_pb2 import ModelVersionRegistered
from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.training.v1.events_pb2 import StudyFinished
from relearn.training.v1.study_pb2 import Study
from relearn_registry.app import build
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import Record, encode
from relearn_runtime.testing import collect, eventually, publish, publish_record

PASSED, REJECTED = Judgement.VERDICT_PASSED, Judgement.VERDICT_REJECTED


async def versions(loop):
    return (await loop.registry.ListModelVersions(pb.ListModelVersionsRequest(project_id="fashion"))).statuses


async def parked(loop, count=1):
    async def enough():
        rows = (await loop.operations.ListParkedEvents(ListParkedEventsRequest())).parked_events
        return rows if len(rows) >= count else None

    return await eventually(enough)


async def test_a_winner_becomes_version_one_with_its_files_and_passes(loop):
    await loop.apply()

    study_id = await loop.study(right=90)

    (version,) = await loop.registered(1)
    assert version.model_version_id == "fashion/model/1"
    assert version.study_id == study_id
    for file, source in zip(version.files, loop.files[study_id], strict=True):
        assert file.key == f"models/fashion/1/{file.name}"
        assert (loop.objects / file.key).read_bytes() == (loop.objects / source.key).read_bytes()
    (judged,) = await loop.judged(1)
    assert (judged.step, judged.verdict, judged.dataset_version_id) == (1, PASSED, "fashion/data/1")
    assert not judged.HasField("champion_model_version_id")
    names = {m.name for m in judged.measurements}
    assert {"accuracy/imported", "accuracy/over_majority", "calibration_error/imported"} <= names
    assert "size_bytes/model.onnx" in names


async def test_events_name_what_caused_them(loop):
    await loop.apply()
    finished = loop.finished_study()

    cause = await publish(loop.kafka, finished)

    (registered,) = await collect(loop.kafka, ModelVersionRegistered, 1)
    assert registered.causes == (cause,)
    (judged,) = await loop.judgements(1)
    assert judged.causes == (registered.id,)
    assert judged.message.judgement.judgement_id == "fashion/model/1/judgement/1"


async def test_a_first_version_no_better_than_the_majority_class_is_rejected(loop):
    await loop.apply()

    await loop.study(right=55)

    (judged,) = await loop.judged(1)
    assert judged.verdict == REJECTED
    assert (await loop.status(1)).standing.startswith("rejected: accuracy 0.550")


async def test_a_study_told_twice_makes_one_version(loop):
    await loop.apply()
    finished = loop.finished_study()

    same_event = await publish(loop.kafka, finished)
    await publish(loop.kafka, finished, id=same_event)
    await publish(loop.kafka, finished)
    await loop.study()

    assert [v.number for v in await loop.registered(2)] == [1, 2]
    assert len(await versions(loop)) == 2


async def test_a_study_without_a_winner_makes_none(loop):
    await loop.apply()

    await publish(loop.kafka, StudyFinished(project_id="fashion", study=Study(study_id=new_id())))
    await loop.study()

    assert [v.number for v in await loop.registered(1)] == [1]


async def test_a_study_of_a_project_not_known_yet_waits(loop):
    await loop.study()
    await parked(loop)

    await loop.apply()

    assert [v.number for v in await loop.registered(1)] == [1]


async def test_a_winner_without_validation_predictions_is_parked(loop):
    await loop.apply()
    finished = loop.finished_study()
    del finished.files[0]

    await publish(loop.kafka, finished)

    (row,) = await parked(loop)
    assert row.reason == "WINNER_INCOMPLETE"


async def test_bytes_that_are_no_event_are_parked_and_the_next_goes_on(loop):
    await loop.apply()
    good = encode(loop.finished_study(), id=new_id(), time=utc_now())

    await publish_record(loop.kafka, Record(topic=good.topic, key=good.key, value=b"\xff\xff", headers=good.headers))
    await loop.study()

    assert [v.number for v in await loop.registered(1)] == [1]
    (row,) = await parked(loop)
    assert row.reason == "MALFORMED_EVENT"


async def test_a_file_that_is_not_what_it_says_holds_its_version_back_until_it_is(loop):
    await loop.apply()
    finished = loop.finished_study()
    path = loop.objects / finished.files[1].key
    right = path.read_bytes()
    path.unlink()
    path.write_bytes(b"something else")

    await publish(loop.kafka, finished)

    async def shown():
        lines = (await loop.operations.GetWaiting(GetWaitingRequest(project_id="fashion"))).waiting
        return [w for w in lines if w.needs_person and "has sha256" in w.waits_for]

    assert await eventually(shown)
    assert not await versions(loop)
    path.unlink()
    path.write_bytes(right)
    assert [v.number for v in await loop.registered(1)] == [1]


async def test_an_unreadable_validation_file_is_rejected_with_what_is_wrong(loop):
    await loop.apply()
    finished = loop.finished_study()
    finished.files[0].CopyFrom(finished.files[1])
    finished.files[0].name = "validation.parquet"

    await publish(loop.kafka, finished)

    (judged,) = await loop.judged(1)
    assert judged.verdict == REJECTED
    assert "can't be read" in judged.reason


CRASH = """
import asyncio, os, signal
from relearn_registry import app, jobs
from relearn_registry.config import Config
from relearn_runtime import new_id, utc_now

async def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

jobs._register = die  # the files are in place, nobody has heard of the version

async def main():
    await app.build(Config(), new_id=new_id, now=utc_now).start()
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_killed_between_copy_and_registration_a_version_is_registered_once(config, loop_events, tokens):
    environment = os.environ | {
        f"REGISTRY_{name.upper()}": str(getattr(value, "get_secret_value", lambda v=value: v)())
        for name, value in config
        if value is not None
    }
    first = build(config, new_id=new_id, now=utc_now)
    await first.start()
    loop = loop_events(first)
    await loop.apply()
    await first.stop()
    await loop.close()
    finished = loop.finished_study()
    child = subprocess.Popen([sys.executable, "-c", CRASH], env=environment)
    try:
        await publish(loop.kafka, finished)
        assert await asyncio.to_thread(child.wait, 60) == -9
    finally:
        child.kill()

    second = build(config, new_id=new_id, now=utc_now)
    await second.start()

    try:
        assert [v.number for v in await loop.registered(1)] == [1]
        assert len(await loop.judged(1)) == 1
    finally:
        await second.stop()
