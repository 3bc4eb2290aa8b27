"""Servers and processes of a test's own, to be stopped, killed and started again while others run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from relearn_local import children
from relearn_runtime.testing import eventually


class Machine:
    """One server: started, killed, and started again on the same data and port."""

    def __init__(self, server: Any, *, ready: Callable[[], bool], stop_signal: signal.Signals, folder: Path) -> None:
        self._server, self._ready, self._stop_signal, self._folder = server, ready, stop_signal, folder
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            self.child = children.start(self._server.command(), log=self._folder / "log", folder=self._folder)
            while self.child.poll() is None:
                if self._ready():
                    return
                assert time.monotonic() < give_up, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.1)
        raise AssertionError((self._folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        assert self.child is not None
        children.kill_session(self.child.pid)
        self.child.wait(60)

    def stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            children.stop(self.child, gently=self._stop_signal, grace_s=60)


async def written(sql: Callable[[str], Awaitable[list[Any]]]) -> int:
    """Entries in the ledger; none before its service has migrated."""
    try:
        ((count,),) = await sql("select count(*) from ledger")
    except asyncpg.UndefinedTableError:
        return 0
    return int(count)


async def kill_at_work(
    start: Callable[[], Process], written: Callable[[], Awaitable[int]], *, kills: int, entries: int, chance: Random
) -> Process:
    """Starts a process and kills it so many times, each time after it has written some entries; gives the last."""
    process, before = start(), 0
    for _ in range(kills):
        wanted = before + chance.randint(entries // 2, entries)

        async def has_worked(wanted: int = wanted) -> bool:
            return await written() >= wanted

        await eventually(has_worked)
        await asyncio.sleep(chance.uniform(0, 0.05))  # anywhere between two commits
        process.kill()
        before, process = await written(), start()
    return process


class Process:
    """`python -m ledger_service` as a process that can be killed."""

    def __init__(self, settings: Mapping[str, Any], log: Path) -> None:
        environment = {f"LEDGER_{name.upper()}": str(value) for name, value in settings.items()}
        path = {"PYTHONPATH": str(Path(__file__).parent), "PATH": os.environ["PATH"]}
        self.log = log
        command = [sys.executable, "-m", "ledger_service"]
        self.child = children.start(command, log=log, environment={**path, **environment}, folder=log.parent)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait(60)

    def terminate(self) -> int:
        self.child.terminate()
        return self.child.wait(60)
