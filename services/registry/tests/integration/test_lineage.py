"""From any flagged prediction to the new champion's route, and back; whatever comes first."""

import random
from datetime import timedelta

import pytest

from relearn.datasets.v1.dataset_version_pb2 import DatasetVersion, LabelCounts
from relearn.datasets.v1.events_pb2 import VersionCommitted, VersionTagged
from relearn.labeling.v1.events_pb2 import (
    AnnotationSubmitted,
    LabelAccepted,
    LabelSuperseded,
    LabelTaskClosed,
    LabelTaskOpened,
)
from relearn.labeling.v1.label_task_pb2 import Annotation, Label, LabelTask, Region
from relearn.monitoring.v1.alert_pb2 import Alert, Quality
from relearn.monitoring.v1.events_pb2 import (
    AlertConfirmed,
    AlertOpened,
    AlertRefuted,
    AlertResolved,
    PredictionFlagged,
    WindowClosed,
)
from relearn.monitoring.v1.flag_pb2 import Flag, Stream
from relearn.monitoring.v1.window_pb2 import DriftScore, Window
from relearn.registry.v1 import registry_service_pb2 as pb
from relearn.training.v1.events_pb2 import RunFailed, RunFinished, StudySkipped, StudyStarted
from relearn.training.v1.study_pb2 import Run, Study
from relearn_registry.wire.times import timestamp
from relearn_runtime import new_id, utc_now
from relearn_runtime.errors import NotFound
from relearn_runtime.rpc_errors import translated
from relearn_runtime.testing import eventually, publish

P = "fashion"
START = utc_now() - timedelta(hours=1)


def at(minute):
    return timestamp(START + timedelta(minutes=minute))


def flag(name, stream=Stream.STREAM_SELECTED, alert="alert-1"):
    return Flag(
        flag_id=f"flag-{name}",
        project_id=P,
        prediction_id=f"prediction-{name}",
        sample_id=f"{P}/sample/{name}",
        stream=stream,
        probability=0.5,
        reason="far from the reference",
        model_version_id=f"{P}/model/1",
        predicted_label="coat",
        confidence=0.41,
        alert_id=alert,
        predict_time=at(1),
        flag_time=at(3),
    )


def answered(name):
    """Everything that labeling and monitoring tell about one flagged prediction."""
    picked, task = flag(name), f"task-{name}"
    label_task = LabelTask(
        label_task_id=task, project_id=P, sample_id=picked.sample_id, flags=[picked], overlap=1, why="shift"
    )
    label_task.create_time.CopyFrom(at(4))
    annotation = Annotation(
        annotation_id=f"annotation-{name}",
        label_task_id=task,
        annotator="ann",
        regions=[Region(label="shirt")],
        create_time=at(5),
    )
    label = Label(
        label_id=f"label-{name}",
        label_task_id=task,
        project_id=P,
        sample_id=picked.sample_id,
        regions=[Region(label="shirt")],
        annotation_ids=[annotation.annotation_id],
        answers=1,
        accept_time=at(6),
    )
    return [
        PredictionFlagged(flag=picked),
        LabelTaskOpened(label_task=label_task, label_task_id=task, flag_id=picked.flag_id, created=True),
        AnnotationSubmitted(annotation=annotation, label_task_id=task, project_id=P, sample_id=picked.sample_id),
        LabelAccepted(label=label, label_task_id=task, flags=[picked], revision=1),
    ]


def version(number, *label_ids, minute, import_id=""):
    committed = DatasetVersion(
        dataset_version_id=f"{P}/data/{number}",
        project_id=P,
        number=number,
        parent_dataset_version_id=f"{P}/data/{number - 1}" if number > 1 else "",
        new_counts=LabelCounts(selected=len(label_ids)),
        create_time=at(minute),
    )
    return VersionCommitted(dataset_version=committed, project_id=P, label_ids=label_ids, import_id=import_id)


def alert():
    return Alert(
        alert_id="alert-1",
        project_id=P,
        model_version_id=f"{P}/model/1",
        detector="e-detector/confidence+rank",
        reason="confidence fell",
        prediction_id="prediction-alarm",
        quality=Quality(accuracy=0.05, audits=50),
        open_time=at(2),
        update_time=at(7),
    )


async def trace(loop, id, **how):
    return await loop.registry.Trace(pb.TraceRequest(id=id, **how))


def ids(response):
    return [node.id for node in response.nodes]


async def until_traced(loop, id, *wanted):
    """The trace of an id once everything wanted is on it."""

    async def complete():
        try:
            async with translated("registry"):
                found = await trace(loop, id)
        except NotFound:
            return None
        missing = set(wanted) - set(ids(found))
        assert not missing, f"missing: {missing}"
        return found

    return await eventually(complete)


