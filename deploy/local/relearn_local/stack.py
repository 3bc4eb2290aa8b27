"""What one stack keeps on disk, and what it says about itself in `stack.json` for everybody who wants to reach it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from relearn_local import lock
from relearn_local.children import Identity

FORMAT = 1
KEPT = (
    *("kafka", "postgres", "objects", "spool", "scratch", "logs", "compose", "demo"),
    *("stack.json", "secrets.json", "tokens.json", "token"),
)
State = Literal["waiting", "starting", "running", "restarting", "broken", "done", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of a stack: `RELEARN_HOME`, else `.relearn` of the current folder."""

    path: Path

    @classmethod
    def here(cls) -> Home:
        """The stack that the command line means."""
        return cls(path=Path(os.environ.get("RELEARN_HOME") or ".relearn").absolute())

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.path / "logs"

    @property
    def stack_file(self) -> Path:
        """What `Stack` reads and writes."""
        return self.path / "stack.json"

    @property
    def tokens_file(self) -> Path:
        """Hashes of all tokens; what services read."""
        return self.path / "tokens.json"

    @property
    def token_file(self) -> Path:
        """The token of the person who started the stack, for the command line."""
        return self.path / "token"

    @property
    def secrets_file(self) -> Path:
        """Tokens of the services and passwords of their databases."""
        return self.path / "secrets.json"

    @property
    def of_the_demo(self) -> Home:
        """Where `make demo` of the same folder keeps its stack."""
        return Home(path=self.path / "demo" / "stack")

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.path / "supervisor.lock"

    def is_supervised(self) -> bool:
        """Whether a supervisor runs here, or is being started."""
        return lock.is_held(self.lock_file)

    def make(self) -> None:
        """Creates the folder; others may pass through it (PostgreSQL's user does), not look around."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    def kept(self) -> list[Path]:
        """What is there of all that a stack keeps, in whichever folder somebody chose for it.

        Among it the fresh copies (`.<name>.<pid>`) of files whose replacement was interrupted.
        """
        found = [self.path / name for name in KEPT if os.path.lexists(self.path / name)]
        return found + [copy for name in KEPT for copy in self.path.glob(f".{name}.*")]

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{name}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """One process as its supervisor sees it; whether a service is *healthy* only the service can say."""

    name: str
    state: State
    address: str | None
    serves_health: bool  # answers grpc.health.v1 at its address
    log: str
    pid: int | None = None
    ticks: int | None = None  # with the pid its identity; None when it does not run
    started: float | None = None  # seconds since the epoch, to show
    restarts: int = 0
    reason: str = ""  # why it ended last; empty when it never did


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that runs, or ran: where everything listens and what became of each process."""

    home: str
    supervisor: Identity
    endpoints: Mapping[str, str]  # name -> host:port
    processes: tuple[ProcessReport, ...]
    stopping: bool = False

    def recorded(self) -> list[Identity]:
        """The processes that ran when this was written; some may have ended."""
        return [
            Identity(pid=process.pid, ticks=process.ticks, boot_id=self.supervisor.boot_id)
            for process in self.processes
            if process.pid is not None and process.ticks is not None
        ]


def write(home: Home, stack: Stack) -> None:
    """Replaces `stack.json` in one step, so that readers never see half of it."""
    fresh = home.stack_file.with_name(f".stack.json.{os.getpid()}")
    files = {"token_file": str(home.token_file), "lock_file": str(home.lock_file)}  # for clients
    fresh.write_text(json.dumps({"format": FORMAT, **asdict(stack), **files}, indent=1))
    fresh.replace(home.stack_file)


def read(home: Home) -> Stack | None:
    """The stack as it was last written; None where none ever ran, or what is written can't be read."""
    try:
        content: dict[str, Any] = json.loads(home.stack_file.read_text())
        if content["format"] != FORMAT:
            return None
        return Stack(
            home=content["home"],
            supervisor=Identity(**content["supervisor"]),
            endpoints=content["endpoints"],
            processes=tuple(ProcessReport(**process) for process in content["processes"]),
            stopping=content["stopping"],
        )
    except (FileNotFoundError, IsADirectoryError, ValueError, KeyError, TypeError):
        return None


def running(home: Home) -> Stack | None:
    """What the supervisor that runs now says; None where none does, or it has not said anything yet."""
    now = read(home)
    return now if now is not None and now.supervisor == lock.holder(home.lock_file) else None
