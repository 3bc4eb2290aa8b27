"""Predictions are told a moment after they were answered, together, each by its number."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_runtime import new_id
from relearn_runtime.envelope import Record
from relearn_serving.gateway import observer as module
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.model import Outputs
from relearn_serving.gateway.observer import Observer, Telling
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.routing import Arm, Choice, Phase, Route

ROUTE = Route(
    project_id="shop", revision=1, champion="shop/model/1", challenger="", phase=Phase.SERVING, weight=0, shards=1
)


class Listed:
    """A tap that is a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def offer(self, record: Record) -> None:
        self.records.append(record)

    def told(self) -> list[tuple[int, str, str, float]]:
        messages = [PredictionMade.FromString(record.value or b"") for record in self.records]
        return [(m.sequence, m.prediction_id, m.model_version_id, round(m.confidence, 3)) for m in messages]


@pytest.fixture
def tap() -> Listed:
    return Listed()


@pytest.fixture
def identity(tmp_path: Path) -> Iterator[Identity]:
    made = Identity(tmp_path, new_id=new_id)
    yield made
    made.close()


@pytest.fixture
def telling(tap: Listed, identity: Identity) -> Telling:
    return Telling(identity=identity, tap=tap, blobs=None, topic_prefix="")


@pytest.fixture
def observer(telling: Telling) -> Observer:
    return Observer(telling, offer_to_shadow=lambda *_: None)


def work(prediction_id: str, size: int) -> Any:
    """As much of a request as telling looks at."""
    return SimpleNamespace(
        call=SimpleNamespace(traceparent=""),
        request=SimpleNamespace(images=(), group_key=""),
        choice=Choice(route=ROUTE, version="shop/model/1", arm=Arm.CHAMPION, shadow=""),
        prediction_id=prediction_id,
        size=size,
        decoded=(),
    )


class OneModel:
    def __init__(self, number: int) -> None:
        self.model_version_id, self.classes = f"shop/model/{number}", ("a", "b")


def answers(*confidences: float) -> Answers:
    probabilities = np.array([[confidence, 1 - confidence] for confidence in confidences], np.float32)
    return Answers.of(Outputs(probabilities, np.zeros((len(confidences), 4), np.float32)))


class Answering:
    """Gives numbered answers, as the engine does."""

    def __init__(self, telling: Telling, observer: Observer) -> None:
        self._telling, self._observer = telling, observer

    def __call__(self, model: Any, works: Sequence[Any], *confidences: float) -> None:
        sequence = self._telling.number(len(confidences))
        self._observer.answered(works, model, answers(*confidences), [0.001] * len(works), sequence)


@pytest.fixture
def answer(telling: Telling, observer: Observer) -> Answering:
    return Answering(telling, observer)


def test_each_run_keeps_its_numbers(observer: Observer, answer: Answering, tap: Listed):
    one, two = OneModel(1), OneModel(2)
    answer(one, [work("p", 1), work("q", 2)], 0.6, 0.7, 0.8)
    answer(two, [work("r", 1)], 0.9)
    answer(one, [work("s", 1)], 0.95)

    observer.flush()

    assert sorted(tap.told()) == [
        (1, "p/0", "shop/model/1", 0.6),
        (2, "q/0", "shop/model/1", 0.7),
        (3, "q/1", "shop/model/1", 0.8),
        (4, "r/0", "shop/model/2", 0.9),
        (5, "s/0", "shop/model/1", 0.95),
    ]


def test_enough_requests_are_told_without_waiting(
    observer: Observer, answer: Answering, tap: Listed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_LATEST_S", 60.0)
    model = OneModel(1)
    for number in range(module._TOGETHER - 1):
        answer(model, [work(f"p{number}", 1)], 0.6)
    before = len(tap.records)

    answer(model, [work("last", 1)], 0.6)

    assert (before, len(tap.records)) == (0, module._TOGETHER)


def test_a_request_that_waited_long_enough_is_told_with_the_next(
    answer: Answering, tap: Listed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_LATEST_S", 0.0)

    answer(OneModel(1), [work("p", 1)], 0.6)

    assert [each[1] for each in tap.told()] == ["p/0"]


def test_when_traffic_pauses_the_last_answers_are_told(observer: Observer, answer: Answering, tap: Listed):
    observer.start()

    answer(OneModel(1), [work("p", 1)], 0.6)

    deadline = time.monotonic() + 60
    while not tap.records:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    observer.stop()
    assert [each[1] for each in tap.told()] == ["p/0"]


def test_a_stop_tells_what_waits(observer: Observer, answer: Answering, tap: Listed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LATEST_S", 0.5)
    observer.start()
    answer(OneModel(1), [work("p", 1)], 0.6)

    observer.stop()

    assert [each[1] for each in tap.told()] == ["p/0"]


def test_threads_that_answer_at_once_lose_and_repeat_nothing(
    observer: Observer, answer: Answering, identity: Identity, tap: Listed
):
    model = OneModel(1)

    def serve(name: str) -> None:
        for number in range(200):
            answer(model, [work(f"{name}{number}", 1)], 0.6)
            if number % 7 == 0:
                observer.flush()

    threads = [threading.Thread(target=serve, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    observer.flush()

    told = tap.told()
    assert sorted(each[0] for each in told) == list(range(1, 801))
    assert len({each[1] for each in told}) == 800
    assert identity.last == 800
