"""The `relearn` command against real services: what it prints, where, and how it ends."""

from __future__ import annotations

import json
from unittest.mock import ANY
from uuid import uuid4

import pytest
from client_stack import flag_one, pictures, png, sample_id, until

from relearn_client import NewSample
from relearn_client.command.main import main


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


def test_the_command_speaks_to_people_and_to_scripts(stack, command, relearn, fruit, tmp_path):
    run = command
    folder = str(pictures(tmp_path / "p", first=500))
    code, out, _ = run("import", folder, "--project", fruit)
    assert (code, out.splitlines()[0]) == (0, "8 samples: 8 new, 8 newly labeled, 0 relabeled")
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
    flag_one(stack, fruit, sample_id(fruit, png(815)))
    task = until(lambda: relearn.label_tasks(fruit))[0]
    command("label", "next", "-p", fruit, "--to", str(tmp_path))

    assert command("label", "release", task.label_task_id) == (0, "given back\n", "")
    assert command("label", "release", task.label_task_id)[0] == 1


def test_status_asks_every_service(command):
    code, out, _ = command("status")

    assert code == 1  # there is no gateway here
    assert out.count("serving") == 6


def test_labels_in_a_file_come_in_with_what_was_refused_and_go_out_with_where_to_go_on(command, fruit, tmp_path):
    run, folder = command, pictures(tmp_path / "p", first=900)
    labels = tmp_path / "labels.csv"
    labels.write_text("sample,label\nboot/0.png,boot\nshirt/0.png,hat\ngone.png,boot\n")
    arguments = ("label", "import", fruit, str(labels), "--format", "csv", "--images", str(folder))

    code, out, err = run(*arguments)
    _, again, _ = run(*arguments)
    exported, told, _ = run("label", "export", fruit, "--format", "csv", "--out", str(tmp_path / "out.csv"))
    wrong, _, advice = run("label", "export", fruit, "--format", "cocoa", "--out", str(tmp_path / "out"))

    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["1 of 3 records taken, 0 of them were there already", "2 samples uploaded"]
    assert [line.split()[:3] for line in out.splitlines()[3:5]] == [
        ["line", "4", "NO_MEDIA"],
        ["line", "3", "NOT_IN_LABEL_SET"],
    ]
    assert again.splitlines()[0] == "1 of 3 records taken, 1 of them were there already"
    assert (exported, len((tmp_path / "out.csv").read_text().splitlines())) == (0, 2)
    assert told.splitlines()[-1].startswith("only what changes from now on: --since ")
    assert (wrong, advice.splitlines()[1][:14]) == (1, "name one of js")
