"""Starts real processes so that they never outlive us, and stops them by process id. For Linux."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1  # linux/prctl.h


# In the environment of every child and grandchild of a stack: which stack it belongs to.
MARK = "RELEARN_STACK"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process and no other: ids are given out again, but never with the same tick of the same boot.

    Nothing here changes when somebody sets the clock.
    """

    pid: int
    ticks: int  # of the kernel's clock, from boot to the start of the process
    boot_id: str

    def is_alive(self) -> bool:
        """Whether exactly this process still runs."""
        try:
            state, ticks = _state_and_ticks(self.pid)
        except ProcessLookupError:
            return False
        return state not in "ZX" and ticks == self.ticks and boot_id() == self.boot_id


def identity(pid: int) -> Identity:
    """The identity of a process that runs now.

    Raises:
        ProcessLookupError: it has ended.
    """
    _, ticks = _state_and_ticks(pid)
    return Identity(pid=pid, ticks=ticks, boot_id=boot_id())


def boot_id() -> str:
    """Names the time from one boot of this machine to the next."""
    return BOOT_ID.read_text().strip()


def start(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, its output appended to `log`.

    The kernel kills it when this process dies, however it dies. Call from the main thread:
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


def wait_until_ended(child: subprocess.Popen[bytes]) -> None:
    """Returns when a child has ended, without reaping it: `finish` does that."""
    with suppress(ChildProcessError):  # reaped meanwhile
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended, without reaping it."""
    if child.returncode is not None:
        return True
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def finish(child: subprocess.Popen[bytes]) -> int:
    """Kills what is left of a child's session, then reaps it; returns its exit code, negative for a signal.

    In this order: until a child is reaped its id is nobody else's, so no stranger's session can be meant.
    """
    if child.returncode is None:
        kill_session(child.pid)
    return child.wait()


def stop(child: subprocess.Popen[bytes], *, gently: signal.Signals, grace_s: float) -> None:
    """Asks a child to end, waits, and kills what is left of its session. Nothing happens to one that was reaped."""
    if not has_ended(child):
        os.kill(child.pid, gently)
        give_up = time.monotonic() + grace_s
        while not has_ended(child) and time.monotonic() < give_up:
            time.sleep(0.02)
    finish(child)


def kill_session(leader_pid: int) -> None:
    """Kills every process of the session that `start` made for a child, its grandchildren among them.

    Only while the child is not reaped, or the session is known to be ours: afterwards the id may be anybody's.
    """
    for pid in _members(leader_pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


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


def _state_and_ticks(pid: int) -> tuple[str, int]:
    """Fields 3 and 22 of proc_pid_stat(5); the name before them may hold spaces and parentheses."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError as error:
        raise ProcessLookupError(pid) from error
    return fields[0], int(fields[19])


def _dies_with_parent() -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: the child must not import anything
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return in_child
