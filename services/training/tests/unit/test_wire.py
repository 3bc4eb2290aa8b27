from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relearn.datasets.v1 import dataset_version_pb2
from relearn.registry.v1 import project_pb2
from relearn.training.v1 import events_pb2, study_pb2
from relearn_runtime.errors import InvalidInput
from relearn_training import wire
from relearn_training.domain import studies as moves
from relearn_training.domain.measurements import Measurement
from relearn_training.domain.policy import DatasetVersion, Known, NotNow, Situation, Trigger, Wait
from relearn_training.domain.search import Parameters
from relearn_training.domain.studies import Result, Run, RunState, StoredFile, Study, StudyState

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
VERSION = DatasetVersion(id="p/data/4", number=4, train=300, validation=60)
SITUATION = Situation(
    newest=VERSION,
    studied=None,
    failed_on=0,
    failure="",
    study_running=False,
    study_ended_at=None,
    champion="p/model/1",
    alert_id="",
    confirmed_at=None,
    rolled_back_at=None,
)
KNOWN = Known(
    project_id="p",
    situation=SITUATION,
    champion_run_id="run-1",
    champion_version_n=2,
    alert_version_n=0,
    causes=(),
)
RUN = Run(
    id="run-2",
    study_id="study",
    project_id="p",
    trial=1,
    parameters=Parameters(family="plain-cnn", width=24, learning_rate=0.003, new_share=0.5),
    state=RunState.RUNNING,
    started_at=NOW,
)
RESULT = Result(
    objective=0.8,
    temperature=1.2,
    measurements=(Measurement(name="objective", value=0.8), Measurement(name="accuracy/audit", value=0.7, samples=50)),
    samples_per_second=900.0,
    code_digest="c0de",
    files=(StoredFile(name="model.onnx", key="runs/run-2/model.onnx", sha256="ab", size_bytes=7),),
)


def project() -> project_pb2.Project:
    made = project_pb2.Project(
        project_id="p",
        label_set=project_pb2.LabelSet(version=3, classes=["b", "a"]),
        training=project_pb2.TrainingPolicy(trials=4, epochs=20, update_epochs=12, seed=7, families=["plain-cnn"]),
        revision=5,
    )
    made.training.time_budget.FromTimedelta(timedelta(minutes=30))
    return made


def study() -> Study:
    return Study(
        id="study",
        project_id="p",
        dataset_version=VERSION,
        trigger=Trigger.NEW_LABELS,
        detail="100 of 100",
        alert_id="",
        champion="p/model/1",
        state=StudyState.RUNNING,
        plan=wire.plan(project(), KNOWN),
        project_revision=5,
        started_at=NOW,
        started_event_id="event",
    )


def test_enum_tables_are_total_in_both_directions():
    for table, domain, contract in (
        (wire.TRIGGERS, Trigger, study_pb2.Study.Trigger),
        (wire.STUDY_STATES, StudyState, study_pb2.Study.State),
        (wire.RUN_STATES, RunState, study_pb2.Run.State),
    ):
        assert set(table) == set(domain)
        assert sorted(table.values()) == sorted(set(contract.values()) - {0})


def test_a_plan_keeps_the_order_of_classes_and_what_the_champion_was_made_of():
    plan = wire.plan(project(), KNOWN)

    assert (plan.classes, plan.label_set_version) == (("b", "a"), 3)
    assert (plan.champion_run_id, plan.champion_version_n) == ("run-1", 2)
    assert (plan.time_budget, plan.seed, plan.image_size) == (timedelta(minutes=30), 7, None)


@pytest.mark.parametrize(("alert_version_n", "since"), [(0, 2), (3, 3), (1, 2)])
def test_audits_speak_since_the_alert_opened_or_else_since_the_champion_learned(alert_version_n, since):
    assert wire.plan(project(), replace(KNOWN, alert_version_n=alert_version_n)).audits_since_n == since


