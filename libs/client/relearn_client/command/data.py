"""`relearn import` and `relearn versions`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from relearn_client.client import Relearn
from relearn_client.command.output import AsJson, Project, at, say, show_json, show_table
from relearn_client.imports import OnProgress


def import_folder(
    folder: Annotated[Path, typer.Argument(help="Folder with one subfolder per class.")],
    project: Project,
    unlabeled: Annotated[bool, typer.Option("--unlabeled", help="Samples without classes, in any folders.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import pictures, texts, sounds or videos, all or none. Interrupted? Run it again: what is there is skipped."""
    with Relearn() as relearn, _progress() as on_progress:
        done = relearn.import_folder(project, folder, labeled=not unlabeled, on_progress=on_progress)
    if as_json:
        show_json(done)
        return
    say(f"{done.received} samples: {done.added} new, {done.labeled} newly labeled, {done.relabeled} relabeled")
    if done.skipped:
        some = ", ".join(done.skipped[:3]) + (", ..." if len(done.skipped) > 3 else "")
        typer.echo(f"{len(done.skipped)} files skipped, not named like samples of this project: {some}", err=True)
    if done.version is None:
        say("nothing changed, so there is no new version")
        return
    counts = done.version.counts
    say(f"{done.version.dataset_version_id}: {counts.train} to train, {counts.validation} to validate")


def versions(
    project: Annotated[str, typer.Argument(help="Name of the project.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List dataset versions, newest first."""
    with Relearn() as relearn:
        found = relearn.versions(project, limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        (v.dataset_version_id, at(v.created_at), str(v.counts.train), str(v.counts.validation), v.message)
        for v in found
    ]
    empty = f"no version yet; import labeled samples with: relearn import FOLDER --project {project}"
    show_table(("version", "committed", "train", "validation", "why"), rows, empty=empty)


@contextmanager
def _progress() -> Iterator[OnProgress | None]:
    """A bar on a terminal; silence anywhere else."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("importing", total=None)
        yield lambda sent, total: bar.update(task, completed=sent, total=total)
