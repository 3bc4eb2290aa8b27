"""The processes around the story: the stack itself, the product, the annotators."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

STOP_S = 15.0


class Processes:
    """Starts processes and stops all of them, by process id."""

    def __init__(self, *, home: Path, logs: Path) -> None:
        self._environment = os.environ | {"RELEARN_HOME": str(home)}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[str]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def local(self, *arguments: str) -> None:
        """Run one command of the local stack (`up`, `down`, `reset --yes`) to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "relearn_local", *arguments],
            env=self._environment,
            text=True,
            capture_output=True,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            raise RuntimeError(f"relearn {' '.join(arguments)} failed:\n{said}")

    def output(self, *arguments: str) -> str:
        """What one command of the local stack prints."""
        return subprocess.check_output(
            [sys.executable, "-m", "relearn_local", *arguments], env=self._environment, text=True
        ).strip()

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
                raise RuntimeError(f"{name} ended with {process.returncode}, see {log}:\n{tail}")

    def stop(self, name: str) -> None:
        """Stop one process and wait for it."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def finish(self, name: str) -> None:
        """Wait for a process that was told to stop."""
        self._running.pop(name).wait(STOP_S)

    def stop_all(self) -> None:
        """Stop whatever runs."""
        for name in list(self._running):
            self.stop(name)
