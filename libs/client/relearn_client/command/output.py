"""How results are shown: tables and lines for people, JSON for scripts, errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

from relearn_client.errors import RelearnError

_WIDE = 200  # columns where there is no terminal to fit into

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Project: TypeAlias = Annotated[str, typer.Option("--project", "-p", help="Name of the project.")]
Reason: TypeAlias = Annotated[str, typer.Option("--reason", help="Why; kept for ever.")]


def console() -> Console:
    """Where results go."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """One line, as it is."""
    typer.echo(text)


def show_json(value: Any) -> None:
    """A result as one JSON document."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def show_json_line(value: Any) -> None:
    """A result as one line of JSON, for streams of them."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """A table without lines; a sentence where there is nothing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        console().print(table)
    else:
        say(empty)


def show_error(error: RelearnError) -> None:
    """What went wrong, and under it what to do next."""
    red, plain_end = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    typer.echo(f"{red}{error.message}{plain_end}", err=True)
    if error.next_step:
        typer.echo(error.next_step, err=True)


def plain(value: Any) -> Any:
    """A result as JSON values: names of fields stay, times are ISO 8601; bytes are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: plain(one) for name, one in found.items() if not isinstance(one, bytes)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def at(time: datetime | None) -> str:
    """A time for people, in their own zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time else "-"
