import json
from hashlib import sha256

import numpy as np
import onnxruntime
import polars as pl
from training_world import CLASSES, NAME, SIDE, children_of, kill, project, samples

from relearn.training.v1.events_pb2 import RunFailed, RunFinished, StudyFinished, StudyStarted
from relearn.training.v1.study_pb2 import Run, Study
from relearn_media import Preprocessing, decode_image, encode_png, preprocess
from relearn_runtime.testing import collect, eventually

ENOUGH = [*samples(90, "train"), *samples(45, "validation")]
STUDY_S = 240.0  # a deadline: it takes a tenth of that on a free machine
FILES = (
    *("evaluation.json", "model.safetensors", "validation.parquet"),
    *("model.json", "model.onnx", "reference.safetensors"),
)


async def test_enough_labels_start_the_first_study_and_its_winner_can_be_served(training):
    await training.apply(project())
    committed = await training.commit(1, ENOUGH)

    started = (await collect(training.kafka, StudyStarted, 1))[0]
    runs = await collect(training.kafka, RunFinished, 2, STUDY_S)
    finished = (await collect(training.kafka, StudyFinished, 1, STUDY_S))[0]

    study, winner = finished.message.study, finished.message.winner
    assert started.causes == (committed,)
    assert started.message.study.trigger == Study.TRIGGER_INITIAL
    assert {run.causes for run in runs} == {(started.id,)} == {finished.causes}
    assert study.state == Study.STATE_FINISHED
    assert study.dataset_version_id == f"{NAME}/data/1"
    assert {run.message.run.family for run in runs} == {"plain-cnn", "tiny-resnet"}
    assert winner.objective == max(run.message.run.objective for run in runs)
    assert tuple(finished.message.classes) == CLASSES
    assert {one.name: one.value for one in winner.measurements}["accuracy/imported"] > 0.9
    files = {file.name: training.objects / file.key for file in finished.message.files}
    assert sorted(files) == sorted(FILES)
    for file in finished.message.files:
        assert file.key.startswith(f"runs/{winner.run_id}/")
        assert sha256(files[file.name].read_bytes()).hexdigest() == file.sha256
    card = json.loads(files["model.json"].read_bytes())
    preprocessing = Preprocessing.from_dict(card["preprocessing"])
    assert (preprocessing.height, preprocessing.width, preprocessing.channels) == (SIDE, SIDE, 1)
    session = onnxruntime.InferenceSession(files["model.onnx"].read_bytes(), providers=["CPUExecutionProvider"])
    wide = np.zeros((SIDE, SIDE), np.uint8)
    wide[:, 5:11] = 200
    inputs = preprocess(decode_image(encode_png(wide), preprocessing.spec)[None], preprocessing)
    logits, embedding = session.run(["logits", "embedding"], {"image": inputs})
    assert card["classes"][int(logits[0].argmax())] == "right"
    assert embedding.shape[1] <= 64
    answers = pl.read_parquet(files["validation.parquet"])
    assert len(answers) == 45
    assert set(answers.columns) >= {"sample_id", "stream", "probability", "label", "predicted", "confidence"}


