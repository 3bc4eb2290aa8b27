"""`relearn why`, `trace`, `events tail`, `alerts`: what happens, and why."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from relearn_client.client import Relearn
from relearn_client.command.output import AsJson, at, say, show_json, show_json_line, show_table

events_app = typer.Typer(no_args_is_help=True, help="Events as they happen.")
_SHOWN = 160  # characters of an event's message in a line


def why(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")], as_json: AsJson = False
) -> None:
    """Say what each stage of the loop waits for, a line each."""
    with Relearn() as relearn:
        stages = relearn.why(project)
    if as_json:
        show_json(stages)
        return
    for stage in stages:
        say(str(stage))


def trace(
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of anything that happened.")],
    max_nodes: Annotated[int, typer.Option(min=1, max=5000, help="At most so many things.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Show where something came from and what it led to, causes above effects."""
    with Relearn() as relearn:
        found = relearn.trace(id, max_nodes=max_nodes)
    if as_json:
        show_json(found)
        return
    for line in found.lines():
        say(line)


def alerts(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Name of the project.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List alerts, newest first."""
    with Relearn() as relearn:
        found = relearn.alerts(project, limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [(a.alert_id, a.state, a.kind, a.model_version_id, at(a.opened_at), a.reason) for a in found]
    show_table(("alert", "state", "kind", "version", "opened", "reason"), rows, empty="no alert")


@events_app.command()
def tail(
    project: Annotated[str, typer.Option("--project", "-p", help="Only of this project.")] = "",
    type: Annotated[list[str] | None, typer.Option("--type", help="Only of this type; may be repeated.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="From the oldest that is kept.")] = False,
    predictions: Annotated[bool, typer.Option("--predictions", help="Every single prediction, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print events as they happen, until Ctrl-C."""
    with Relearn() as relearn:
        events = relearn.events(
            project=project, types=type or (), from_beginning=from_beginning, predictions=predictions
        )
        try:
            for event in events:
                if as_json:
                    show_json_line(event)
                    continue
                message = json.dumps(event.message, ensure_ascii=False)
                shortened = message if len(message) <= _SHOWN else message[:_SHOWN] + "..."
                say(f"{event.time.astimezone():%H:%M:%S.%f}"[:-3] + f" {event.type} {event.subject} {shortened}")
        except KeyboardInterrupt:
            return
