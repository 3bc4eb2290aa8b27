"""`relearn label`: take the next task, answer it, give it back, list; take back what an annotator answered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from relearn_client.client import Relearn
from relearn_client.command import label_files
from relearn_client.command.output import AsJson, Project, Reason, at, plain, say, show_json, show_table
from relearn_client.labeling import STATES

app = typer.Typer(no_args_is_help=True, help="Label tasks: predictions that deserve a human answer.")
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="Id of the task.")]
app.command("import")(label_files.import_labels)
app.command("export")(label_files.export_labels)
_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg"}


@app.command("next")
def next_task(
    project: Project,
    folder: Annotated[Path, typer.Option("--to", help="Folder for the picture.")] = Path("label-tasks"),
    as_json: AsJson = False,
) -> None:
    """Take the most valuable task, and save its picture; asking again gives the same one."""
    with Relearn() as relearn:
        task = relearn.next_task(project)
    if task is None:
        show_json(None) if as_json else say("no task for you now; `relearn why` says what the loop waits for")
        return
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{task.label_task_id}{_SUFFIXES.get(task.media_type, '')}"
    picture.write_bytes(task.content)
    if as_json:
        show_json({**plain(task), "picture": str(picture)})
        return
    say(f"task     {task.label_task_id}")
    say(f"picture  {picture}")
    say(f"classes  {', '.join(task.classes)}")
    say(f"why      {task.why}")
    say(f"yours until {at(task.lease_expires_at)}; answer with: relearn label submit {task.label_task_id} CLASS")


@app.command()
def submit(
    task: TaskId,
    label: Annotated[str, typer.Argument(metavar="CLASS", help="One of the project's classes.")],
    as_json: AsJson = False,
) -> None:
    """Answer a task that you have taken."""
    with Relearn() as relearn:
        done = relearn.submit(task, label)
    if as_json:
        show_json(done)
    else:
        state = {"open": "others are asked too", "accepted": "label accepted", "disputed": "answers differ: disputed"}
        say(f"{label}: {state.get(done.task_state, done.task_state)}")


@app.command()
def release(task: TaskId) -> None:
    """Give a task back unanswered."""
    with Relearn() as relearn:
        relearn.release_task(task)
    say("given back")


@app.command()
def revoke(
    project: label_files.ProjectName,
    annotator: Annotated[str, typer.Option(help="Whose answers no longer count.")],
    reason: Reason,
    since: Annotated[datetime | None, typer.Option(help="Only answers from then on, UTC.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take back all that an annotator answered in a project (for managers); what rests on it alone is asked again."""
    from_then = None if since is None else since.replace(tzinfo=since.tzinfo or UTC)
    with Relearn() as relearn:
        done = relearn.revoke_annotator(project, annotator, reason=reason, since=from_then)
    if as_json:
        show_json(done)
        return
    say(f"{done.answers} answers of {annotator} no longer count")
    say(f"{done.reopened} tasks are asked again, {done.decided} are decided by the other answers")


@app.command("list")
def list_tasks(
    project: Project,
    state: Annotated[str, typer.Option(help=f"Only {', '.join(STATES.values())}.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List label tasks, newest first (for engineers)."""
    if state and state not in STATES.values():
        raise typer.BadParameter(f"must be one of {', '.join(STATES.values())}", param_hint="--state")
    with Relearn() as relearn:
        found = relearn.label_tasks(project, state=state, limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        (one.label_task_id, one.state, f"{one.answers} of {one.overlap}", at(one.created_at), one.why) for one in found
    ]
    show_table(("task", "state", "answers", "opened", "why"), rows, empty="there is no such task")
