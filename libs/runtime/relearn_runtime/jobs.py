"""Background loops. A job claims rows of the service's own tables (`for update skip locked`, a lease)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from relearn_runtime import logs, metrics, telemetry
from relearn_runtime.backoff import delays
from relearn_runtime.faults import is_away

_MOST_AWAY_S = 2.0
_LONG_PASS_S = 30.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A coroutine function that is run again and again.

    Attributes:
        run: one pass; returns soon when there is nothing to do.
        every_s: pause between the end of a pass and the next.
        wake: set by whoever knows that there is work now; ends the pause, and is cleared before the pass.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    every_s: float = 1.0
    wake: asyncio.Event | None = None


def every(name: str, seconds: float, fn: Callable[[], Awaitable[object]]) -> Job:
    """A job that runs every so many seconds."""
    return Job(name=name, run=fn, every_s=seconds)


async def keep_running(job: Job) -> None:
    """Runs a job until cancelled; after an error it waits a little longer each time, up to 30 s.

    While a dependency is away it waits 2 s at most, to be there when that returns.
    """
    retries = _retries(job)
    while True:
        if job.wake is not None:
            job.wake.clear()
        started = time.monotonic()
        try:
            with logs.bound(job=job.name), telemetry.unrecorded_span():
                await _pass(job)
            pause_s, retries = job.every_s, _retries(job)
        except Exception as error:  # logged where it happened, with its trace
            if time.monotonic() - started > _LONG_PASS_S:
                retries = _retries(job)
            pause_s = min(next(retries), _MOST_AWAY_S) if is_away(error) else next(retries)
        await _pause(job, pause_s)


def _retries(job: Job) -> Iterator[float]:
    return delays(first_s=max(0.2, min(job.every_s, 5.0)), most_s=30.0)


async def _pass(job: Job) -> None:
    try:
        await job.run()
    except Exception as error:
        metrics.JOB_ERRORS.labels(job.name).inc()
        if is_away(error):
            logs.say_waiting(log, "job waits for a dependency", error, away=True)
        else:
            log.exception("job failed")
        raise


async def _pause(job: Job, pause_s: float) -> None:
    if job.wake is None:
        await asyncio.sleep(pause_s)
        return
    # not wait_for: before Python 3.12 it loses a cancellation that comes together with the wake-up
    with suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            await job.wake.wait()
