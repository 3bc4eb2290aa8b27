"""What the relay keeps back after a refusal."""

from __future__ import annotations

from confluent_kafka import KafkaError

from relearn_runtime.relay import Refused

ROW = {"id": 7, "topic": "t"}


def test_a_refused_topic_stays_back_whole_so_that_its_order_holds():
    refused = Refused()

    refused.add(ROW, KafkaError(KafkaError._UNKNOWN_TOPIC))

    assert refused.still() == (["t"], [])


def test_an_event_that_is_refused_for_itself_stays_back_alone():
    refused = Refused()

    refused.add(ROW, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))

    assert refused.still() == ([], [7])


def test_after_a_while_it_is_tried_again(monkeypatch):
    monkeypatch.setattr("relearn_runtime.relay._HOLD_S", 0.0)
    refused = Refused()

    refused.add(ROW, KafkaError(KafkaError._UNKNOWN_TOPIC))
    refused.add(ROW, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))

    assert refused.still() == ([], [])