async def whole_loop(loop, *, shuffled):
    """One turn, all of it known: ten predictions flagged after an alert, two commits, a study, a new champion."""
    await loop.champion()
    study = loop.finished_study(dataset=3)
    other_run = Run(
        run_id="other-run", study_id=study.study.study_id, project_id=P, trial=1, family="tiny-resnet", end_time=at(12)
    )
    started = Study(
        study_id=study.study.study_id,
        project_id=P,
        dataset_version_id=f"{P}/data/3",
        trials=2,
        reason="10 of 10 new labels",
        alert_id="alert-1",
        champion_model_version_id=f"{P}/model/1",
        start_time=at(10),
    )
    told = [message for i in range(10) for message in answered(str(i))]
    told += [
        AlertOpened(alert=alert(), project_id=P),
        AlertConfirmed(alert=alert(), project_id=P, label_ids=["label-9"]),
        version(2, *(f"label-{i}" for i in range(5)), minute=8),
        StudySkipped(
            project_id=P,
            dataset_version_id=f"{P}/data/2",
            reason="TOO_FEW_NEW_LABELS",
            detail="5 of 10",
            decide_time=at(8),
        ),
        version(3, *(f"label-{i}" for i in range(5, 10)), minute=9),
        StudyStarted(study=started, project_id=P),
        RunFailed(run=other_run, project_id=P),
        RunFinished(run=study.winner, project_id=P),
        WindowClosed(
            window=Window(
                window_id="window-1",
                project_id=P,
                model_version_id=f"{P}/model/2",
                predictions=500,
                drift_scores=[DriftScore(signal="frechet", value=2, threshold=1)],
            ),
            project_id=P,
        ),
    ]
    if shuffled:
        random.Random(7).shuffle(told)
    ids = [await publish(loop.kafka, message) for message in told]
    study.winner.end_time.CopyFrom(at(11))
    ids.append(await publish(loop.kafka, study))
    await loop.judged(2)
    await loop.route(2, champion=1, challenger=2, how="shadow", judgement=f"{P}/model/2/judgement/1")
    await loop.answers(10, 0)
    await loop.judged(3)
    ids.append(await loop.route(3, champion=1, challenger=2, how="canary", judgement=f"{P}/model/2/judgement/2"))
    ids.append(await loop.route(4, champion=2, how="finished", left=1))
    resolved = AlertResolved(alert=alert(), project_id=P, route_id=f"{P}/route/4")
    ids.append(await publish(loop.kafka, resolved))
    ids.append(await publish(loop.kafka, version(4, "label-later", minute=50)))
    await loop.handled(*ids)
    return study


@pytest.mark.parametrize("shuffled", [False, True])
async def test_a_flagged_prediction_leads_to_the_new_champions_route(loop, shuffled):
    study = await whole_loop(loop, shuffled=shuffled)

    found = await until_traced(loop, "prediction-3", f"{P}/route/4", f"{P}/model/2/judgement/2", "label-3")

    assert not found.truncated
    assert found.nodes[-1].id == f"{P}/route/4"
    edges = {(e.cause_id, e.effect_id) for e in found.edges}
    assert (f"{P}/model/2/judgement/2", f"{P}/route/3") in edges
    assert not {(f"{P}/model/2/judgement/{n}", f"{P}/route/4") for n in (1, 2)} & edges
    told = ids(found)
    line = [
        f"{P}/sample/3",
        "prediction-3",
        "flag-3",
        "task-3",
        "annotation-3",
        "label-3",
        f"{P}/data/2",
        f"{P}/data/3",
        study.study.study_id,
        study.winner.run_id,
        f"{P}/model/2",
        f"{P}/model/2/judgement/1",
        f"{P}/route/2",
        f"{P}/model/2/judgement/2",
        f"{P}/route/3",
        f"{P}/route/4",
    ]
    assert [i for i in told if i in set(line)] == line
    assert "label-4" not in told
    assert "window-1" not in told
    assert f"{P}/data/4" not in told
    kinds = {node.id: node.kind for node in found.nodes}
    assert kinds["other-run"] == "run"
    assert list(kinds.values()).count("study skipped") == 1
    words = {node.id: node.summary for node in found.nodes}
    assert words["prediction-3"] == "fashion/model/1 said 'coat' with confidence 0.41"
    assert words["label-3"] == "'shirt' accepted, 1 of 1 answers agree"
    assert words[f"{P}/model/2/judgement/2"].startswith("gate step 2: passed: better than the champion")
    assert all(node.project_id == P for node in found.nodes)


async def test_every_edge_goes_from_an_earlier_node_to_a_later_one(loop):
    await whole_loop(loop, shuffled=True)

    found = await until_traced(loop, "alert-1", f"{P}/route/4", "alert-1/resolved")

    place = {i: n for n, i in enumerate(ids(found))}
    assert found.edges
    assert all(place[e.cause_id] < place[e.effect_id] for e in found.edges)


