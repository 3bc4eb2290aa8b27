"""The commands of the local stack, loaded into `relearn` by entry point: up, status, down, reset and what it keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from relearn_local import annotators, launch, stack, view
from relearn_local import tokens as token_file
from relearn_local.disk import DiskTooSmall
from relearn_local.kafka import KafkaUnavailable
from relearn_local.launch import StackError
from relearn_local.ports import NoFreePort
from relearn_local.stack import Home, Stack

app = typer.Typer(no_args_is_help=True, help="The one-machine stack of Relearn.")
topics_app = typer.Typer(no_args_is_help=True, help="Topics of the local broker.")
tokens_app = typer.Typer(no_args_is_help=True, help="Tokens of people and services.")
app.add_typer(topics_app, name="topics")
app.add_typer(tokens_app, name="tokens")
app.add_typer(annotators.app, name="annotators")

WIDE = 120  # columns where there is no terminal to fit into
console = Console(width=None if sys.stdout.isatty() else WIDE)
errors = Console(stderr=True, soft_wrap=True)


@app.command()
def up(
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and stop everything on Ctrl-C.")] = False,
) -> None:
    """Start Kafka, PostgreSQL and all services; wait until all of them serve."""
    home = Home.here()
    with explained():
        with view.progress(console) as progress:
            running = launch.up(home, on_progress=progress, say=console.print)
        _show(running, home)
    if foreground:
        _stay(home)


@app.command()
def status() -> None:
    """Show every process of the stack; exit code 1 when one is not ready, with the reason and where its log is."""
    running, supervised = _stack(), Home.here().is_supervised()
    shown = view.status(running, supervised=supervised)
    console.print(shown.table)
    if supervised:
        _show_pages(running)
    for problem in shown.problems:
        errors.print(problem, markup=False, highlight=False)
    if shown.problems:
        raise typer.Exit(1)


@app.command()
def down() -> None:
    """Stop everything; what it keeps stays."""
    with explained(), console.status("stopping"):
        stopped = launch.down(Home.here())
    console.print("stopped" if stopped else "nothing was running")


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop everything and delete all state: projects, samples, labels, models."""
    home = Home.here()
    if not yes:
        typer.confirm(f"Delete all state of the stack in {home.path}?", abort=True)
    with explained(), console.status("stopping and deleting"):
        launch.reset(home)
    console.print("stopped; all state is deleted")


@app.command("compose-secrets")
def compose_secrets() -> None:
    """Generate tokens and passwords for docker-compose.yml; say how to start it."""
    from relearn_local import compose

    with explained():
        made = compose.write_secrets(Home(path=Home.here().path / "compose"))
    for line in compose.how_to_use(made):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


@topics_app.command("apply")
def apply_topics(
    bootstrap_servers: Annotated[str, typer.Option(help="Broker; the local stack's unless given.")] = "",
) -> None:
    """Create missing topics; report those that do not match their files (exit code 1)."""
    from relearn_contracts.topics import all_topics
    from relearn_local import topics

    servers = bootstrap_servers or _stack().endpoints["kafka"]
    try:
        applied = topics.apply(all_topics(), bootstrap_servers=servers, deadline_s=10)
    except topics.BrokerAway as error:
        errors.print(str(error))
        raise typer.Exit(1) from error
    for name in applied.created:
        console.print(f"created {name}")
    for mismatch in applied.mismatches:
        errors.print(f"does not match: {mismatch}")
    if applied.mismatches:
        raise typer.Exit(1)


@tokens_app.command("add")
def add_token(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    role: Annotated[str, typer.Option(help=", ".join(token_file.ROLES))] = "annotator",
) -> None:
    """Make a token and print it; services know it within seconds."""
    home = Home.here()
    if not home.secrets_file.exists():  # its services would never read the file
        _no_stack(home)
    try:
        with explained():
            token = token_file.add(home.tokens_file, subject=name, role=role)
    except token_file.UnknownRole as error:
        errors.print(str(error))
        raise typer.Exit(2) from error
    typer.echo(token)


@contextmanager
def explained() -> Iterator[None]:
    """Turns what can go wrong with a stack into a message and exit code 1."""
    try:
        yield
    except (StackError, DiskTooSmall, KafkaUnavailable, NoFreePort) as error:
        errors.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from error
    except PermissionError as error:
        errors.print(f"{error.filename} belongs to another user; be that user, or use a RELEARN_HOME of your own")
        raise typer.Exit(1) from error


def _stack() -> Stack:
    home = Home.here()
    found = stack.read(home)
    if found is None and home.is_supervised():
        errors.print(f"the stack in {home.path} is being started; `relearn up` waits for it")
        raise typer.Exit(1)
    return found or _no_stack(home)


def _no_stack(home: Home) -> NoReturn:
    errors.print(f"no stack in {home.path}; start one with: relearn up")
    raise typer.Exit(1)


def _show(running: Stack, home: Home) -> None:
    console.print(view.status(running, supervised=True).table)
    _show_pages(running)
    for line in view.moved(running):
        console.print(line, highlight=False)
    for mismatch in launch.mismatched_topics(home):
        errors.print(f"topic does not match its file: {mismatch}", markup=False)
    console.print(f"logs: {home.logs}", soft_wrap=True, highlight=False)


def _show_pages(running: Stack) -> None:
    for line in view.pages(running):
        console.print(line, soft_wrap=True, highlight=False)


def _stay(home: Home) -> None:
    console.print("Ctrl-C stops everything")
    try:
        launch.wait_for_end(home)
    except KeyboardInterrupt:
        launch.down(home)
