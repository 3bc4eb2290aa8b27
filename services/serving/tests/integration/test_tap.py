"""Every prediction reaches Kafka, or is counted, while the broker is killed and comes back."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError
from own_broker import OwnBroker

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_contracts.topics import topic_of
from relearn_runtime import utc_now
from relearn_runtime.envelope import Record, encode
from relearn_runtime.testing import DEADLINE_S
from relearn_serving.gateway.spool import Spool
from relearn_serving.gateway.tap import Tap, producer_settings

TOPIC = topic_of(PredictionMade)


def prediction(number: int) -> Record:
    message = PredictionMade(
        prediction_id=f"p/{number}", partition_key="shop/0", gateway_id="g", sequence=number, input_content=bytes(1_000)
    )
    return encode(message, id=message.prediction_id, time=utc_now())


def new_tap(broker: OwnBroker, folder: Path, *, max_bytes: int = 64 << 20) -> Tap:
    tap = Tap(producer_settings(broker.bootstrap_servers), Spool(folder, max_bytes=max_bytes, segment_bytes=1 << 20))
    tap.start()
    return tap


def read_all(broker: OwnBroker) -> list[int]:
    """Sequence numbers in the topic, in order; each record is whole, with its headers."""
    records = broker.records(TOPIC.name, TOPIC.partitions)
    messages = [PredictionMade.FromString(record.value or b"") for record in records]
    for record, message in zip(records, messages, strict=True):
        assert dict(record.headers or ())["ce_id"].decode() == message.prediction_id
    return [message.sequence for message in messages]


def wait_until(condition: Any, deadline_s: float = DEADLINE_S) -> None:
    give_up = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < give_up, "not in time"
        time.sleep(0.05)


def test_nothing_is_missing_after_the_broker_was_killed_and_came_back(own_broker: OwnBroker, tmp_path: Path) -> None:
    tap = new_tap(own_broker, tmp_path / "spool")
    stop = threading.Event()
    offered = 0

    def traffic() -> None:
        nonlocal offered
        while not stop.wait(0.002):
            tap.offer(prediction(offered + 1))
            offered += 1

    product = threading.Thread(target=traffic)
    product.start()
    wait_until(lambda: tap.counts().delivered > 50)
    own_broker.kill()
    wait_until(lambda: tap.counts().waiting > 500)
    own_broker.start()
    wait_until(lambda: tap.counts().waiting == 0 and tap.counts().delivered > 1000)
    stop.set()
    product.join()
    tap.stop()

    numbers = read_all(own_broker)

    assert tap.counts().dropped == 0
    assert tap.counts().waiting == 0
    assert set(numbers) == set(range(1, offered + 1))


def test_what_does_not_fit_the_spool_is_counted(own_broker: OwnBroker, tmp_path: Path) -> None:
    tap = new_tap(own_broker, tmp_path / "spool", max_bytes=200_000)
    tap.offer(prediction(1))
    wait_until(lambda: tap.counts().delivered == 1)
    own_broker.kill()

    for number in range(2, 402):
        tap.offer(prediction(number))
    wait_until(lambda: tap.counts().waiting + tap.counts().dropped == 400)
    own_broker.start()
    wait_until(lambda: tap.counts().waiting == 0)
    tap.stop()

    counts = tap.counts()
    assert counts.dropped > 100
    assert len(set(read_all(own_broker))) == 401 - counts.dropped


def test_what_a_stop_leaves_on_the_disk_is_replayed_in_order(own_broker: OwnBroker, tmp_path: Path) -> None:
    own_broker.kill()
    tap = new_tap(own_broker, tmp_path / "spool")
    for number in range(1, 301):
        tap.offer(prediction(number))
    wait_until(lambda: tap.counts().waiting == 300)
    tap.stop(deadline_s=0.1)
    own_broker.start()

    second = new_tap(own_broker, tmp_path / "spool")
    wait_until(lambda: second.counts().waiting == 0)
    second.stop()

    numbers = read_all(own_broker)
    assert list(dict.fromkeys(numbers)) == list(range(1, 301))


def test_a_prediction_whose_topic_is_missing_waits_for_it(own_broker: OwnBroker, tmp_path: Path) -> None:
    tap = new_tap(own_broker, tmp_path / "spool")
    missing = replace(prediction(1), topic="relearn.serving.not-yet.v1")
    tap.offer(missing)
    wait_until(lambda: tap.counts().waiting == 1)

    own_broker.create_topic(missing.topic)
    wait_until(lambda: tap.counts().waiting == 0)
    tap.offer(prediction(2))
    wait_until(lambda: tap.counts().delivered == 2)
    tap.stop()

    assert tap.counts().dropped == 0
    assert len(own_broker.records(missing.topic, 1)) == 1


def test_a_producer_that_failed_for_good_is_made_anew(own_broker: OwnBroker, tmp_path: Path) -> None:
    tap = new_tap(own_broker, tmp_path / "spool")
    tap.offer(prediction(1))
    wait_until(lambda: tap.counts().delivered == 1)

    tap._on_error(KafkaError(KafkaError._FATAL, "out of order sequence", fatal=True))  # as librdkafka tells it
    for number in range(2, 52):
        tap.offer(prediction(number))
    wait_until(lambda: tap.counts().delivered == 51)
    tap.stop()

    assert set(read_all(own_broker)) == set(range(1, 52))
