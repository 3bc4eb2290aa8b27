"""Pinned versions load beside the traffic; what does not exist is not asked for again and again."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from relearn_serving.gateway.model import Model
from relearn_serving.gateway.pinned import Pinned
from relearn_serving.gateway.refusals import Overloaded, UnknownVersion


class Loads:
    """Answers when it is told to, and counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.go = threading.Event()

    def __call__(self, model_version_id: str) -> Model:
        self.asked[model_version_id] += 1
        self.go.wait(60)
        if model_version_id == "shop/model/9":
            raise UnknownVersion("registry knows no shop/model/9")
        return Model.__new__(Model)


class Answers:
    """What came back, and how to wait for it."""

    def __init__(self) -> None:
        self.found: list[Model | Exception] = []
        self._came = threading.Semaphore(0)

    def __call__(self, found: Model | Exception) -> None:
        self.found.append(found)
        self._came.release()

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self._came.acquire(timeout=60)


@pytest.fixture
def loads() -> Loads:
    return Loads()


@pytest.fixture
def pinned(loads: Loads) -> Any:
    made = Pinned(loads, keep=1, waiting=3)
    yield made
    loads.go.set()
    made.stop()


def test_callers_of_one_version_share_one_load(loads: Loads, pinned: Pinned):
    answers = Answers()
    for _ in range(3):
        pinned.load("shop/model/2", answers)
    loads.go.set()
    answers.wait(3)

    assert loads.asked == {"shop/model/2": 1}
    assert pinned.find("shop/model/2") is answers.found[0]


def test_more_callers_than_may_wait_are_told_at_once(pinned: Pinned):
    for number in (1, 2, 3):
        pinned.load(f"shop/model/{number}", Answers())

    with pytest.raises(Overloaded):
        pinned.load("shop/model/4", Answers())


def test_a_version_that_does_not_exist_is_remembered(loads: Loads, pinned: Pinned):
    answers = Answers()
    pinned.load("shop/model/9", answers)
    loads.go.set()
    answers.wait(1)

    for _ in range(2):
        with pytest.raises(UnknownVersion):
            pinned.find("shop/model/9")


def test_the_least_recently_used_version_goes_first(loads: Loads, pinned: Pinned):
    answers = Answers()
    loads.go.set()
    for number in (1, 2):
        pinned.load(f"shop/model/{number}", answers)
        answers.wait(1)

    assert pinned.find("shop/model/1") is None
    assert pinned.find("shop/model/2") is answers.found[1]
