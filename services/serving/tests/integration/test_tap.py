"""Every prediction reaches Kafka, or is counted: while the broker is killed, and while the gateway is."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from own_broker import OwnBroker

from relearn.serving.v1.events_pb2 import PredictionMade
from relearn_contracts.topics import topic_of
from relearn_runtime import utc_now
from relearn_runtime.envelope import Record, encode
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


def read_all(broker: OwnBroker, wanted: int, deadline_s: float = 20.0) -> list[int]:
    """Sequence numbers in the topic, in order."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "test", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(TOPIC.name, number, 0) for number in range(TOPIC.partitions)])
    numbers: list[int] = []
    give_up = time.monotonic() + deadline_s
    while len(set(numbers)) < wanted and time.monotonic() < give_up:
        message: Any = consumer.poll(0.2)
        if message is not None and message.error() is None:
            numbers.append(PredictionMade.FromString(message.value()).sequence)
    consumer.close()
    return numbers


def wait_until(condition: Any, deadline_s: float = 30.0) -> None:
    give_up = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < give_up, "not in time"
        time.sleep(0.05)


def test_nothing_is_missing_after_the_broker_was_killed_and_came_back(own_broker: OwnBroker, tmp_path: Path) -> None:
    tap = new_tap(own_broker, tmp_path / "spool")
    slowest_s = 0.0
    stop = threading.Event()
    offered = 0

    def traffic() -> None:
        nonlocal offered, slowest_s
        while not stop.wait(0.002):
            start = time.perf_counter()
            tap.offer(prediction(offered + 1))
            slowest_s = max(slowest_s, time.perf_counter() - start)
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

    numbers = read_all(own_broker, offered)

    assert tap.counts().dropped == 0
    assert tap.counts().waiting == 0
    assert set(numbers) == set(range(1, offered + 1))
    assert slowest_s < 0.25, "an answer never waits for the broker or the disk"


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
    assert len(set(read_all(own_broker, 401 - counts.dropped))) == 401 - counts.dropped


def test_the_spool_survives_its_process_and_is_replayed_in_order(own_broker: OwnBroker, tmp_path: Path) -> None:
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

    numbers = read_all(own_broker, 300)
    assert list(dict.fromkeys(numbers)) == list(range(1, 301))
