"""Jobs end when they are told to, whatever happens in the same moment."""

from __future__ import annotations

import asyncio

import pytest

from relearn_runtime.jobs import Job, keep_running


@pytest.mark.parametrize("ticks", range(4))
async def test_job_that_is_woken_and_stopped_at_once_stops(ticks):
    wake, passes = asyncio.Event(), 0

    async def one_pass() -> None:
        nonlocal passes
        passes += 1

    task = asyncio.create_task(keep_running(Job(name="test", run=one_pass, every_s=60.0, wake=wake)))
    while not passes:
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)  # into its pause

    wake.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()

    done, _ = await asyncio.wait([task], timeout=60)
    assert done
    assert task.cancelled()
