"""The SDK against real services."""

from __future__ import annotations

import json
import threading
from uuid import uuid4

import pytest
from client_stack import CLASSES, flag_one, png, project, sample_id, send, until

from relearn.monitoring.v1 import events_pb2 as monitoring_pb
from relearn.monitoring.v1 import flag_pb2
from relearn.training.v1 import events_pb2 as training_pb
from relearn_client import InvalidInput, NewSample, NotAllowed, NotFound, RelearnError, Unavailable, WrongState
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import encode


def test_a_project_is_applied_shown_listed_paused_and_resumed(relearn, fruit):
    again = relearn.apply_project(project(fruit, datasets={"commit_after": "1s"}))
    changed = relearn.apply_project(project(fruit, labeling={"lease": "30s"}))

    assert (again.changed, again.revision, changed.changed, changed.revision) == (False, 1, True, 2)
    shown = relearn.project(fruit)
    assert (shown.classes, shown.paused, shown.content["labeling"]["lease"]) == (CLASSES, False, "30s")
    assert fruit in [one.project_id for one in relearn.projects()]
    assert relearn.pause_project(fruit, reason="a test").paused
    assert not relearn.resume_project(fruit, reason="a test").paused


def test_what_a_project_shows_can_be_applied_again_and_changes_nothing(relearn, fruit):
    assert not relearn.apply_project(relearn.project(fruit).content).changed


def test_what_the_registry_refuses_comes_with_reason_and_next_step(relearn, fruit):
    with pytest.raises(WrongState) as fixed:
        relearn.apply_project({**project(fruit), "label_set": {"classes": ["boot", "hat"]}})
    with pytest.raises(NotFound) as unknown:
        relearn.project("nobody")
    with pytest.raises(InvalidInput) as impossible:
        relearn.apply_project(project(fruit, training={"trials": 0}))

    assert (fixed.value.code, fixed.value.reason) == ("FAILED_PRECONDITION", "LABEL_SET_FIXED")
    assert unknown.value.reason == "PROJECT_NOT_FOUND"
    assert "relearn project apply FILE" in unknown.value.next_step
    assert "training.trials" in str(impossible.value)


def test_a_project_that_was_never_applied_is_told_at_once(relearn, tmp_path):
    for ask in (relearn.versions, relearn.next_task, relearn.studies, relearn.monitoring):
        with pytest.raises(NotFound) as caught:
            ask("nobody")
        assert caught.value.reason == "PROJECT_NOT_FOUND"


def test_a_flagged_sample_is_labeled_and_can_be_traced(stack, relearn, fruit):
    content = png(4711)
    relearn.import_samples(fruit, [NewSample(content=content)], origin="a test")
    stop, seen = threading.Event(), []
    follower = threading.Thread(
        target=lambda: seen.extend(_first(relearn.events(project=fruit, types=["LabelAccepted"], stop=stop)))
    )
    follower.start()
    flag_id = flag_one(stack, fruit, sample_id(fruit, content))

    with stack.client("ann", "annotator") as annotator:
        task = until(lambda: annotator.next_task(fruit))
        with pytest.raises(InvalidInput) as outside:
            annotator.submit(task.label_task_id, "hat")
        done = annotator.submit(task.label_task_id, "boot")
        assert annotator.next_task(fruit) is None

    assert (task.content, task.classes, task.media_type) == (content, CLASSES, "image/png")
    assert "boot" not in task.why
    assert outside.value.next_step == "`relearn project show PROJECT` lists the classes"
    assert done.task_state == "accepted"
    assert relearn.label_task(task.label_task_id).label == "boot"
    follower.join(timeout=60)
    stop.set()
    assert seen[0].message["label"]["label_task_id"] == task.label_task_id
    version = until(lambda: relearn.versions(fruit))[0]
    trace = until(lambda: _whole(relearn.trace(flag_id)))
    assert version.dataset_version_id in {node.id for node in trace.nodes}
    assert any("<── asked for" in line for line in trace.lines())


