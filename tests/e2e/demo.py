"""Runs of the demo for tests: the whole loop, in a folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A finished run whose stack is still up."""

    folder: Path
    exit_code: int
    output: str

    @property
    def home(self) -> Path:
        """RELEARN_HOME of its stack."""
        return self.folder / "stack"

    @property
    def report(self) -> dict[str, Any]:
        """What it measured."""
        content: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return content

    @property
    def ledger(self) -> Ledger:
        """Its events."""
        return Ledger.read(self.folder / "events.jsonl")

    def local(self, *arguments: str) -> str:
        """Run a command of the local stack on its stack."""
        return subprocess.check_output(
            [sys.executable, "-m", "relearn_local", *arguments], env=self.environment, text=True
        )

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which `relearn` means its stack."""
        return os.environ | {"RELEARN_HOME": str(self.home)}


def command(folder: Path, *, seed: int) -> list[str]:
    """The demo's command line; leaves the stack running."""
    return [sys.executable, "-m", "fashion_demo", "--keep", f"--seed={seed}", f"--folder={folder}"]


def run(folder: Path, *, seed: int) -> Demo:
    """Run it to its end."""
    done = subprocess.run(command(folder, seed=seed), capture_output=True, text=True, timeout=900)
    return Demo(folder=folder, exit_code=done.returncode, output=done.stdout + done.stderr)
