import json
import os
from hashlib import sha256

import numpy as np
import onnxruntime
import polars as pl
from training_world import CLASSES, NAME, SIDE, children_of, kill, project, samples

from relearn.training.v1 import training_service_pb2 as pb
from relearn.training.v1.events_pb2 import RunFailed, RunFinished, StudyFinished, StudySkipped, StudyStarted
from relearn.training.v1.study_pb2 import Run, Study
from relearn_media import Preprocessing, decode_image, encode_png, preprocess
from relearn_runtime.testing import collect, eventually
from relearn_training.domain import pruning

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
    await eventually(lambda: waits(training, "30 of 50 new train labels"))

    skipped = (await collect(training.kafka, StudySkipped, 1))[0].message
    assert skipped.reason == "TOO_FEW_NEW_LABELS"
    confirmed = await training.confirm_alert("alert-1", champion)
    started = (await collect(training.kafka, StudyStarted, 2))[1]
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
    query = "select run_id, parameters->>'family' from runs where study_id = :s order by trial"
    (warm, family), (fresh, other) = await training.sql(query, s=study.study_id)
    assert family == first.winner.family != other
    made_by = [json.loads((training.objects / f"runs/{run}/evaluation.json").read_bytes()) for run in (warm, fresh)]
    assert [one["started_from"] for one in made_by] == [first.winner.run_id, None]
    assert {one["dataset_version_id"] for one in made_by} == {f"{NAME}/data/2"}
    assert {(one["champion_version_n"], one["audits_since_n"]) for one in made_by} == {(1, 1)}


async def test_a_study_survives_the_kill_of_the_service(world):
    killed = await world.process()
    await eventually(lambda: tables_are_there(world))
    await world.apply(project(trials=3, trials_in_parallel=1, families=["plain-cnn"]))
    await world.commit(1, ENOUGH)
    amid = "select run_id from runs where state = 'finished' and exists (select 1 from runs where state = 'running')"
    ((first, *_), *_) = await eventually(lambda: world.sql(amid), STUDY_S)
    workers = children_of(killed.pid)

    killed.kill()
    await killed.wait()

    assert workers
    await eventually(lambda: not any(worker.is_running() for worker in workers))
    async with world.running():
        finished = (await collect(world.kafka, StudyFinished, 1, STUDY_S))[0].message
    runs = await collect(world.kafka, RunFinished, 3)
    ended = [(run.message.run.trial, run.message.run.run_id) for run in runs]
    assert sorted(trial for trial, _ in ended) == [0, 1, 2]
    assert (0, first) in ended
    assert finished.study.state == Study.STATE_FINISHED
    rows = await world.sql("select state, count(*) from runs group by state")
    assert rows == [("finished", 3)]


async def test_a_trial_that_crashes_is_one_failed_run_and_a_step_that_crashes_is_tried_again(world):
    process = await world.process()
    await eventually(lambda: tables_are_there(world))
    await world.apply(project(trials=2, trials_in_parallel=1))
    await world.commit(1, ENOUGH)
    (preparing,) = await eventually(lambda: children_of(process.pid))
    kill(preparing)
    await eventually(lambda: a_run_is_under_way(world))
    (training,) = children_of(process.pid)
    kill(training)
    await eventually(lambda: world.sql("select 1 from runs where state = 'finished'"), STUDY_S)
    (exporting,) = children_of(process.pid)
    kill(exporting)

    finished = (await collect(world.kafka, StudyFinished, 1, STUDY_S))[0].message

    failed = (await collect(world.kafka, RunFailed, 1))[0].message.run
    process.terminate()
    assert await process.wait() == 0
    assert (failed.trial, failed.state) == (0, Run.STATE_FAILED)
    assert "-9" in failed.failure
    assert finished.winner.trial == 1
    assert await world.sql("select tries, state from studies") == [(2, "finished")]


async def test_a_hopeless_trial_is_pruned_and_the_study_has_a_winner(training, monkeypatch):
    monkeypatch.setitem(pruning.MARGINS, 0.5, -2.0)  # nobody is so far ahead of the best
    await training.apply(project(trials=2, trials_in_parallel=1))
    await training.commit(1, ENOUGH)

    finished = (await collect(training.kafka, StudyFinished, 1, STUDY_S))[0].message

    runs = {run.message.run.trial: run.message.run for run in await collect(training.kafka, RunFinished, 2)}
    assert (runs[0].state, runs[1].state) == (Run.STATE_FINISHED, Run.STATE_PRUNED)
    assert "of its epochs, the best had" in runs[1].failure
    assert finished.winner.run_id == runs[0].run_id


