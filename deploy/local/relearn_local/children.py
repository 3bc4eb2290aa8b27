"""Starts real processes so that they never outlive us, and stops them by process id."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1  # linux/prctl.h


# In the environment of every child and grandchild of a stack: which stack it belongs to.
MARK = "RELEARN_STACK"
SAME_START_S = 1.0  # psutil derives start times from clock ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process and no other: ids are given out again, a start time is not."""

    pid: int
    started: float  # seconds since the epoch

    def is_alive(self) -> bool:
        """Whether exactly this process still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def identity(pid: int) -> Identity:
    """The identity of a process that runs now.

    Raises:
        psutil.NoSuchProcess: it has ended.
    """
    return Identity(pid=pid, started=psutil.Process(pid).create_time())


def start(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, its output appended to `log`.

    On Linux the kernel kills it when this process dies, however it dies. Call from the main thread:
    the kernel watches the thread that started the child, not the process.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_dies_with_parent(),
        )


def stop(child: subprocess.Popen[bytes], *, gently: signal.Signals, grace_s: float) -> None:
    """Asks the process to end, waits, and kills what is left of its session."""
    if child.poll() is None:
        child.send_signal(gently)
        with suppress(subprocess.TimeoutExpired):
            child.wait(grace_s)
    kill_session(child.pid)
    child.wait()


def kill_session(leader_pid: int) -> None:
    """Kills every process of the session that `start` made for a child, its grandchildren among them.

    Safe after the leader is gone: a process id is not given out again while a session still bears it.
    """
    for pid in _members(leader_pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def kill_leftovers(recorded: Iterable[Identity], *, mark: str) -> list[int]:
    """Kills what a supervisor that was itself killed has left behind; returns the process ids.

    Recorded processes are recognised by id and start time, their children by the mark in their environment.
    """
    killed = [found.pid for found in recorded if found.is_alive()]
    for pid in killed:
        kill_session(pid)
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                process.kill()
                killed.append(process.pid)
    return killed


def _members(session: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                found.append(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _dies_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: the child must not import anything
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return in_child
