"""Brings a stack up, takes it down, wipes it: what the commands do, without a terminal."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from relearn_local import children, disk, health, kafka, local, lock, logs, stack
from relearn_local.health import READY
from relearn_local.prepare import MISMATCH
from relearn_local.stack import Home, ProcessReport, Stack

NEEDED_BYTES = 2 * disk.GIB
UP_DEADLINE_S = 240.0
DOWN_DEADLINE_S = 90.0
SUPERVISOR = tuple(local.python("relearn_local.supervise"))

# Health by process name, told whenever it changed.
Progress = Callable[[Mapping[str, str]], None]


class StackError(Exception):
    """The stack could not be brought up or down; the message says which process, why, and where its log is."""


def up(
    home: Home,
    *,
    on_progress: Progress,
    say: Callable[[str], None],
    supervisor: Sequence[str] = SUPERVISOR,
    deadline_s: float = UP_DEADLINE_S,
) -> Stack:
    """Returns when every process of the stack serves; a stack that runs already is only waited for.

    Args:
        say: gets lines worth reading.
        supervisor: command to which the home is appended.

    Raises:
        DiskTooSmall, KafkaUnavailable, NoFreePort: nothing was started.
        StackError: something does not come up; the rest goes on running.
    """
    with _alone(home):
        if not home.is_supervised():
            disk.require(home.path, size_bytes=NEEDED_BYTES, what="the local stack")
            if supervisor == SUPERVISOR:
                local.set_ports(os.environ)
                _fetch_kafka(say)
            _spawn(home, supervisor)
    return _wait_until_serving(home, on_progress=on_progress, deadline_s=deadline_s)


def down(home: Home, *, deadline_s: float = DOWN_DEADLINE_S) -> bool:
    """Stops everything of a stack; False when nothing was running."""
    if not home.path.exists():
        return False
    with _alone(home), _stopped(home, deadline_s=deadline_s) as was_running:
        return was_running


def reset(home: Home) -> None:
    """Stops the stack and deletes everything it keeps; what is not its own stays.

    A demo keeps a stack of its own inside; it is stopped and deleted too.
    """
    if not home.path.exists():
        return
    reset(home.of_the_demo)
    with _alone(home), _stopped(home, deadline_s=DOWN_DEADLINE_S):
        for entry in home.kept():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def wait_for_end(home: Home) -> None:
    """Returns when no supervisor runs in the stack's home any more."""
    while home.is_supervised():
        time.sleep(0.5)


def mismatched_topics(home: Home) -> list[str]:
    """What the last preparation found different on the broker."""
    log = home.log("prepare")
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line.removeprefix(MISMATCH) for line in lines if line.startswith(MISMATCH)]


def _fetch_kafka(say: Callable[[str], None]) -> None:
    if not kafka.are_jars_cached():
        disk.require(
            kafka.cache(), size_bytes=2 * kafka.DOWNLOAD_BYTES, what="Apache Kafka's jars", setting="JGO_CACHE_DIR"
        )
        say("Fetching Apache Kafka, once (45 MB)")
    kafka.jars()


def _spawn(home: Home, supervisor: Sequence[str]) -> None:
    """Starts the supervisor in a session of its own, so that closing the terminal does not end it.

    It inherits its lock: from here on everybody sees that it runs, whatever becomes of us.
    """
    log = home.log("supervisor")
    logs.begin(log)
    with log.open("ab") as output, home.lock_file.open("a+") as held:
        lock.take(held)
        started = subprocess.Popen(
            [*supervisor, str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home.path,
            env={**os.environ, "PYTHONUNBUFFERED": "1", lock.PASSED_ON: str(held.fileno())},
            start_new_session=True,
            pass_fds=[held.fileno()],
        )
        itself = children.identity(started.pid)
    threading.Thread(target=started.wait, daemon=True).start()  # it may outlive us; if not, no zombie stays
    give_up = time.monotonic() + 60
    while (now := stack.running(home)) is None or now.supervisor != itself:
        if not itself.is_alive() or time.monotonic() > give_up:
            raise StackError(f"the supervisor did not start; its log is {log}:\n{logs.end_of(log)}")
        time.sleep(0.05)


def _wait_until_serving(home: Home, *, on_progress: Progress, deadline_s: float) -> Stack:
    give_up = time.monotonic() + deadline_s
    told: Mapping[str, str] = {}
    while True:
        found: Mapping[str, str] = {}
        if (now := stack.running(home)) is not None:  # else it is being started, or stopped
            found = {process.name: health.of(process) for process in now.processes}
            if found != told:
                on_progress(found)
                told = found
            if now.stopping:
                raise StackError("the stack is being stopped")
            if all(status in READY for status in found.values()):
                return now
            _raise_when_broken(now.processes)
        elif not home.is_supervised():
            log = home.log("supervisor")
            raise StackError(f"the supervisor ended; its log is {log}:\n{logs.end_of(log)}")
        if time.monotonic() > give_up:
            raise StackError(_late(now.processes if now else (), found, deadline_s=deadline_s))
        time.sleep(0.2)


def _raise_when_broken(processes: Sequence[ProcessReport]) -> None:
    broken = [process for process in processes if process.state == "broken"]
    if broken:
        raise StackError("\n".join(_why(process, f"does not stay up: {process.reason}") for process in broken))


def _late(processes: Sequence[ProcessReport], found: Mapping[str, str], *, deadline_s: float) -> str:
    late = [process for process in processes if found[process.name] not in READY and process.state != "waiting"]
    parts = (
        _why(process, found[process.name] + (f" ({process.reason})" if process.reason else "")) for process in late
    )
    return "\n".join([f"not everything serves after {deadline_s:.0f} s", *parts])


def _why(process: ProcessReport, reason: str) -> str:
    return f"{process.name} {reason}; its log is {process.log}:\n{logs.end_of(Path(process.log))}"


@contextmanager
def _stopped(home: Home, *, deadline_s: float) -> Iterator[bool]:
    """Ends the supervisor and what it left behind; none can start meanwhile. Gives whether anything was running."""
    with home.lock_file.open("a+") as held:
        was_running = _take_from_supervisor(held, home.lock_file, deadline_s=deadline_s)
        last = stack.read(home)
        left = children.kill_leftovers(last.recorded() if last else [], mark=str(home.path))
        yield was_running or bool(left)


def _take_from_supervisor(held: IO[str], path: Path, *, deadline_s: float) -> bool:
    """Takes the supervisor's lock, for which it has to end; whether there was one."""
    asked = None
    give_up = time.monotonic() + deadline_s
    while not lock.try_to_take(held) or (asked is not None and asked.is_alive()):
        late = time.monotonic() > give_up
        supervisor = lock.holder(path)  # None for a moment when it is just being started
        if supervisor is not None and (late or supervisor != asked):
            with suppress(ProcessLookupError):
                os.kill(supervisor.pid, signal.SIGKILL if late else signal.SIGTERM)  # what it kept dies with it
            asked = supervisor
        elif late:
            raise StackError(f"{path} is locked, but not by a supervisor; which process holds it: fuser {path}")
        time.sleep(0.05)
    return asked is not None


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One `up`, `down` or `reset` of a stack at a time; a second one waits and then finds the work done."""
    home.make()
    with (home.path / "command.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
