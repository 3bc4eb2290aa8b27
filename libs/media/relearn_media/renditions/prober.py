"""What samples are, many in a row: one child process is kept for all of them, since to start it costs 0.25 s."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from relearn_media.errors import MediaRefused
from relearn_media.limits import MediaLimits
from relearn_media.probing import MediaInfo
from relearn_media.renditions.children import ENVIRONMENT, FAILURES, Budget, RenderCrashed, RenderTimedOut
from relearn_media.renditions.probe_worker import LENGTH_BYTES
from relearn_media.renditions.rendered import info_from

_SAMPLES = 1000  # of one child: whatever they leave behind in it ends with it
_ONE = Budget(memory_bytes=2 * 1024**3, cpu_s=600, wall_s=60.0, output_bytes=0)


class Prober:
    """Tells what samples are, one after the other, for threads: calls block, and wait for each other.

    A sample that brings the child down takes nothing else with it: the next one gets another child.

    Args:
        limits: on what a sample may be.
        budget: memory and processor time of a child, and how long one sample may take by the clock.
    """

    def __init__(self, *, limits: MediaLimits | None = None, budget: Budget = _ONE) -> None:
        self._limits, self._budget = limits or MediaLimits(), budget
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._probed = 0

    def probe(self, data: bytes) -> MediaInfo:
        """What a sample is.

        Raises:
            MediaRefused: the sample is not acceptable; see the README for the reasons.
            RenderFailed: RenderTimedOut, RenderOutOfMemory or RenderCrashed.
        """
        with self._turn:
            outcome = self._outcome(data)
        if (refused := outcome.get("refused")) is not None:
            raise MediaRefused(refused["reason"], refused["message"])
        if (failed := outcome.get("failed")) is not None:
            raise FAILURES[failed](outcome.get("why", ""))
        return info_from(outcome["info"])

    def close(self) -> None:
        """Ends the child, whatever it is at; another call would start a new one."""
        if (child := self._child) is not None:
            _kill(child)
        with self._turn:
            self._end()

    def _outcome(self, data: bytes) -> dict[str, Any]:
        child = self._child
        if child is None or child.poll() is not None:  # late at the very end of the sample before, it was killed
            self._end()
            child = self._start()
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(child)

        timer = threading.Timer(self._budget.wall_s, end)
        timer.start()
        try:
            answer = _asked(child, data)
        finally:
            timer.cancel()
        self._probed += 1
        if not answer:
            self._end()
            if late.is_set():
                raise RenderTimedOut(f"not done after {self._budget.wall_s:.0f} seconds")
            if child.returncode == -signal.SIGXCPU:
                raise RenderTimedOut("its processor time is used up")
            raise RenderCrashed(f"the worker ended with code {child.returncode}")
        if self._probed >= _SAMPLES:
            self._end()
        outcome: dict[str, Any] = json.loads(answer)
        return outcome

    def _start(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-m", "relearn_media.renditions.probe_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self._probed = 0
        job = {"limits": asdict(self._limits), "budget": asdict(self._budget)}
        with suppress(ConnectionError):  # it died at once; the missing answer tells
            _pipe(self._child.stdin).write(json.dumps(job).encode() + b"\n")
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        _kill(child)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with suppress(ConnectionError):  # what it had not read yet
                _pipe(pipe).close()


def _asked(child: subprocess.Popen[bytes], data: bytes) -> bytes:
    """One line, or nothing from a child that died."""
    with suppress(ConnectionError):
        samples = _pipe(child.stdin)
        samples.write(len(data).to_bytes(LENGTH_BYTES, "big"))
        samples.write(data)
        samples.flush()
    line: bytes = _pipe(child.stdout).readline()
    return line if line.endswith(b"\n") else b""


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _pipe(pipe: Any) -> Any:
    if pipe is None:
        raise ValueError("the child was started without pipes")
    return pipe
