"""The command line, as far as it goes without services."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from relearn_client import InvalidInput, Relearn, Unavailable
from relearn_client.command.main import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def relearn(tmp_path, monkeypatch, capsys):
    """Runs the command in a place without a stack."""
    monkeypatch.setenv("RELEARN_HOME", str(tmp_path / "no-stack"))
    monkeypatch.setenv("RELEARN_TOKEN", "x")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["relearn", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ran(code=int(ended.value.code or 0), out=printed.out, err=printed.err)

    return run


def test_help_names_the_commands_of_the_sdk_and_of_the_local_stack(relearn):
    shown = relearn("--help")

    assert shown.code == 0
    commands = "project import label train models promote rollback trace why events parked status up down reset topics"
    assert all(f" {name} " in shown.out for name in commands.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("why", "fruit"),
        ("project", "list"),
        ("label", "next", "--project", "fruit"),
        ("events", "tail"),
        ("status",),
        ("trace", "x"),
        ("rollback", "fruit", "--reason", "bad"),
    ],
)
def test_without_a_stack_each_command_says_how_to_start_one(relearn, arguments):
    ran = relearn(*arguments)

    assert ran.code == 1
    assert "relearn up" in ran.err
    assert len(ran.err.strip().splitlines()) == 2
    assert ran.out == ""


def test_a_wrong_project_file_is_told_with_the_path_of_the_field(relearn, tmp_path: Path):
    file = tmp_path / "fruit.yaml"
    file.write_text("project_id: fruit\ntraining: {epochs: ten}\n")

    ran = relearn("project", "apply", str(file))

    assert ran.code == 1
    assert "training.epochs: must be a whole number, got 'ten'" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments", [("rollback", "fruit"), ("import",), ("nonsense",), ("trace", "x", "--max-nodes", "0")]
)
def test_wrong_usage_ends_with_2(relearn, arguments):
    assert relearn(*arguments).code == 2


def test_a_service_that_does_not_answer_is_told_in_two_lines(tmp_path: Path):
    relearn = Relearn(endpoints={"registry": "127.0.0.1:1"}, token="x", home=tmp_path, patience_s=0.1)

    with pytest.raises(Unavailable) as caught:
        relearn.project("fruit")

    assert str(caught.value).splitlines() == [
        "registry does not answer at 127.0.0.1:1",
        "is it running? `relearn status` shows it, `relearn up` starts it",
    ]


def test_a_local_stack_that_is_stopped_is_told_at_once(relearn, tmp_path: Path):
    home = tmp_path / "no-stack"
    home.mkdir()
    lock = home / "supervisor.lock"
    lock.touch()
    content = {"endpoints": {"registry": "127.0.0.1:1"}, "lock_file": str(lock)}
    (home / "stack.json").write_text(json.dumps(content))

    ran = relearn("why", "fruit")  # without the 15 seconds of patience

    assert ran.code == 1
    assert "the local stack is stopped: `relearn up` starts it" in ran.err


def test_status_of_services_elsewhere_asks_them(relearn, monkeypatch):
    monkeypatch.setenv("RELEARN_REGISTRY", "127.0.0.1:1")

    ran = relearn("status")

    assert ran.code == 1
    assert "does not answer" in ran.out
    assert "address not known" in ran.out


def test_a_state_that_no_task_has_is_refused_with_those_there_are(tmp_path: Path):
    relearn = Relearn(endpoints={"labeling": "127.0.0.1:1"}, token="x", home=tmp_path)

    with pytest.raises(InvalidInput, match="no label task is 'done'") as caught:
        relearn.label_tasks("fruit", state="done")

    assert caught.value.next_step == "there are open, accepted, disputed"


def test_a_parked_event_is_not_called_unknown_while_a_service_is_away(tmp_path: Path):
    relearn = Relearn(token="x", home=tmp_path)

    with pytest.raises(Unavailable, match="did not answer"):
        relearn.retry_parked("x")