async def test_a_study_that_somebody_else_took_is_left_alone_and_gone_on_with_when_it_is_free(training):
    await training.apply(project(trials=1))
    await training.commit(1, ENOUGH)
    await eventually(lambda: a_run_is_under_way(training))
    (run,) = await training.sql("select run_id from runs")

    await training.sql("update studies set lease_owner = 'another', lease_until = now() + interval '1 hour'")

    await eventually(lambda: not children_of(os.getpid()))
    assert await training.sql("select run_id, state from runs") == [(*run, "running")]
    assert await training.sql("select state, lease_owner from studies") == [("running", "another")]
    await training.sql("update studies set lease_owner = null, lease_until = null")
    finished = (await collect(training.kafka, StudyFinished, 1, STUDY_S))[0].message
    assert (finished.winner.run_id,) == run
    assert await training.sql("select tries from studies") == [(0,)]


async def test_two_projects_at_once_never_mix(training):
    theirs = ("sock", "shoe", "hat")
    for name, classes, n in ((NAME, CLASSES, 45), ("others", theirs, 36)):
        rows = [*samples(90, "train"), *samples(n, "validation")]
        await training.apply(project(name=name, classes=classes, trials=1))
        await training.commit(n, rows, name=name, classes=classes)

    studies = await collect(training.kafka, StudyFinished, 2, STUDY_S)

    found = {one.message.project_id: one.message for one in studies}
    for name, classes, n in ((NAME, CLASSES, 45), ("others", theirs, 36)):
        ended = found[name]
        files = {file.name: training.objects / file.key for file in ended.files}
        answers = pl.read_parquet(files["validation.parquet"])
        assert (ended.study.dataset_version_id, ended.winner.project_id) == (f"{name}/data/{n}", name)
        assert tuple(ended.classes) == tuple(json.loads(files["model.json"].read_bytes())["classes"]) == classes
        assert len(answers) == n
        assert {sample_id.partition("/")[0] for sample_id in answers["sample_id"]} == {name}
        assert set(answers["label"]) <= set(classes)
        assert not (await training.waits_for(name))[0].waits_for.startswith("study")


async def test_a_study_without_usable_samples_fails_with_the_reason_but_not_while_datasets_is_away(training):
    training.datasets.away = True
    await training.apply(project())
    await training.commit(1, ENOUGH, content=b"no picture at all")
    study = (await collect(training.kafka, StudyStarted, 1))[0].message.study
    await eventually(lambda: training.sql("select 1 from studies where lease_until is not null"))
    training.datasets.away = False

    finished = (await collect(training.kafka, StudyFinished, 1, STUDY_S))[0].message

    assert finished.study.state == Study.STATE_FAILED
    assert "no sample of the pack can be used: {'image_format_unsupported'" in finished.study.failure
    assert not finished.HasField("winner")
    found = await training.stub().GetStudy(pb.GetStudyRequest(study_id=study.study_id))
    assert found.study.failure == finished.study.failure
    await eventually(lambda: waits(training, "no sample of the pack can be used"))
    assert (await training.waits_for())[0].needs_person
    assert await training.sql("select tries from studies") == [(3,)]


async def test_a_study_whose_pack_is_never_made_keeps_nobody_waiting_and_ends_with_its_time(world):
    world.datasets.never_ready.add("stuck")
    async with world.running(studies_side_by_side=1, pack_timeout_s=1):
        await world.apply(project(name="stuck", seconds={"time_budget": 5.0}))
        await world.commit(1, ENOUGH, name="stuck")
        await collect(world.kafka, StudyStarted, 1)
        await world.apply(project())
        await world.commit(1, ENOUGH, content=b"no picture at all")

        ended = await collect(world.kafka, StudyFinished, 2, 60)

    failures = {one.message.project_id: one.message.study.failure for one in ended}
    assert "no sample of the pack can be used" in failures[NAME]
    assert "was not ready within 1 s" in failures["stuck"]


async def test_an_error_that_nobody_thought_of_ends_the_study_instead_of_repeating_it_for_ever(world):
    (world.folder / "file").touch()
    async with world.running(work_dir=str(world.folder / "file" / "work")):
        await world.apply(project())
        await world.commit(1, ENOUGH)

        finished = (await collect(world.kafka, StudyFinished, 1, 60))[0].message

    assert "NotADirectoryError" in finished.study.failure


async def test_scratch_folders_of_ended_studies_are_removed_at_the_next_start(world):
    left = world.folder / "work" / "a-study-that-ended"
    left.mkdir(parents=True)

    async with world.running():
        await eventually(lambda: not left.exists())


async def waits(world, words: str) -> bool:
    return any(words in line.waits_for for line in await world.waits_for())


async def a_run_is_under_way(world) -> bool:
    return bool(await world.sql("select 1 from runs where state = 'running'"))


async def tables_are_there(world) -> bool:
    return bool((await world.sql("select to_regclass('public.studies') is not null"))[0][0])
