"""The processes around the story: the stack itself, the product, the annotators."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

STOP_S = 15.0


class CommandFailed(Exception):
    """A command of the local stack, or a process beside it, failed; the message has what it said."""


class Processes:
    """Starts processes and stops all of them, by process id.

    Each has its standard input from us and ends when that closes: so none outlives the demo, however the demo ends.
    """

    def __init__(self, *, home: Path, logs: Path) -> None:
        self._environment = os.environ | {"RELEARN_HOME": str(home)}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[str]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def local(self, *arguments: str, say: Callable[[str], None] = lambda _: None) -> str:
        """Run one command of the local stack (`up`, `down`, `reset --yes`) to its end; returns what it printed.

        Args:
            say: gets each line as it comes.

        Raises:
            CommandFailed: with what it printed.
        """
        command = [sys.executable, "-m", "relearn_local", *arguments]
        lines = []
        with subprocess.Popen(
            command, env=self._environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                say(lines[-1])
        printed = "\n".join(lines).strip()
        if process.returncode != 0:
            raise CommandFailed(f"relearn {' '.join(arguments)} failed:\n{printed}")
        return printed

    def start(self, name: str, module: str, arguments: Sequence[str], *, token: str | None = None) -> None:
        """Start `python -m module arguments`; what it says goes to its log."""
        with (self._logs / f"{name}.log").open("w") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=self._environment | ({"RELEARN_TOKEN": token} if token else {}),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def tell(self, name: str, order: str) -> None:
        """Write one line to the standard input of a process."""
        stdin: IO[str] | None = self._running[name].stdin
        if stdin is None:
            raise RuntimeError(f"{name} takes no orders")
        stdin.write(order + "\n")
        stdin.flush()

    def check(self) -> None:
        """Raise if a process ended that should be running."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self._logs / f"{name}.log"
                tail = "\n".join(log.read_text().splitlines()[-10:])
                raise CommandFailed(f"{name} ended with {process.returncode}, see {log}:\n{tail}")

    def stop(self, name: str) -> None:
        """Close a process's standard input and wait for its end; end it by force when it does not come."""
        process = self._running.pop(name)
        try:
            process.communicate(timeout=STOP_S)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def stop_all(self) -> None:
        """Stop whatever runs."""
        for name in list(self._running):
            self.stop(name)