async def test_a_confirmed_alert_hurries_an_update_that_starts_from_the_champion(training):
    await training.apply(project(seconds={"cool_down": 3600.0}))
    await training.commit(1, ENOUGH)
    first = (await collect(training.kafka, StudyFinished, 1, STUDY_S))[0].message
    champion = await training.serve(first)
    await training.open_alert("alert-1", champion)
    new = samples(30, "train", stream="selected", probability=0.5, version_n=2, turned=True)
    audits = samples(15, "validation", stream="audit", probability=0.2, version_n=2, turned=True)
    disputed = samples(9, "validation", stream="disagreement", probability=0.1, version_n=2)
    committed = await training.commit(2, [*ENOUGH, *new, *audits, *disputed])
    await eventually(lambda: waits(training, "30 of 50 new selected labels"), 20)

    confirmed = await training.confirm_alert("alert-1", champion)
    started = (await collect(training.kafka, StudyStarted, 2, 20))[1]
    finished = (await collect(training.kafka, StudyFinished, 2, STUDY_S))[1].message

    study = started.message.study
    assert study.trigger == Study.TRIGGER_CONFIRMED_ALERT
    assert (study.alert_id, study.champion_model_version_id) == ("alert-1", champion)
    assert set(started.causes) == {confirmed, committed}
    measured = {one.name: one for one in finished.winner.measurements}
    assert measured["accuracy/audit"].samples == 15
    assert measured["accuracy/audit"].value > 0.8
    assert measured["accuracy/imported"].samples == 45
    kept = {file.name: training.objects / file.key for file in finished.files}
    assert len(pl.read_parquet(kept["validation.parquet"])) == 60
    details = json.loads(kept["evaluation.json"].read_bytes())
    assert details["trained_on"] == {"imported": 90, "earlier": 0, "new": 30}
    runs = await training.sql(
        "select parameters->>'family' from runs where study_id = :s order by trial", s=study.study_id
    )
    assert runs[0] == (first.winner.family,)


async def test_a_study_survives_the_kill_of_the_service(world):
    killed = await world.process()
    await eventually(lambda: tables_are_there(world), 30)
    await world.apply(project(trials=3, trials_in_parallel=1, families=["plain-cnn"]))
    await world.commit(1, ENOUGH)
    first = (await collect(world.kafka, RunFinished, 1, STUDY_S))[0].message.run
    await eventually(lambda: a_run_is_under_way(world), 30)
    workers = children_of(killed.pid)

    killed.kill()
    await killed.wait()

    assert workers
    await eventually(lambda: not any(worker.is_running() for worker in workers), 10)
    async with world.running():
        finished = (await collect(world.kafka, StudyFinished, 1, STUDY_S))[0].message
    runs = await collect(world.kafka, RunFinished, 3, 10)
    ended = [(run.message.run.trial, run.message.run.run_id) for run in runs]
    assert sorted(trial for trial, _ in ended) == [0, 1, 2]
    assert (0, first.run_id) in ended
    assert finished.study.state == Study.STATE_FINISHED
    rows = await world.sql("select state, count(*) from runs group by state")
    assert rows == [("finished", 3)]


async def test_a_trial_that_crashes_is_one_failed_run_and_the_study_goes_on(world):
    process = await world.process()
    await eventually(lambda: tables_are_there(world), 30)
    await world.apply(project(trials=2, trials_in_parallel=1))
    await world.commit(1, ENOUGH)
    await eventually(lambda: a_run_is_under_way(world), 60)
    (worker,) = children_of(process.pid)

    kill(worker)

    failed = (await collect(world.kafka, RunFailed, 1, STUDY_S))[0].message.run
    finished = (await collect(world.kafka, StudyFinished, 1, STUDY_S))[0].message
    process.terminate()
    assert await process.wait() == 0
    assert (failed.trial, failed.state) == (0, Run.STATE_FAILED)
    assert "-9" in failed.failure
    assert finished.winner.trial == 1


async def test_a_study_without_usable_samples_fails_and_is_not_repeated(training):
    await training.apply(project())
    await training.commit(1, ENOUGH, content=b"no picture at all")

    finished = (await collect(training.kafka, StudyFinished, 1, STUDY_S))[0].message

    assert finished.study.state == Study.STATE_FAILED
    assert not finished.HasField("winner")
    await eventually(lambda: waits(training, "failed"), 10)


async def waits(world, words: str) -> bool:
    return any(words in line.waits_for for line in await world.waits_for())


async def a_run_is_under_way(world) -> bool:
    return bool(await world.sql("select 1 from runs where state = 'running'"))


async def tables_are_there(world) -> bool:
    return bool((await world.sql("select to_regclass('public.studies') is not null"))[0][0])
