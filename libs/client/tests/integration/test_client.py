"""The SDK against real services."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from types import SimpleNamespace
from unittest.mock import ANY
from uuid import uuid4

import pytest
from client_stack import CLASSES, pictures, png, project

from relearn.monitoring.v1 import events_pb2 as monitoring_pb
from relearn.monitoring.v1 import flag_pb2
from relearn.training.v1 import events_pb2 as training_pb
from relearn_client import InvalidInput, NewSample, NotAllowed, NotFound, RelearnError, Unavailable, WrongState
from relearn_client.command.main import main
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import Record, encode
from relearn_runtime.testing import publish_record


def until(found, deadline_s: float = 30):
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
    send(stack, encode(monitoring_pb.PredictionFlagged(flag=flag), id=new_id(), time=utc_now()))
    return flag.flag_id


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


def test_a_folder_becomes_a_version_and_the_same_folder_again_nothing(relearn, fruit, tmp_path):
    told: list[tuple[int, int | None]] = []

    first = relearn.import_folder(fruit, pictures(tmp_path / "p"), on_progress=lambda *a: told.append(a))
    again = relearn.import_folder(fruit, tmp_path / "p")
    more = relearn.import_samples(fruit, [NewSample(content=png(77), label="boot")], origin="a test")

    assert (first.received, first.added, first.labeled) == (8, 8, 8)
    assert first.version.counts.imported == 8
    assert (again.added, again.version) == (0, None)
    assert told[-1] == (8, 8)
    assert [one.number for one in relearn.versions(fruit)] == [2, 1]
    diff = relearn.diff(first.version.dataset_version_id, more.version.dataset_version_id)
    assert (diff.added, [change.new_label for change in diff.changes]) == (1, ["boot"])


def test_the_current_folder_is_imported_under_its_own_name_without_what_is_no_picture(
    relearn, fruit, tmp_path, monkeypatch
):
    folder = pictures(tmp_path / "holiday", first=300)
    (folder / "boot" / "5.webp").touch()
    monkeypatch.chdir(folder)

    done = relearn.import_folder(fruit, ".")

    assert (done.received, done.skipped) == (8, ("boot/5.webp",))
    assert "holiday" in done.version.message


def test_an_import_that_ends_before_its_time_is_refused(relearn, fruit):
    class Cut(list):
        def __len__(self):
            return 3

    with pytest.raises(InvalidInput) as caught:
        relearn.import_samples(fruit, Cut([NewSample(content=png(1))]), origin="a test")

    assert caught.value.reason == "IMPORT_INCOMPLETE"
    assert relearn.versions(fruit) == ()


def test_a_sample_that_is_too_large_is_named_before_it_is_sent(relearn, fruit):
    large = NewSample(content=bytes(16 * 2**20 + 1))

    with pytest.raises(InvalidInput, match="sample 2 has more than 16 MiB") as caught:
        relearn.import_samples(fruit, [NewSample(content=png(1)), large], origin="a test")

    assert caught.value.reason == "IMAGE_TOO_LARGE"


def test_a_project_that_was_never_applied_is_told_at_once(relearn, tmp_path):
    for ask in (relearn.versions, relearn.next_task, relearn.studies, relearn.monitoring):
        with pytest.raises(NotFound) as caught:
            ask("nobody")
        assert caught.value.reason == "PROJECT_NOT_FOUND"


def test_a_file_that_is_no_picture_is_named_and_nothing_of_its_folder_is_imported(relearn, fruit, tmp_path):
    folder = pictures(tmp_path / "p", first=100)
    (folder / "shirt" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no picture")

    with pytest.raises(InvalidInput, match=r"broken\.png") as caught:
        relearn.import_folder(fruit, folder)

    assert caught.value.reason == "IMAGE_UNDECODABLE"
    assert relearn.versions(fruit) == ()
    (folder / "hat").mkdir()
    (folder / "shirt" / "broken.png").rename(folder / "hat" / "1.png")
    (folder / "hat" / "1.png").write_bytes(png(4))
    with pytest.raises(InvalidInput, match=r"hat/1\.png") as outside:
        relearn.import_folder(fruit, folder)
    assert outside.value.reason == "NOT_IN_LABEL_SET"


def test_an_error_while_reading_samples_is_the_callers_own(relearn, fruit):

    def samples():
        yield NewSample(content=png(1), label="boot")
        raise KeyError("the caller's bug")

    with pytest.raises(KeyError, match="the caller's bug"):
        relearn.import_samples(fruit, samples(), origin="a test")
    assert relearn.versions(fruit) == ()


def test_a_flagged_sample_is_labeled_and_can_be_traced(stack, relearn, fruit):
    content = png(4711)
    relearn.import_samples(fruit, [NewSample(content=content)], origin="a test")
    stop, seen = threading.Event(), []
    follower = threading.Thread(
        target=lambda: seen.extend(_first(relearn.events(project=fruit, types=["LabelAccepted"], stop=stop)))
    )
    follower.start()
    flag_id = flag_one(stack, fruit, f"{fruit}/sample/{_sha256(content)}")

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
    follower.join(timeout=30)
    stop.set()
    assert seen[0].message["label"]["label_task_id"] == task.label_task_id
    version = until(lambda: relearn.versions(fruit))[0]
    trace = until(lambda: _reaching(relearn.trace(flag_id), version.dataset_version_id))
    assert {"flag", "label task", "annotation", "label", "dataset version"} <= {node.kind for node in trace.nodes}
    assert any("<── asked for" in line for line in trace.lines())


def test_compressed_events_are_read_too(stack, relearn, fruit):
    detail = "143 of 200 new train labels; " * 200  # worth compressing: producers leave small batches as they are
    skipped = training_pb.StudySkipped(project_id=fruit, dataset_version_id=f"{fruit}/data/1", detail=detail)
    send(stack, encode(skipped, id=new_id(), time=utc_now()))

    event = next(relearn.events(project=fruit, types=["StudySkipped"]))

    assert event.message["detail"] == detail


def _first(events):
    return [next(events)]


def _reaching(trace, id: str):
    return trace if id in {node.id for node in trace.nodes} else None


def _sha256(content: bytes) -> str:
    from hashlib import sha256

    return sha256(content).hexdigest()


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


def test_the_command_speaks_to_people_and_to_scripts(stack, command, relearn, fruit, tmp_path):
    run = command
    folder = str(pictures(tmp_path / "p", first=500))
    code, out, _ = run("import", folder, "--project", fruit)
    assert (code, out.splitlines()[0]) == (0, "8 pictures: 8 new, 8 newly labeled, 0 relabeled")
    code, out, _ = run("versions", fruit, "--json")
    assert (code, json.loads(out)[0]["counts"]["imported"]) == (0, 8)

    picture = relearn.sample(relearn.diff("", f"{fruit}/data/1").changes[0].sample_id)
    flag_one(stack, fruit, picture.sample_id)
    until(lambda: relearn.label_tasks(fruit, state="open"))
    code, out, _ = run("label", "next", "--project", fruit, "--to", str(tmp_path / "tasks"), "--json")
    task = json.loads(out)
    assert (tmp_path / "tasks" / f"{task['label_task_id']}.png").read_bytes() == picture.content
    code, out, _ = run("label", "submit", task["label_task_id"], "boot")
    assert (code, out) == (0, "boot: label accepted\n")
    code, _, err = run("label", "submit", task["label_task_id"], "boot")
    assert (code, len(err.splitlines())) == (1, 2)

    for arguments in (("project", "show", fruit), ("project", "list"), ("why", fruit), ("label", "list", "-p", fruit)):
        code, out, err = run(*arguments)
        assert (code, err) == (0, ""), arguments
        assert out.strip()
    code, out, err = run("why", "nobody")
    assert (code, out, len(err.splitlines())) == (1, "", 2)


@pytest.fixture
def command(stack, monkeypatch, capsys):
    """The command of a person whose environment says where Relearn is: exit code, output, errors."""
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["relearn", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_what_there_is_not_yet_is_said_with_what_it_waits_for(command, fruit):
    for arguments, said in (
        (("studies", fruit), "no study yet"),
        (("models", fruit), "no model yet"),
        (("alerts", fruit), "no alert"),
        (("versions", fruit), "no version yet"),
    ):
        assert command(*arguments) == (0, ANY, ""), arguments
        assert said in command(*arguments)[1]


def test_a_project_file_is_applied_paused_and_resumed_by_the_command(command, tmp_path):
    file = tmp_path / "fruit.yaml"
    name = f"fruit-{uuid4().hex[:8]}"
    file.write_text(f"project_id: {name}\ninput_kind: image\nlabel_set: {{classes: [boot, shirt]}}\n")

    assert command("project", "apply", str(file))[:2] == (0, f"{name}: applied as revision 1\n")
    assert command("project", "apply", str(file))[:2] == (0, f"{name}: nothing to change (revision 1)\n")
    assert command("project", "pause", name, "--reason", "a test")[0] == 0
    assert ", paused" in command("project", "show", name)[1]
    train = ("train", name, "--reason", "a test")  # training hears of the pause from Kafka
    assert until(lambda: f"relearn project resume {name}" in command(*train)[2])
    assert command("project", "resume", name, "--reason", "a test") == (0, f"{name}: active\n", "")


@pytest.mark.parametrize(
    ("arguments", "step"),
    [
        (("train", "NAME", "--reason", "x"), "relearn why"),
        (("train", "NAME", "--reason", "x", "--version", "NAME/data/9"), "relearn versions"),
        (("promote", "NAME/model/9", "--reason", "x"), "relearn models"),
        (("rollback", "NAME", "--reason", "x"), "nothing serves yet"),
        (("trace", "nothing"), "relearn label list"),
        (("label", "release", "nothing"), "relearn label next"),
        (("parked", "show", "nothing"), "relearn parked list"),
        (("parked", "retry", "nothing"), "relearn parked list"),
        (("parked", "drop", "nothing", "--reason", "x"), "relearn parked list"),
    ],
)
def test_what_is_refused_names_the_next_step(command, fruit, arguments, step):
    code, out, err = command(*(part.replace("NAME", fruit) for part in arguments))

    assert (code, out) == (1, "")
    assert step in err.splitlines()[-1]


def test_a_task_is_given_back_by_the_command(stack, command, relearn, fruit, tmp_path):
    relearn.import_samples(fruit, [NewSample(content=png(815))], origin="a test")
    flag_one(stack, fruit, f"{fruit}/sample/{_sha256(png(815))}")
    task = until(lambda: relearn.label_tasks(fruit))[0]
    command("label", "next", "-p", fruit, "--to", str(tmp_path))

    assert command("label", "release", task.label_task_id) == (0, "given back\n", "")
    assert command("label", "release", task.label_task_id)[0] == 1


def test_status_asks_every_service(command):
    code, out, _ = command("status")

    assert code == 1  # there is no gateway here
    assert out.count("serving") == 6


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
