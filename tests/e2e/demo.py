"""Runs of the demo for tests: the whole loop, in a folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fashion_demo.books import Books
from fashion_demo.timeline import happened_in

RUN_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The local stack of a demo."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which `relearn` means this stack."""
        return os.environ | {"RELEARN_HOME": str(self.home)}

    def pid(self, name: str) -> int | None:
        """Process id of one of its processes; None while it is down."""
        try:
            stack = json.loads((self.home / "stack.json").read_text())
        except FileNotFoundError:
            return None
        running = (p["pid"] for p in stack["processes"] if p["name"] == name and p["state"] == "running")
        return next(running, None)

    def down(self) -> None:
        """Stop all of it, whatever state it is in."""
        subprocess.run([sys.executable, "-m", "relearn_local", "down"], env=self.environment, check=True, timeout=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A finished run whose stack is still up."""

    folder: Path
    exit_code: int
    output: str = field(repr=False)

    @property
    def stack(self) -> Stack:
        """Where it ran."""
        return stack_of(self.folder)

    @property
    def report(self) -> dict[str, Any]:
        """What it measured."""
        content: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return content

    @property
    def books(self) -> Books:
        """Its events."""
        return Books(events=happened_in(self.folder / "events.jsonl"))


def stack_of(folder: Path) -> Stack:
    """The stack of the demo in that folder."""
    return Stack(home=folder / "stack")


def run(folder: Path, *, seed: int) -> Demo:
    """Run it to its end, and leave its stack running: take that down whatever happens."""
    command = [sys.executable, "-m", "fashion_demo", "--keep", f"--seed={seed}", f"--folder={folder}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_S)
    return Demo(folder=folder, exit_code=done.returncode, output=done.stdout)
