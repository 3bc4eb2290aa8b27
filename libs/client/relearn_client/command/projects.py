"""`relearn project`: apply, show, list, pause, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from relearn_client.client import Relearn
from relearn_client.command.output import AsJson, Reason, at, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Projects: what the loop works on, and by which policies.")
Name = Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")]


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="Project file (YAML).")],
    as_json: AsJson = False,
) -> None:
    """Create a project or change its policies; the same file again changes nothing."""
    with Relearn() as relearn:
        applied = relearn.apply_project(file)
    if as_json:
        show_json(applied)
    elif applied.changed:
        say(f"{applied.project_id}: applied as revision {applied.revision}")
    else:
        say(f"{applied.project_id}: nothing to change (revision {applied.revision})")


@app.command()
def show(project: Name, as_json: AsJson = False) -> None:
    """Print a project as a file, defaults filled in."""
    with Relearn() as relearn:
        found = relearn.project(project)
    if as_json:
        show_json(found)
        return
    say(f"# revision {found.revision} of {at(found.updated_at)}{', paused' if found.paused else ''}")
    say(yaml.safe_dump(dict(found.content), sort_keys=False, allow_unicode=True, default_flow_style=None).rstrip())


@app.command("list")
def list_projects(as_json: AsJson = False) -> None:
    """List all projects."""
    with Relearn() as relearn:
        found = relearn.projects()
    if as_json:
        show_json(found)
        return
    rows = [
        (one.project_id, "paused" if one.paused else "active", str(one.revision), str(len(one.classes)))
        for one in found
    ]
    empty = "there is no project yet; make one with: relearn project apply FILE"
    show_table(("project", "state", "revision", "classes"), rows, empty=empty)


@app.command()
def pause(project: Name, reason: Reason) -> None:
    """Stop the loop of a project; predictions and answers go on."""
    with Relearn() as relearn:
        relearn.pause_project(project, reason=reason)
    say(f"{project}: paused; `relearn project resume {project} --reason WHY` starts it again")


@app.command()
def resume(project: Name, reason: Reason) -> None:
    """Start the loop of a project again."""
    with Relearn() as relearn:
        relearn.resume_project(project, reason=reason)
    say(f"{project}: active")
