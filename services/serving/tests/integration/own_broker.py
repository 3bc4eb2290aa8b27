"""A broker of one test's own, which may be killed and started again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from relearn_contracts.topics import all_topics
from relearn_local import children, topics
from relearn_local.kafka import Kafka
from relearn_local.ports import PortClaims, accepts
from relearn_runtime.envelope import Record
from relearn_runtime.feed import record_of

_START_DEADLINE_S = 90.0
_READ_DEADLINE_S = 60.0


class OwnBroker:
    """Start it, kill it, start it again: same port, same data."""

    def __init__(self, folder: Path, ports: PortClaims) -> None:
        folder.mkdir()
        self._folder = folder
        self._server = Kafka(folder=folder, port=ports.claim_any(), controller_port=ports.claim_any())
        self._server.prepare()
        self._child: subprocess.Popen[bytes] | None = None
        self.topic_prefix = ""

    @property
    def bootstrap_servers(self) -> str:
        return self._server.bootstrap_servers

    def start(self) -> None:
        self._child = children.start(self._server.command(), log=self._folder / "log", folder=self._folder)
        deadline = time.monotonic() + _START_DEADLINE_S
        while not accepts(self._server.port):
            assert self._child.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the broker did not start in time"
            time.sleep(0.05)
        topics.apply(all_topics(), bootstrap_servers=self.bootstrap_servers)

    def create_topic(self, topic: str) -> None:
        """Makes a topic of one partition."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        admin.create_topics([NewTopic(topic, 1)])[topic].result(30)

    def records(self, topic: str, partitions: int) -> list[Record]:
        """All that a topic holds now, in the order of each partition."""
        settings = {"bootstrap.servers": self.bootstrap_servers, "group.id": "test", "enable.auto.commit": False}
        consumer = Consumer(settings)
        places = [TopicPartition(topic, number, 0) for number in range(partitions)]
        ends = _ends(consumer, places)
        left = sum(ends.values())  # nothing was ever removed, so offsets are numbers of records
        consumer.assign(places)
        records: list[Record] = []
        deadline = time.monotonic() + _READ_DEADLINE_S
        while left:
            assert time.monotonic() < deadline, f"{topic} could not be read to its end in time"
            message: Any = consumer.poll(0.2)
            if message is not None and message.error() is None and message.offset() < ends[message.partition()]:
                records.append(record_of(message))
                left -= 1
        consumer.close()
        return records

    def kill(self) -> None:
        if self._child is not None:
            children.kill_session(self._child.pid)
            self._child.wait()
            self._child = None


def _ends(consumer: Consumer, places: Sequence[TopicPartition]) -> dict[int, int]:
    """Where each partition ends now; a broker that has just started may not lead all of them yet."""
    deadline = time.monotonic() + _READ_DEADLINE_S
    while True:
        try:
            return {
                each.partition: consumer.get_watermark_offsets(each, timeout=_READ_DEADLINE_S)[1] for each in places
            }
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
