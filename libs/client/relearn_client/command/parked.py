"""`relearn parked`: events that a service could not handle."""

from __future__ import annotations

from typing import Annotated

import typer

from relearn_client.client import Relearn
from relearn_client.command.output import AsJson, Reason, at, say, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="Events that a service could not handle.")
ParkedId = Annotated[str, typer.Argument(metavar="ID", help="Id of the parked event.")]


@app.command("list")
def list_parked(as_json: AsJson = False) -> None:
    """List what is parked in all services."""
    with Relearn(patience_s=2) as relearn:
        found = relearn.parked()
    if as_json:
        show_json(found)
    else:
        rows = [
            (
                e.parked_event_id,
                e.service,
                e.state,
                e.type.rpartition(".")[2] or "-",
                at(e.parked_at),
                e.reason,
                e.cause,
            )
            for e in found.events
        ]
        columns = ("id", "service", "state", "type", "parked", "reason", "cause")
        show_table(columns, rows, empty="nothing is parked")
    if found.unreachable:
        typer.echo(f"did not answer: {', '.join(found.unreachable)}; `relearn status` shows whether they run", err=True)
        raise typer.Exit(1)


@app.command()
def show(id: ParkedId, as_json: AsJson = False) -> None:
    """Show one with its headers and content."""
    with Relearn(patience_s=2) as relearn:
        found = relearn.parked_event(id)
    if as_json:
        show_json(found)
        return
    event = found.event
    say(f"{event.type or 'no type'} in {event.service}: {event.state}, {event.attempts} attempts")
    say(f"{event.reason}: {event.cause}")
    say(f"{event.topic}, partition {event.partition}, offset {event.offset}, key {event.key}")
    for name, value in found.headers:
        say(f"  {name}: {value.decode('utf-8', 'backslashreplace')}")
    say(found.value_json or f"{len(found.value)} bytes that can't be read: {found.value[:64].hex()}")


@app.command()
def retry(id: ParkedId) -> None:
    """Run its handler again, at once."""
    with Relearn(patience_s=2) as relearn:
        relearn.retry_parked(id)
    say("handled")


@app.command()
def drop(id: ParkedId, reason: Reason) -> None:
    """Give it up for good."""
    with Relearn(patience_s=2) as relearn:
        relearn.drop_parked(id, reason=reason)
    say("dropped")