@pytest.mark.parametrize(
    ("input_kind", "label_set", "trainable"),
    [
        (project_pb2.INPUT_KIND_IMAGE, {}, True),
        (project_pb2.INPUT_KIND_IMAGE, {"region_kinds": [project_pb2.REGION_KIND_WHOLE], "transcripts": True}, True),
        (project_pb2.INPUT_KIND_IMAGE, {"multi_label": True}, False),
        (project_pb2.INPUT_KIND_IMAGE, {"region_kinds": [project_pb2.REGION_KIND_WHOLE, 2]}, False),
        (project_pb2.INPUT_KIND_IMAGE, {"region_kinds": [project_pb2.REGION_KIND_BOX]}, False),
        (project_pb2.INPUT_KIND_TEXT, {}, False),
    ],
)
def test_models_are_trained_on_pictures_with_exactly_one_class(input_kind, label_set, trainable):
    one = project_pb2.Project(input_kind=input_kind, label_set=project_pb2.LabelSet(classes=["a", "b"], **label_set))

    assert wire.policy(one).trainable is trainable


def test_the_input_size_is_the_projects_if_it_names_one():
    named = project()
    named.training.image_size.CopyFrom(project_pb2.ImageSize(height=32, width=48, channels=3))

    assert wire.plan(named, KNOWN).image_size == (32, 48, 3)


def test_a_dataset_version_needs_an_id_and_a_number():
    message = dataset_version_pb2.DatasetVersion(dataset_version_id="p/data/4", number=4)
    message.counts.train, message.counts.validation = 300, 60

    assert wire.dataset_version(message) == VERSION
    assert wire.version_number("p/data/4") == 4
    with pytest.raises(InvalidInput):
        wire.dataset_version(dataset_version_pb2.DatasetVersion(dataset_version_id="p/data/4"))
    with pytest.raises(InvalidInput):
        wire.version_number("p/data/latest")


def test_each_outcome_of_a_run_is_one_event():
    finished = wire.run_ended(moves.finish(RUN, RESULT, now=NOW + timedelta(seconds=9)))
    pruned = wire.run_ended(moves.prune(RUN, "hopeless", now=NOW))
    failed = wire.run_ended(moves.fail(RUN, "ended with -9", now=NOW))

    assert isinstance(finished, events_pb2.RunFinished)
    assert (finished.run.objective, finished.run.duration_s, finished.run.code_digest) == (0.8, 9.0, "c0de")
    assert not finished.run.measurements[0].HasField("samples")
    assert finished.run.measurements[1].samples == 50
    assert {one.name: one.text or one.number for one in finished.run.parameters}["family"] == "plain-cnn"
    assert isinstance(pruned, events_pb2.RunFinished)
    assert (pruned.run.state, pruned.run.failure) == (study_pb2.Run.STATE_PRUNED, "hopeless")
    assert not pruned.run.HasField("objective")
    assert isinstance(failed, events_pb2.RunFailed)
    assert (failed.run.state, failed.run.failure) == (study_pb2.Run.STATE_FAILED, "ended with -9")


def test_a_finished_study_names_its_winner_and_a_failed_one_says_why():
    won = wire.study_finished(
        replace(study(), state=StudyState.FINISHED, ended_at=NOW), moves.finish(RUN, RESULT, now=NOW)
    )
    failed = wire.study_finished(replace(study(), state=StudyState.FAILED, ended_at=NOW, failure="no disk"), None)

    assert (won.winner.run_id, [file.key for file in won.files]) == ("run-2", ["runs/run-2/model.onnx"])
    assert (list(won.classes), won.label_set_version, won.study.failure) == (["b", "a"], 3, "")
    assert (failed.HasField("winner"), failed.study.failure) == (False, "no disk")


def test_a_skipped_study_says_when_and_by_which_revision():
    wait = Wait(reason=NotNow.COOL_DOWN, detail="cooling down")

    skipped = wire.study_skipped("p", wait, dataset_version_id="p/data/4", project_revision=5, decided_at=NOW)

    assert (skipped.reason, skipped.project_revision, wire.time(skipped.decide_time)) == ("COOL_DOWN", 5, NOW)
