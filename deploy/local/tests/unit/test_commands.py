import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points

import pytest
from rich.console import Console
from typer.testing import CliRunner

from relearn_local import children, disk, kafka, launch, local, lock, stack, view
from relearn_local.commands import app
from relearn_local.stack import Home, ProcessReport, Stack


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEARN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, arguments, input=stdin)


def test_the_commands_are_found_by_the_relearn_command_line():
    (found,) = entry_points(group="relearn.commands", name="local")

    assert found.load() is app


def test_status_without_a_stack_says_how_to_start_one(home):
    result = run("status")

    assert result.exit_code == 1
    assert "relearn up" in result.output


def test_down_without_a_stack_is_no_error(home):
    result = run("down")

    assert (result.exit_code, result.output) == (0, "nothing was running\n")


def test_reset_deletes_nothing_when_the_answer_is_no(home):
    home.mkdir()
    (home / "secrets.json").touch()

    result = run("reset", stdin="n\n")

    assert result.exit_code == 1
    assert (home / "secrets.json").exists()


def test_reset_deletes_what_is_the_stacks_and_nothing_else_in_the_folder(home):
    (home / "objects" / "blobs").mkdir(parents=True)
    (home / "secrets.json").touch()
    (home / "thesis.tex").touch()

    result = run("reset", "--yes")

    assert result.exit_code == 0
    assert {path.name for path in home.iterdir()} == {"thesis.tex", "command.lock", "supervisor.lock"}


def test_a_new_token_is_all_that_is_printed(home):
    local.secrets(Home(path=home))

    result = run("tokens", "add", "ada", "--role", "annotator")

    assert len(result.stdout.strip()) >= 40
    assert json.loads((home / "tokens.json").read_text())["tokens"][-1]["subject"] == "ada"


def test_a_token_that_no_stack_would_know_is_not_made(home):
    result = run("tokens", "add", "ada")

    assert result.exit_code == 1
    assert "relearn up" in result.output
    assert not (home / "tokens.json").exists()


def test_a_token_of_an_unknown_role_is_refused_with_the_roles_there_are(home):
    local.secrets(Home(path=home))
    before = (home / "tokens.json").read_text()

    result = run("tokens", "add", "ada", "--role", "boss")

    assert result.exit_code == 2
    assert "annotator, reviewer, manager, engineer, service" in result.output
    assert (home / "tokens.json").read_text() == before


def test_a_person_gets_a_token_is_listed_and_removed(home):
    local.secrets(Home(path=home))

    added = run("annotators", "add", "Jürgen", "--role", "reviewer")
    listed = run("annotators", "list")
    removed = run("annotators", "remove", "Jürgen")

    assert len(added.stdout.strip()) >= 40
    assert [line.split() for line in listed.stdout.splitlines()] == [["name", "role"], ["Jürgen", "reviewer"]]
    assert removed.exit_code == 0
    assert "Jürgen" not in json.loads((home / "tokens.json").read_text())["tokens"]
    assert run("annotators", "list").stdout == ""


def test_people_of_another_stack_are_in_the_file_that_is_named(home, tmp_path):
    other = tmp_path / "tokens.json"
    other.write_text('{"tokens": []}')

    result = run("annotators", "add", "ada", "--tokens-file", str(other))

    assert result.exit_code == 0
    assert [one["role"] for one in json.loads(other.read_text())["tokens"]] == ["annotator"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "ADA"), "ada (annotator) has this name already"),
        (("add", "Registry"), "registry (service) has this name already"),
        (("add", "a b"), "letters, digits"),
        (("add", "-"), "letters, digits"),
        (("add", "x" * 65), "letters, digits"),
        (("add", "bob", "--role", "engineer"), "annotator, reviewer, manager, not 'engineer'"),
        (("remove", "operator"), "nobody who answers label tasks"),
        (("remove", "bob"), "nobody who answers label tasks"),
    ],
    ids=str,
)
def test_a_name_or_role_that_cannot_be_is_refused_in_words(home, words, said):
    local.secrets(Home(path=home))
    run("annotators", "add", "ada")
    before = (home / "tokens.json").read_text()

    result = run("annotators", *words)

    assert result.exit_code == 2
    assert said in result.output
    assert (home / "tokens.json").read_text() == before


