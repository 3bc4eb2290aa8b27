"""`relearn annotators`: who answers label tasks. Each has one personal access token, with which they sign in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from relearn_local import tokens
from relearn_local.stack import Home

app = typer.Typer(no_args_is_help=True, help="People who answer label tasks: annotators, reviewers, managers.")
errors = Console(stderr=True, soft_wrap=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What answers are known by: letters, digits and . _ @ + -")]
TokensFile = Annotated[
    Path | None,
    typer.Option(
        "--tokens-file",
        help="The tokens file that the services read (…_TOKENS_FILE); the local stack's unless given.",
        exists=True,
        dir_okay=False,
        writable=True,
    ),
]


@app.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option(help=", ".join(tokens.LABELING_ROLES))] = "annotator",
    tokens_file: TokensFile = None,
) -> None:
    """Make a person's token and print it, this once; services know it within seconds."""
    with _explained():
        token = tokens.add_person(_file(tokens_file), name=name, role=role)
    typer.echo(token)
    errors.print(f"Give it to {name}: they sign in with it. It is not kept, only its hash.", highlight=False)


@app.command("list")
def list_people(tokens_file: TokensFile = None) -> None:
    """List everybody who answers label tasks."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", overflow="fold")
    table.add_column("role")
    with _explained():
        found = tokens.people(_file(tokens_file))
    for person in found:
        table.add_row(person.name, person.role)
    if found:
        Console().print(table)
    else:
        errors.print("nobody yet; `relearn annotators add NAME` makes a token", highlight=False)


@app.command()
def remove(name: Name, tokens_file: TokensFile = None) -> None:
    """End a person's token, and with it their sessions. What they answered stays."""
    with _explained():
        tokens.remove_person(_file(tokens_file), name=name)
    typer.echo(f"the token of {name} is worth nothing any more; the answers stay")


def _file(given: Path | None) -> Path:
    if given is not None:
        return given
    home = Home.here()
    if not home.secrets_file.exists():  # its services would never read the file
        errors.print(f"no stack in {home.path}; start one with: relearn up, or name the --tokens-file of another")
        raise typer.Exit(1)
    return home.tokens_file


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (tokens.UnknownRole, tokens.BadName) as error:
        errors.print(str(error), markup=False, highlight=False)
        raise typer.Exit(2) from error
    except PermissionError as error:
        errors.print(f"{error.filename} belongs to another user")
        raise typer.Exit(1) from error
