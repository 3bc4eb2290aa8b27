"""What the README tells a person to write and to type."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from relearn_client import project_file
from relearn_client.command.main import build

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "libs/client/README.md", "deploy/local/README.md")


def blocks(path: str) -> list[str]:
    """Its indented blocks, without the indentation."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", (ROOT / path).read_text(), re.MULTILINE)
    return ["\n".join(line[4:] for line in block.splitlines()) for block in found]


def commands(path: str) -> list[list[str]]:
    """The lines that call `relearn`, as words."""
    lines = [line for block in blocks(path) for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if re.match(r"relearn [a-z-]+( |$)", line)]


def test_its_project_file_is_one(tmp_path):
    (text,) = [block for block in blocks("README.md") if "project_id:" in block]
    (tmp_path / "fruit.yaml").write_text(text)

    project = project_file.read(tmp_path / "fruit.yaml")

    assert (project.project_id, project.monitoring.predictions_per_day) == ("fruit", 500)


@pytest.mark.parametrize("words", commands("README.md"), ids=" ".join)
def test_its_commands_are_there_and_take_these_arguments(words):
    command = typer.main.get_command(build())
    context = click.Context(command)
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
        assert command is not None
        context = click.Context(command, parent=context)

    command.make_context(command.name, list(words), parent=context.parent)
