"""What the commands show: a live list of processes on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from relearn_local import health
from relearn_local.health import DONE, READY, SERVING
from relearn_local.launch import Progress
from relearn_local.stack import Stack

COLOURS = {SERVING: "green", DONE: "green", "running": "green", "broken": "bold red", "restarting": "yellow"}


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """A function to tell the health of all processes to, each time it changed."""
    if not console.is_terminal:
        yield _lines(console)
        return
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        yield lambda found: live.update(_live(found))


def status(stack: Stack) -> Table:
    """One row a process."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("process", "pid", "state", "restarts", "address", "health", "up for"):
        table.add_column(column, justify="right" if column in ("pid", "restarts", "up for") else "left")
    supervised = stack.is_supervised()
    for process in stack.processes:
        state = process.state if supervised else "stopped"
        answer = health.of(process) if supervised else "-"
        shown = process.serves_health and state == "running"
        table.add_row(
            process.name,
            "-" if process.pid is None or not supervised else str(process.pid),
            Text(state, style=COLOURS.get(state, "")),
            str(process.restarts),
            process.address or "-",
            Text(answer if shown else "-", style=COLOURS.get(answer, "yellow") if shown else ""),
            "-" if process.started is None or not supervised else _duration(time.time() - process.started),
        )
    return table


def _live(found: Mapping[str, str]) -> Group:
    rows = [
        Text(f"  ✔ {name}", style="green") if state in READY else Spinner("dots", text=f" {name}: {state}")
        for name, state in found.items()
    ]
    return Group(*rows)


def _lines(console: Console) -> Progress:
    told: dict[str, str] = {}

    def tell(found: Mapping[str, str]) -> None:
        for name, state in found.items():
            if told.get(name) != state and state != "waiting":
                console.print(f"{name}: {state}")
            told[name] = state

    return tell


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
