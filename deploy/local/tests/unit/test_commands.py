import json
from importlib.metadata import entry_points

import pytest
from typer.testing import CliRunner

from relearn_local import disk, launch
from relearn_local.commands import app


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
    assert {path.name for path in home.iterdir()} == {"thesis.tex", "command.lock"}


def test_a_new_token_is_all_that_is_printed(home):
    result = run("tokens", "add", "ada", "--role", "annotator")

    assert len(result.stdout.strip()) >= 40
    assert json.loads((home / "tokens.json").read_text())["tokens"][0]["subject"] == "ada"


def test_a_token_of_an_unknown_role_is_refused_with_the_roles_there_are(home):
    result = run("tokens", "add", "ada", "--role", "boss")

    assert result.exit_code == 2
    assert "annotator, engineer, service" in result.output
    assert not (home / "tokens.json").exists()


def test_up_on_a_small_disk_says_so_and_starts_nothing(home, monkeypatch):
    monkeypatch.setattr(launch, "NEEDED_BYTES", 2**20 * disk.GIB)

    result = run("up")

    assert result.exit_code == 1
    assert "too little disk for the local stack" in result.output
    assert not (home / "stack.json").exists()
