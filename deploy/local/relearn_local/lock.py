"""Which supervisor runs a stack: it holds a lock for as long as it lives, and the file says which process it is.

The kernel lets go of the lock when its holder ends, however it ends. So the lock, not `stack.json`, is the truth about
what runs. The file is never deleted: a second one of its name could be locked while the first still is.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from relearn_local import children
from relearn_local.children import Identity

PASSED_ON = "RELEARN_SUPERVISOR_LOCK"  # variable with the descriptor of a lock that whoever starts us has taken
GLANCE_S = 2.0  # `is_held` touches the lock too, for a moment


class Held(Exception):
    """Another supervisor holds the lock."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Holds the lock, passed on by whoever started this process or taken now, and says who does.

    Raises:
        Held: there is a supervisor already.
    """
    passed_on = os.environ.pop(PASSED_ON, None)
    with path.open("a+") if passed_on is None else os.fdopen(int(passed_on), "a+") as file:
        os.set_inheritable(file.fileno(), False)
        take(file)
        file.truncate(0)
        file.write(json.dumps(asdict(children.identity(os.getpid()))))
        file.flush()
        yield


def take(file: IO[str]) -> None:
    """Locks an open lock file.

    Raises:
        Held: there is a supervisor.
    """
    give_up = time.monotonic() + GLANCE_S
    while not try_to_take(file):
        if time.monotonic() > give_up:
            raise Held(file.name)
        time.sleep(0.02)


def try_to_take(file: IO[str]) -> bool:
    """Whether the lock could be taken at this moment."""
    return _lock(file, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Whether a supervisor runs, or is being started."""
    try:
        with path.open() as file:
            return not _lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def holder(path: Path) -> Identity | None:
    """The supervisor that runs; None where there is none, or it has not said yet who it is."""
    try:
        said = Identity(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return said if said.is_alive() else None


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
