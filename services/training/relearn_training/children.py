"""Child processes: one thread each, without our secrets, gone when we are."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from relearn_training import metrics
from relearn_training.learning import tasks
from relearn_training.learning.tasks import Task

log = logging.getLogger(__name__)

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
_LINE_LIMIT = 1024 * 1024
_LAST_BYTES = 4000


class TaskFailed(Exception):
    """A task ended without a result; the message says what its child said, or how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    """A process and what it says: a file without a name, which goes when we do."""

    process: asyncio.subprocess.Process
    said: IO[bytes]


class Children:
    """Child processes that do tasks; one that is idle is used again, for torch takes seconds to import."""

    def __init__(self, *, places: int, niceness: int, timeout_s: float) -> None:
        """
        Args:
            places: how many may work at a time.
            niceness: added to their priority number, so that serving on the same machine goes first.
            timeout_s: of one task; the child of one that takes longer is killed.
        """
        self._places, self._niceness, self._timeout_s = asyncio.Semaphore(places), niceness, timeout_s
        self._idle: list[_Child] = []
        self._users = 0
        self._ending: set[_Child] = set()  # killed, not yet waited for: whoever waits may itself be cancelled
        self._waiting = asyncio.Lock()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """While somebody is in here, idle children wait for the next task; the last one to leave ends them."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self.rest()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the places to work in, waited for; each task is done in one."""
        async with self._places:
            yield

    async def do(self, task: Task, path: Path, *, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The result of a task, written to `path` for the child to read. Cancelling kills the child.

        The caller has a `place`.

        Args:
            on_progress: gets each progress message; what it raises stops the child and is raised here.

        Raises:
            TaskFailed: the child said so, crashed or took too long.
        """
        kind = type(task).__name__.removesuffix("Task").lower()
        path.parent.mkdir(parents=True, exist_ok=True)
        tasks.write(path, task)
        child = self._idle.pop() if self._idle else await self._start()
        finished = False
        try:
            with metrics.CHILDREN.labels(kind).track_inprogress():
                async with asyncio.timeout(self._timeout_s):
                    said = await _work(child, path, on_progress)
            finished = True
        except TimeoutError as error:
            raise TaskFailed(f"took longer than {self._timeout_s:g} s") from error
        finally:
            if finished:
                self._idle.append(child)
            else:
                await self._end(child)
        if "result" in said:
            result: dict[str, Any] = said["result"]
            return result
        log.warning("task failed", extra={"task": path.name, "said": said["error"]})
        raise TaskFailed(said["error"])

    async def rest(self) -> None:
        """End the idle children; later tasks start new ones."""
        while self._idle:
            await self._end(self._idle.pop())
        for child in tuple(self._ending):
            await self._end(child)

    async def _end(self, child: _Child) -> None:
        self._ending.add(child)
        if child.process.stdin is not None:
            child.process.stdin.close()
        with suppress(ProcessLookupError):
            child.process.kill()
        async with self._waiting:
            await child.process.communicate()  # reads its pipe to the end, which `wait` would leave open
        child.said.close()
        self._ending.discard(child)

    async def _start(self) -> _Child:
        command = [sys.executable, "-m", "relearn_training.worker"]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child lives
        try:
            process = await asyncio.create_subprocess_exec(
                *(["nice", "-n", str(self._niceness), *command] if self._niceness else command),
                stdin=asyncio.subprocess.PIPE,  # its end tells the child that we are gone
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                env=_environment(),
                limit=_LINE_LIMIT,
            )
        except BaseException:
            said.close()
            raise
        return _Child(process=process, said=said)


async def _work(child: _Child, path: Path, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The child's last word about a task: its result or its error."""
    stdin, stdout = child.process.stdin, child.process.stdout
    assert stdin is not None  # noqa: S101 - both were asked for
    assert stdout is not None  # noqa: S101
    before = _said_bytes(child)
    with suppress(ConnectionError):  # it has ended; what follows tells how
        stdin.write(f"{path}\n".encode())
        await stdin.drain()
    async for line in stdout:
        message: dict[str, Any] = json.loads(line)
        if "progress" not in message:
            return message
        on_progress(message["progress"])
    code = await child.process.wait()
    raise TaskFailed(f"ended with {code}: {_last_lines(child, before)}")


def _said_bytes(child: _Child) -> int:
    return os.fstat(child.said.fileno()).st_size


def _last_lines(child: _Child, before: int) -> str:
    """The last words about this task; the `before` bytes that came earlier are about others."""
    start = max(before, _said_bytes(child) - _LAST_BYTES)
    # not read(): the child writes where our common file position is
    words = os.pread(child.said.fileno(), _LAST_BYTES, start).decode("utf-8", "replace")
    return " | ".join(words.strip().splitlines()[-3:]) or "it said nothing"


def _environment() -> dict[str, str]:
    """Only what Python needs: database URL and token stay here. Waiting threads sleep instead of spinning."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed | _ONE_THREAD | {"OMP_WAIT_POLICY": "PASSIVE"}
