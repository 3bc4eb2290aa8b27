"""Large inputs beside the request path: a prediction is told with its input, or without, never not at all."""

from __future__ import annotations

import threading
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_runtime.envelope import Record
from relearn_serving.gateway.blobs import Blobs


def record(number: int) -> Record:
    value = PredictionMade(prediction_id=f"p/{number}").SerializeToString()
    return Record(topic="t", key=b"shop/0", value=value, headers=())


def test_what_waits_for_a_storage_that_hangs_is_told_without_its_input_at_stop(monkeypatch: pytest.MonkeyPatch):
    put, hanging = threading.Event(), threading.Event()

    def hangs(*_: Any) -> None:
        hanging.set()
        put.wait(20)

    monkeypatch.setattr(obstore, "put", hangs)
    told: list[Record] = []
    blobs = Blobs(MemoryStore(), tell=told.append)
    blobs.start()
    for number in range(3):
        blobs.offer(record(number), b"large")
    assert hanging.wait(20)

    blobs.stop(deadline_s=0.01)

    messages = [PredictionMade.FromString(each.value or b"") for each in told]
    assert [message.prediction_id for message in messages] == ["p/0", "p/1", "p/2"]
    assert not any(message.input_key for message in messages)
    assert blobs.lost == 3
    put.set()


def test_inputs_that_wait_are_written_before_a_stop():
    told: list[Record] = []
    blobs = Blobs(MemoryStore(), tell=told.append)
    blobs.start()
    blobs.offer(record(1), b"large")

    blobs.stop(deadline_s=20)

    (message,) = [PredictionMade.FromString(each.value or b"") for each in told]
    assert message.input_key.startswith("inputs/shop/")
    assert blobs.lost == 0
