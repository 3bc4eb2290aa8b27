"""Reads the compacted route topic from its beginning, without a group: every gateway sees every route.

Until its end is reached nothing is told: on the way there lie routes that were undone long ago.
"""

import logging
import threading
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_contracts.topics import topic_of
from relearn_runtime.envelope import decode, type_of
from relearn_runtime.errors import RelearnError
from relearn_runtime.feed import record_of
from relearn_serving.gateway import wire
from relearn_serving.gateway.routing import Route

log = logging.getLogger(__name__)

_POLL_S = 0.5
_RETRY_S = 1.0


class RouteTopic:
    """One thread; a broker that is away only means that routes come by the other ways."""

    def __init__(self, bootstrap_servers: str, *, topic_prefix: str, want: Callable[[Route], None]) -> None:
        self._topic = topic_of(RouteChanged).name
        self._prefixed = topic_prefix + self._topic
        self._want = want
        self._stopping = threading.Event()
        self._behind: set[int] = set()  # partitions whose end was not reached yet
        self._newest: dict[str, Route] = {}  # by project, until then
        self._read_to_its_end = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "relearn-gateway-routes",  # required by the library; no offset is ever committed
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 2,
            }
        )
        self._thread = threading.Thread(target=self._serve, name="routes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait_for_end(self, timeout_s: float) -> bool:
        """Blocks until what the topic held at the start was told; False when that takes longer."""
        return self._read_to_its_end.wait(timeout_s)

    def _serve(self) -> None:
        try:
            while not self._stopping.is_set() and not self._assign():
                self._stopping.wait(_RETRY_S)
            while not self._stopping.is_set():
                message = self._consumer.poll(_POLL_S)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    self._read(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._ended(message.partition() or 0)
        finally:
            self._consumer.close()

    def _assign(self) -> bool:
        try:
            metadata = self._consumer.list_topics(self._prefixed, timeout=2.0)
        except KafkaException:
            return False
        partitions = metadata.topics[self._prefixed].partitions
        self._behind = set(partitions)
        self._consumer.assign([TopicPartition(self._prefixed, number, OFFSET_BEGINNING) for number in partitions])
        return bool(partitions)

    def _read(self, message: Message) -> None:
        record = record_of(message)
        try:
            if type_of(record) != RouteChanged.DESCRIPTOR.full_name:
                return
            route = wire.route(decode(record, RouteChanged, topic=self._topic).message.route)
        except RelearnError as error:
            log.error("an event of the route topic cannot be read", extra={"problem": str(error)})
            return
        if not self._behind:
            self._want(route)
        elif (known := self._newest.get(route.project_id)) is None or known.revision < route.revision:
            self._newest[route.project_id] = route

    def _ended(self, partition: int) -> None:
        """Told by the consumer whenever it reaches the end of a partition; the first time of each counts."""
        self._behind.discard(partition)
        if not self._behind and not self._read_to_its_end.is_set():
            for route in self._newest.values():
                self._want(route)
            self._newest.clear()
            self._read_to_its_end.set()
