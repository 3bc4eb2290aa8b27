"""`relearn label import` and `relearn label export`: labels in and out, in the formats of other tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from relearn_client.client import Relearn
from relearn_client.command.output import AsJson, say, show_json, show_table
from relearn_client.imports import OnProgress
from relearn_formats import FORMATS, Problem

_SHOWN = 20
_NAMES = ", ".join(FORMATS)
_ABOUT = "\n\n".join(f"{one.name}: {one.about}" for one in FORMATS.values())
ProjectName = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]
FormatName = Annotated[str, typer.Option("--format", help=f"One of {_NAMES}.")]
MediaFolder = Annotated[Path | None, typer.Option("--images", "--media", help="Folder with the files it is about.")]


def import_labels(
    project: ProjectName,
    file: Annotated[Path, typer.Argument(help="The file; for yolo and voc the folder, or a ZIP of it.")],
    format: FormatName,
    media: MediaFolder = None,
    default_class: Annotated[str, typer.Option("--class", help="Class of regions where the format names none.")] = "",
    partial: Annotated[
        bool, typer.Option("--partial", help="Also take records of which a region could not be read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import labels that were made elsewhere. Interrupted? Run it again: nothing is there twice."""
    with Relearn() as relearn, _progress("importing") as told:
        done = relearn.import_labels(
            project,
            file,
            format=format,
            media=media,
            default_class=default_class,
            partial=partial,
            on_records=None if told is None else lambda records: told(records, None),
        )
    if as_json:
        show_json(done)
        return
    say(f"{done.taken} of {done.records} records taken, {done.repeated} of them were there already")
    if done.uploaded:
        say(f"{done.uploaded} samples uploaded")
    _show_problems(done.problems, done.reasons)


def export_labels(
    project: ProjectName,
    format: FormatName,
    out: Annotated[Path, typer.Option("--out", help="The file; for yolo and voc an empty folder, or a .zip.")],
    media: MediaFolder = None,
    finished: Annotated[bool, typer.Option("--finished", help="Only samples with a label.")] = False,
    answers: Annotated[bool, typer.Option("--answers", help="Every answer instead of the label.")] = False,
    since: Annotated[str, typer.Option("--since", help="Cursor of an earlier export: only what changed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Export labels into a file."""
    with Relearn() as relearn, _progress("exporting") as told:
        done = relearn.export_labels(
            project,
            out,
            format=format,
            media=media,
            finished_only=finished,
            answers=answers,
            since=since,
            on_progress=told,
        )
    if as_json:
        show_json(done)
        return
    say(f"{done.tasks} tasks in {out}")
    _show_problems(done.problems, done.reasons)
    say(f"only what changes from now on: --since {done.cursor}")


import_labels.__doc__ = f"{import_labels.__doc__}\n\n{_ABOUT}"
export_labels.__doc__ = f"{export_labels.__doc__}\n\n{_ABOUT}"


def _show_problems(problems: Sequence[Problem], reasons: Sequence[tuple[str, int]]) -> None:
    """The first of them one by one, then how many of each kind there are."""
    if not problems:
        return
    rows = [(one.place, one.reason, one.message + (" (taken all the same)" if one.kept else "")) for one in problems]
    show_table(("place", "reason", "what"), rows[:_SHOWN], empty="")
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons)
    say(f"not as they were, or left out: {counts}; all with --json" if len(rows) > _SHOWN else f"in all: {counts}")


@contextmanager
def _progress(doing: str) -> Iterator[OnProgress | None]:
    """A bar on a terminal; silence anywhere else."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn(doing), BarColumn(), TextColumn("{task.completed} records"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