async def test_the_new_champion_leads_back_to_every_label_and_the_alert(loop):
    await whole_loop(loop, shuffled=False)

    found = await until_traced(loop, f"{P}/model/2", f"{P}/route/4", "label-0", "prediction-9", "alert-1/confirmed")

    assert {f"label-{i}" for i in range(10)} <= set(ids(found))
    assert "window-1" in ids(found)  # aside, and asked for from here


async def test_a_cut_trace_keeps_the_steps_of_the_loop(loop):
    await whole_loop(loop, shuffled=False)
    await until_traced(loop, "alert-1", f"{P}/route/4")

    found = await trace(loop, "alert-1", max_nodes=20)

    assert found.truncated
    assert len(found.nodes) == 20
    assert {"alert-1", f"{P}/route/4", f"{P}/model/2"} <= set(ids(found))


async def test_events_told_twice_change_nothing(loop):
    await loop.apply()
    told = answered("1")
    for message in told:
        event_id = await publish(loop.kafka, message)
        await publish(loop.kafka, message, id=event_id)
        await loop.handled(event_id, await publish(loop.kafka, message))

    found = await until_traced(loop, "prediction-1", "label-1")

    assert len(set(ids(found))) == len(ids(found)) == 6  # from sample to label
    edges = [(e.cause_id, e.effect_id) for e in found.edges]
    assert len(edges) == len(set(edges))


async def test_alerts_end_refuted_or_resolved_and_labels_give_way_to_better_ones(loop):
    await loop.apply()
    told = [
        AlertOpened(alert=alert(), project_id=P),
        AlertRefuted(alert=alert(), project_id=P, label_ids=["label-1"]),
        AlertResolved(alert=alert(), project_id=P),
        *answered("1"),
        LabelSuperseded(
            label_id="label-1", by_label_id="label-2", label_task_id="task-1", project_id=P, sample_id=f"{P}/sample/1"
        ),
    ]

    await loop.handled(*[await publish(loop.kafka, message) for message in told])

    found = await until_traced(loop, "alert-1", "alert-1/refuted", "alert-1/resolved", "label-2", "prediction-alarm")

    edges = {(e.cause_id, e.effect_id) for e in found.edges}
    assert ("label-1", "alert-1/refuted") in edges
    assert ("label-1", "label-2") in edges
    assert ("prediction-alarm", "alert-1") in edges


async def test_an_alert_leads_to_the_rollout_that_it_stopped_whichever_is_told_first(loop):
    await loop.champion()
    await loop.route(2, champion=1, challenger=2, how="canary", judgement=f"{P}/model/2/judgement/1")
    undone = await loop.route(3, champion=1, how="undone", left=2, alert="alert-1")
    await publish(loop.kafka, AlertOpened(alert=alert(), project_id=P))
    confirmed = AlertConfirmed(alert=alert(), project_id=P, label_ids=["label-1"])
    await loop.handled(undone, await publish(loop.kafka, confirmed))

    found = await until_traced(loop, "alert-1", "alert-1/confirmed", f"{P}/route/3")

    edges = {(e.cause_id, e.effect_id) for e in found.edges}
    assert ("alert-1/confirmed", f"{P}/route/3") in edges


async def test_a_task_closed_without_a_label_says_so(loop):
    await loop.apply()
    picked = flag("1", alert="")
    task = LabelTask(label_task_id="task-1", project_id=P, sample_id=picked.sample_id, answers=3)
    await publish(
        loop.kafka,
        LabelTaskClosed(label_task=task, label_task_id="task-1", flags=[picked], reason="DISPUTED", revision=1),
    )

    found = await until_traced(loop, "flag-1", "task-1")

    assert found.nodes[-1].summary == "closed without a label after 3 answers: DISPUTED"


async def test_an_import_leads_to_its_version_and_tag(loop):
    await loop.apply()
    tagged = VersionTagged(project_id=P, dataset_version_id=f"{P}/data/1", tag="gold", tag_time=at(2))
    await publish(loop.kafka, tagged)
    await publish(loop.kafka, version(1, minute=1, import_id="import-1"))

    found = await until_traced(loop, "import-1", f"{P}/data/1", f"{P}/data/1/tag/gold")

    assert [node.kind for node in found.nodes] == ["import", "dataset version", "tag"]


async def test_a_prediction_named_by_others_only_is_shown_as_such(loop):
    await loop.apply()
    await publish(loop.kafka, AlertOpened(alert=alert(), project_id=P), id=new_id())

    found = await until_traced(loop, "prediction-alarm", "alert-1")

    assert found.nodes[0].summary == "known by name only"