def test_compressed_events_are_read_too(stack, relearn, fruit):
    detail = "143 of 200 new train labels; " * 200  # worth compressing: producers leave small batches as they are
    skipped = training_pb.StudySkipped(project_id=fruit, dataset_version_id=f"{fruit}/data/1", detail=detail)
    send(stack, encode(skipped, id=new_id(), time=utc_now()))

    event = next(relearn.events(project=fruit, types=["StudySkipped"]))

    assert event.message["detail"] == detail


def _first(events):
    return [next(events)]


def _whole(trace):
    """The trace, once the registry has heard everybody's part of it."""
    kinds = {node.kind for node in trace.nodes}
    return trace if kinds >= {"flag", "label task", "annotation", "label", "dataset version"} else None


def test_why_tells_each_stage_and_which_service_is_away(stack, relearn, fruit):
    assert relearn.label_tasks(fruit) == ()
    stack.kill("training")

    stages = relearn.why(fruit)

    stack.start("training")
    with stack.client(patience_s=60) as patient:
        assert patient.studies(fruit) == ()
    lines = [str(stage) for stage in stages]
    assert any(line.startswith("labeling, label tasks: flags: no open task") for line in lines)
    assert any(not stage.reachable and stage.service == "training" for stage in stages)


def test_a_parked_event_is_listed_shown_retried_and_dropped(stack, relearn):
    with_no_stream = flag_pb2.Flag(flag_id=new_id(), project_id="p", sample_id="p/sample/a")
    record = encode(monitoring_pb.PredictionFlagged(flag=with_no_stream), id=new_id(), time=utc_now())
    send(stack, record)

    impatient = stack.client(patience_s=0.5)
    (parked,) = until(lambda: [one for one in impatient.parked().events if one.reason == "INVALID_FLAG"])
    shown = impatient.parked_event(parked.parked_event_id)
    with pytest.raises(WrongState) as failing:
        impatient.retry_parked(parked.parked_event_id)
    impatient.drop_parked(parked.parked_event_id, reason="made by a test")

    assert (parked.service, parked.state, shown.value) == ("labeling", "parked", record.value)
    assert json.loads(shown.value_json)
    assert failing.value.reason == "STILL_FAILING"
    with pytest.raises(NotFound):
        impatient.parked_event(parked.parked_event_id)
    impatient.close()


def test_a_stranger_and_an_annotator_are_kept_out(stack, fruit):
    with stack.client("ann", "annotator") as annotator, pytest.raises(NotAllowed) as role:
        annotator.apply_project(project(fruit))
    stranger = stack.client()
    stranger._calls.access = type(stranger._calls.access)(endpoints=stranger.endpoints, token="wrong")
    with pytest.raises(NotAllowed) as unknown:
        stranger.projects()

    assert (role.value.code, unknown.value.code) == ("PERMISSION_DENIED", "UNAUTHENTICATED")
    assert "relearn tokens add" in role.value.next_step
    assert "RELEARN_TOKEN" in unknown.value.next_step
    stranger.close()


def test_a_call_waits_while_its_service_restarts(stack, relearn, fruit):
    stack.kill("labeling")
    with stack.client(patience_s=0.3) as impatient, pytest.raises(Unavailable) as away:
        impatient.label_tasks(fruit)

    stack.start("labeling")

    with stack.client(patience_s=60) as patient:
        assert patient.label_tasks(fruit) == ()
    assert "labeling does not answer at 127.0.0.1" in away.value.message


def test_any_error_of_a_service_is_one_of_ours(relearn, fruit):
    for ask in (
        lambda: relearn.model(f"{fruit}/model/9"),
        lambda: relearn.sample("nothing"),
        lambda: relearn.trace(str(uuid4())),
        lambda: relearn.diff("", f"{fruit}/data/9"),
        lambda: relearn.label_task("nothing"),
    ):
        with pytest.raises(RelearnError) as caught:
            ask()
        assert caught.value.code in ("NOT_FOUND", "INVALID_ARGUMENT")
