"""A stack of tiny real processes under the real supervisor."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from relearn_local import launch, stack
from relearn_local.ports import PortClaims
from relearn_local.stack import Home, ProcessReport, Stack

TINY = Path(__file__).parent / "tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyStack:
    """Its home, and its processes by name: what `stack.py` reads."""

    home: Home
    plan: Path

    @property
    def server(self) -> list[str]:
        """Command of a process that listens on its port."""
        return [sys.executable, str(TINY / "server.py"), "PORT"]

    @property
    def supervisor(self) -> Sequence[str]:
        """The command that `launch.up` starts."""
        return (sys.executable, str(TINY / "stack.py"), str(self.plan))

    def of(self, **processes: object) -> TinyStack:
        """Decides what it runs."""
        self.plan.write_text(json.dumps(processes))
        return self

    def up(self, *, deadline_s: float = 60.0) -> Stack:
        """As `relearn up`."""
        return launch.up(
            self.home,
            on_progress=lambda found: None,
            say=lambda line: None,
            supervisor=self.supervisor,
            deadline_s=deadline_s,
        )

    def process(self, name: str) -> ProcessReport:
        """One process as its supervisor reports it now."""
        found = stack.read(self.home)
        assert found is not None
        return next(process for process in found.processes if process.name == name)

    @staticmethod
    def runs(pid: int) -> bool:
        """Whether a process of this id runs, zombies aside."""
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @staticmethod
    def eventually(condition: Callable[[], bool], *, deadline_s: float = 60.0) -> bool:
        """Whether the condition came true before the deadline."""
        give_up = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.05)
        return True

    def pids(self) -> list[int]:
        """Everything that runs for this stack."""
        found = stack.read(self.home)
        assert found is not None
        return [found.supervisor.pid, *(process.pid for process in found.processes if process.pid)]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyStack]:
    """A stack that is taken down after the test, whatever became of it."""
    made = TinyStack(home=Home(path=tmp_path / "home"), plan=tmp_path / "plan.json")
    yield made
    launch.down(made.home, deadline_s=60)


@pytest.fixture
def port(test_ports: PortClaims) -> int:
    """A port that is free, and not claimed."""
    claims = PortClaims()
    number = claims.claim_any()
    claims.release()
    return number
