"""`relearn`: the command, made of our own parts and of what other packages add (entry points `relearn.commands`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import typer

from relearn_client.command import data, labels, loop, models, parked, projects
from relearn_client.command.output import show_error
from relearn_client.command.status import status
from relearn_client.endpoints import is_local
from relearn_client.errors import RelearnError

FAILED = 1  # usage errors are 2, by click


def build() -> typer.Typer:
    """The command with all its parts. Where another package brings a command of the same name, that one counts."""
    app = typer.Typer(
        name="relearn",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Keep a deep learning model right after it has shipped.",
    )
    app.add_typer(projects.app, name="project")
    app.command("import")(data.import_folder)
    app.command()(data.versions)
    app.add_typer(labels.app, name="label")
    commands: list[Callable[..., None]] = [
        models.train,
        models.studies,
        models.models,
        models.promote,
        models.rollback,
        loop.why,
        loop.trace,
        loop.alerts,
    ]
    for command in commands:
        app.command()(command)
    app.add_typer(loop.events_app, name="events")
    app.add_typer(parked.app, name="parked")
    added = [entry.load() for entry in entry_points(group="relearn.commands")]
    for part in added:
        app.add_typer(part)
    if not is_local(os.environ) or "status" not in {name for part in added for name in _names(part)}:
        ours = typer.Typer()
        ours.command()(status)
        app.add_typer(ours)  # the last one of a name counts
    return app


def main() -> None:
    """Runs the command line; an error is a line or two and exit code 1, a traceback only where RELEARN_DEBUG is set."""
    try:
        build()(prog_name="relearn")
    except RelearnError as error:
        if os.environ.get("RELEARN_DEBUG"):
            raise
        show_error(error)
        sys.exit(FAILED)
    except Exception as error:
        if os.environ.get("RELEARN_DEBUG"):
            raise
        typer.echo(f"relearn failed: {type(error).__name__}: {error}", err=True)
        typer.echo("this is a bug; RELEARN_DEBUG=1 shows where it happened", err=True)
        sys.exit(FAILED)


def _names(part: typer.Typer) -> list[str]:
    return [one.name or one.callback.__name__ for one in part.registered_commands if one.callback is not None]
