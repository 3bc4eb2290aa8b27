"""What the commands show: a live list of processes on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from relearn_local import health
from relearn_local.health import DONE, READY, SERVING
from relearn_local.launch import Progress
from relearn_local.local import DEFAULT_PORTS
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One row a process, and below them a line for each that is not ready."""

    table: Table
    problems: tuple[str, ...]


def status(stack: Stack, *, supervised: bool) -> Status:
    """What every process does, as its supervisor and its health check say; `supervised`: whether anything runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("process", "pid", "state", "restarts", "address", "metrics", "health", "up for"):
        right = column in ("pid", "restarts", "metrics", "up for")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    problems = []
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
            stack.endpoints.get(f"{process.name}-metrics", "-").rpartition(":")[2],
            Text(answer if shown else "-", style=COLOURS.get(answer, "yellow") if shown else ""),
            "-" if process.started is None or not supervised else _duration(time.time() - process.started),
        )
        if supervised and answer not in READY:
            why = f"{answer} ({process.reason})" if process.reason else answer
            problems.append(f"{process.name}: {why}; its log is {process.log}")
    if not supervised:
        problems.append("nothing runs; `relearn up` starts it")
    return Status(table=table, problems=tuple(problems))


def moved(stack: Stack) -> list[str]:
    """A line for each port that is not the default one."""
    ports = {name: int(address.rpartition(":")[2]) for name, address in stack.endpoints.items()}
    return [
        f"{name} listens on port {port}: {DEFAULT_PORTS[name]} was busy, or another one was set"
        for name, port in ports.items()
        if port != DEFAULT_PORTS.get(name, port)
    ]


def pages(stack: Stack) -> list[str]:
    """A line for each process that answers browsers."""
    return [
        f"{name.removesuffix('-web')}: http://{address}"
        for name, address in stack.endpoints.items()
        if name.endswith("-web")
    ]


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
