"""Whatever waits is bounded by number and by bytes."""

from __future__ import annotations

import threading
import time

import pytest

from relearn_serving.gateway.decoding import Workers
from relearn_serving.gateway.refusals import Overloaded
from relearn_serving.gateway.room import Room


def test_room_ends_by_number_or_by_bytes_and_comes_back():
    room = Room(requests=3, max_bytes=100)

    taken = [room.take(size) for size in (60, 60, 30, 10, 0)]

    assert taken == [True, False, True, True, False]
    room.give_back(60)
    assert room.take(60)


def test_what_alone_exceeds_the_room_fits_when_nothing_waits():
    room = Room(requests=3, max_bytes=100)

    assert room.take(1_000)
    assert not room.take(1)


def test_work_that_waits_is_bounded_by_bytes_and_left_at_stop():
    workers = Workers(threads=1, waiting=10_000, max_bytes=100)
    go, started = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        started.set()
        go.wait(60)
        done.append("first")

    workers.submit(first, size_bytes=50)
    assert started.wait(60)
    workers.submit(lambda: done.append("second"), size_bytes=50)
    with pytest.raises(Overloaded):
        workers.submit(lambda: done.append("third"), size_bytes=50)
    stopper = threading.Thread(target=workers.stop)
    stopper.start()
    with pytest.raises(RuntimeError, match="shutdown"):
        submit_until_refused(workers)
    go.set()
    stopper.join(60)

    assert done == ["first"]


def submit_until_refused(workers: Workers) -> None:
    """Returns by the pool's own error: it takes no more, and has forgotten what waits."""
    for _ in range(1_000):
        workers.submit(lambda: None, size_bytes=0)
        time.sleep(0.005)
