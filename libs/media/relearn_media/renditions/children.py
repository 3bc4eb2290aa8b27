"""Renditions made by child processes, so that a hostile file brings down nothing but its own job."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from relearn_media.limits import MediaLimits
from relearn_media.probing import MediaInfo
from relearn_media.renditions.rendered import MANIFEST, Rendered, Rendition, rendered

_UNFINISHED = ".unfinished-"
_ANSWER_BYTES = 1 << 16
ENVIRONMENT = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # none of ours: no secrets
ALL = frozenset(Rendition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one job may use up.

    Attributes:
        memory_bytes: of address space; a child begins with about 300 MiB of it.
        cpu_s, wall_s: of processor time, and by the clock.
        output_bytes: of any one file that is made.
    """

    memory_bytes: int = 2 * 1024**3
    cpu_s: int = 1800
    wall_s: float = 3600.0
    output_bytes: int = 2 * 1024**3


class RenderFailed(Exception):
    """The bytes may be fine, but nothing was made of them; `reason` is for programs."""

    reason: ClassVar[str]


class RenderTimedOut(RenderFailed):
    """The job took more processor time, or longer, than its budget has."""

    reason = "RENDER_TIMED_OUT"


class RenderOutOfMemory(RenderFailed):
    """The job needs more memory than its budget has."""

    reason = "RENDER_OUT_OF_MEMORY"


class RenderTooLarge(RenderFailed):
    """A file that was being made grew beyond the budget."""

    reason = "RENDER_TOO_LARGE"


class RenderCrashed(RenderFailed):
    """The worker died, or failed for a reason that nobody thought of."""

    reason = "RENDER_CRASHED"


FAILURES = {failure.reason: failure for failure in (RenderTimedOut, RenderOutOfMemory, RenderTooLarge, RenderCrashed)}


class Renditions:
    """Makes what people see of samples, a few at a time; safe to share within an event loop.

    Args:
        limits: on what a sample may be.
        budget: of each job.
        at_once: children that run at the same time; further jobs wait.
    """

    def __init__(self, *, limits: MediaLimits | None = None, budget: Budget | None = None, at_once: int = 2) -> None:
        self._limits, self._budget = limits or MediaLimits(), budget or Budget()
        self._turn = asyncio.Semaphore(at_once)

    async def render(self, source: Path, folder: Path, wanted: Collection[Rendition] = ALL) -> Rendered:
        """Makes what is wanted, and exists for the kind of media, and keeps it in `folder` (made when missing).

        `kept(folder)` finds it again, also that it was refused. Files appear whole, and all before `kept` tells of
        them; a job that is killed or cancelled leaves none.

        Raises:
            MediaRefused: the sample is not acceptable; see the README for the reasons.
            RenderFailed: RenderTimedOut, RenderOutOfMemory, RenderTooLarge or RenderCrashed.
        """
        async with self._turn:
            with _unfinished(folder.parent) as making:
                outcome = await self._run(source, making, wanted)
                _publish(outcome, making, folder)
        return rendered(outcome, folder)

    async def probe(self, source: Path) -> MediaInfo:
        """What a sample is; nothing is made or kept. Raises what `render` raises."""
        async with self._turn:
            with _unfinished(None) as nothing:
                return rendered(await self._run(source, nothing, ()), nothing).info

    async def _run(self, source: Path, folder: Path, wanted: Collection[Rendition]) -> dict[str, Any]:
        """What the worker answers: a manifest or a refusal. Raises RenderFailed."""
        job = {
            "source": str(source),
            "folder": str(folder),
            "wanted": sorted(rendition.value for rendition in wanted),
            "limits": asdict(self._limits),
            "budget": asdict(self._budget),
        }
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "relearn_media.renditions.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._budget.wall_s):
                answer = await _answer(child, job)
                code = await child.wait()
        except TimeoutError:
            raise RenderTimedOut(f"not done after {self._budget.wall_s:.0f} seconds") from None
        finally:
            await _end(child)
        return _outcome(answer, code)


async def _answer(child: asyncio.subprocess.Process, job: dict[str, Any]) -> bytes:
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child was started without pipes")
    with suppress(ConnectionError):  # it died at once; its exit code tells
        child.stdin.write(json.dumps(job).encode() + b"\n")
        await child.stdin.drain()
    # its input stays open: the child ends when that closes, and so when this process ends
    answer = b""
    while len(answer) <= _ANSWER_BYTES and (part := await child.stdout.read(_ANSWER_BYTES)):
        answer += part
    return answer


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


def _outcome(answer: bytes, code: int) -> dict[str, Any]:
    if code == -signal.SIGXCPU:
        raise RenderTimedOut("its processor time is used up")
    try:
        outcome: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise RenderCrashed(f"the worker ended with code {code}") from None
    if (failed := outcome.get("failed")) is not None:
        raise FAILURES[failed](outcome.get("why", ""))
    return outcome


def _publish(outcome: dict[str, Any], making: Path, folder: Path) -> None:
    """Moves the files, each whole, then what tells of them."""
    folder.mkdir(exist_ok=True)
    (making / MANIFEST).write_text(json.dumps(outcome))
    for name in (*(file for file, _ in outcome.get("files", {}).values()), MANIFEST):
        (making / name).replace(folder / name)


@contextmanager
def _unfinished(parent: Path | None) -> Iterator[Path]:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_unfinished(root: Path) -> None:
    """Deletes what renderings left in this folder whose process was killed; for a start, before any other."""
    for folder in root.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(folder, ignore_errors=True)