def test_status_names_what_is_not_ready_with_its_reason_and_its_log(home):
    kept = Home(path=home)
    with supervised(kept, ProcessReport(
        name="gateway", state="broken", address=None, serves_health=True, log="/logs/gateway.log",
        reason="ended with exit code 7",
    )):  # fmt: skip
        result = run("status")

    assert result.exit_code == 1
    assert "gateway: broken (ended with exit code 7); its log is /logs/gateway.log" in result.output


def test_status_of_a_stack_that_was_stopped_says_how_to_start_it(home):
    kept = Home(path=home)
    with supervised(kept):
        pass

    result = run("status")

    assert result.exit_code == 1
    assert "nothing runs; `relearn up` starts it" in result.output


def test_a_port_that_is_not_the_default_one_is_told():
    endpoints = {"gateway": "127.0.0.1:8002", "gateway-metrics": "127.0.0.1:7116", "kafka": "127.0.0.1:9092"}
    running = Stack(home="", supervisor=children.identity(os.getpid()), endpoints=endpoints, processes=())

    assert view.moved(running) == ["gateway listens on port 8002: 8001 was busy, or another one was set"]


def test_a_page_is_told_with_its_address():
    endpoints = {"console": "127.0.0.1:7017", "console-web": "127.0.0.1:8080"}
    running = Stack(home="", supervisor=children.identity(os.getpid()), endpoints=endpoints, processes=())

    assert view.pages(running) == ["console: http://127.0.0.1:8080"]


def test_a_small_disk_for_what_is_downloaded_is_named_with_the_variable_that_moves_it(home, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "NEEDED_BYTES", 0)
    monkeypatch.setattr(kafka, "DOWNLOAD_BYTES", 2**20 * disk.GIB)
    monkeypatch.setenv("JGO_CACHE_DIR", str(tmp_path / "cache"))

    result = run("up")

    assert result.exit_code == 1
    assert "too little disk for Apache Kafka's jars" in result.output
    assert "JGO_CACHE_DIR" in result.output


def test_status_fits_a_terminal_of_80_columns_with_every_port_in_full(home):
    endpoints = {"monitoring": "127.0.0.1:17015", "monitoring-metrics": "127.0.0.1:17115"}
    process = ProcessReport(
        name="monitoring", state="running", address=endpoints["monitoring"], serves_health=True, log="",
        pid=4194304, ticks=1, started=0.0,
    )  # fmt: skip
    running = Stack(home="", supervisor=children.identity(os.getpid()), endpoints=endpoints, processes=(process,))
    console = Console(width=80, file=io.StringIO())

    console.print(view.status(running, supervised=False).table)

    row = console.file.getvalue().splitlines()[1]
    assert "127.0.0.1:17015" in row
    assert "17115" in row


def test_what_belongs_to_another_user_is_said_in_a_line(home, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(home / "command.lock"))

    monkeypatch.setattr(launch, "up", refuse)

    result = run("up")

    assert result.exit_code == 1
    assert "command.lock belongs to another user" in result.output


def test_the_use_of_the_compose_stack_is_told_with_its_token(home):
    result = run("compose-secrets")

    page, start, variables = result.output.splitlines()
    assert page == "make page"
    assert start.startswith("docker compose --env-file ")
    assert f"RELEARN_TOKEN=$(cat {home / 'compose' / 'token'})" in variables
    assert "RELEARN_REGISTRY=127.0.0.1:7010" in variables


@contextmanager
def supervised(home: Home, *processes: ProcessReport) -> Iterator[None]:
    """A stack whose supervisor is this process."""
    home.make()
    stack.write(home, Stack(home="", supervisor=children.identity(os.getpid()), endpoints={}, processes=processes))
    with lock.hold(home.lock_file):
        yield


def test_up_on_a_small_disk_says_so_and_starts_nothing(home, monkeypatch):
    monkeypatch.setattr(launch, "NEEDED_BYTES", 2**20 * disk.GIB)

    result = run("up")

    assert result.exit_code == 1
    assert "too little disk for the local stack" in result.output
    assert not (home / "stack.json").exists()
