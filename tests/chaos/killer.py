"""Kills processes of a local stack at random moments, by process id."""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path

SERVICES = ("registry", "datasets", "labeling", "training", "control", "monitoring", "gateway")


class Killer:
    """Kills each of `names` `rounds` times, in a random order, about `every_s` apart."""

    def __init__(self, home: Path, *, names: tuple[str, ...], rounds: int, every_s: float, seed: int) -> None:
        self._home, self._every_s = home, every_s
        self._generator = random.Random(seed)
        self._victims = [name for _ in range(rounds) for name in self._generator.sample(names, len(names))]
        self._stopped = threading.Event()
        self.killed: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, name="killer")

    def start(self) -> None:
        """Begin; the stack need not be up yet."""
        self._thread.start()

    def stop(self) -> None:
        """Kill no more."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        for name in self._victims:
            if self._stopped.wait(self._generator.uniform(0.5, 1.5) * self._every_s):
                return
            while (pid := self._pid(name)) is None:
                if self._stopped.wait(0.2):
                    return
            os.kill(pid, signal.SIGKILL)
            self.killed.append((time.time(), name))

    def _pid(self, name: str) -> int | None:
        """Process id of a running process; None while it is down."""
        try:
            stack = json.loads((self._home / "stack.json").read_text())
        except FileNotFoundError:
            return None
        return next(
            (p["pid"] for p in stack["processes"] if p["name"] == name and p["state"] == "running" and p["pid"]),
            None,
        )
