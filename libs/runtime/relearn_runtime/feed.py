"""Records of some topics from one Kafka consumer, which lives in a thread of its own and never stops polling.

Exact offsets: nothing is committed but what `done` was told. A partition whose handling is slow, or waits for a
dependency, is paused by its listener; polling goes on, so the group never takes the partition away for it.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from relearn_runtime import logs, metrics
from relearn_runtime.envelope import Record

Place: TypeAlias = tuple[str, int]
"""Topic (with prefix) and partition."""

_POLL_S = 0.2
_MOST_AT_ONCE = 500
log = logging.getLogger(__name__)
seldom = logs.Seldom()


class Listener(Protocol):
    """Who takes the records; every method runs in the event loop."""

    async def assigned(self, places: Sequence[Place]) -> dict[Place, int]:
        """Partitions that are ours now; offsets to start from where they are not the group's."""

    async def revoked(self, places: Sequence[Place]) -> None:
        """Partitions that are no longer ours once this returns."""

    def received(self, records: Sequence[Record]) -> None:
        """Records in order per partition."""

    def measured(self, unread: Mapping[Place, int]) -> None:
        """How many records of each partition are still to be fetched; told every few seconds."""

    async def rewound(self, place: Place) -> None:
        """The topic was made anew: offsets of ours from before it mean nothing."""


class Feed:
    """The consumer and its thread."""

    def __init__(self, *, name: str, topics: Sequence[str], settings: dict[str, Any], listener: Listener) -> None:
        self._name, self._topics, self._settings, self._listener = name, list(topics), settings, listener
        self._commands: queue.SimpleQueue[Callable[[Consumer], Any]] = queue.SimpleQueue()
        self._fetched: list[Record] = []
        self._paused: set[Place] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-{name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None

    def start(self) -> asyncio.Future[None]:
        """Starts the thread; Kafka need not be there yet. Returns its end."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._thread.start()
        return self._ended

    async def stop(self) -> None:
        """Commits what is done, leaves the group, ends the thread."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, 20.0)

    def done(self, place: Place, next_offset: int) -> None:
        """Everything before `next_offset` is handled for good."""
        self._commands.put(lambda consumer: consumer.store_offsets(offsets=[TopicPartition(*place, next_offset)]))

    def pause(self, place: Place) -> None:
        """Fetches nothing more from a partition until `resume`."""
        self._commands.put(lambda consumer: self._pause(consumer, place))

    def resume(self, place: Place) -> None:
        """Fetches from a paused partition again."""
        self._commands.put(lambda consumer: self._resume(consumer, place))

    def _pause(self, consumer: Consumer, place: Place) -> None:
        consumer.pause([TopicPartition(*place)])
        self._paused.add(place)

    def _resume(self, consumer: Consumer, place: Place) -> None:
        self._paused.discard(place)
        consumer.resume([TopicPartition(*place)])

    def _resume_all(self, consumer: Consumer, places: set[Place]) -> None:
        for place in self._paused & places:
            self._resume(consumer, place)

    def _run(self) -> None:
        try:
            self._consume()
        finally:
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop may have ended first
                    self._loop.call_soon_threadsafe(self._say_ended)

    def _say_ended(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _consume(self) -> None:
        while not self._stopping.is_set():
            consumer = None
            try:
                self._paused.clear()
                consumer = Consumer(self._settings | {"error_cb": self._on_error})
                consumer.subscribe(
                    self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
                )
                self._poll(consumer)
            except Exception:
                log.exception("kafka consumer failed, making a new one", extra={"consumer": self._name})
                self._stopping.wait(1.0)
            finally:
                if consumer is not None:
                    self._close(consumer)

    def _poll(self, consumer: Consumer) -> None:
        polls = 0
        while not self._stopping.is_set():
            records = self._fetch(consumer)
            if records and self._loop is not None:
                self._loop.call_soon_threadsafe(self._listener.received, records)
            self._obey(consumer)
            polls += 1
            if polls % 20 == 1:
                self._measure(consumer)

    def _fetch(self, consumer: Consumer) -> list[Record]:
        self._fetched = []
        message = consumer.poll(_POLL_S)
        while message is not None:
            if error := message.error():
                self._on_error(error)
                if error.fatal():
                    raise KafkaException(error)
            else:
                self._fetched.append(record_of(message))
            message = consumer.poll(0) if len(self._fetched) < _MOST_AT_ONCE else None
        return self._fetched

    def _obey(self, consumer: Consumer) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                command(consumer)
            except KafkaException as error:
                # the partition was taken away meanwhile: its next owner repeats, and the inbox absorbs it
                log.debug("command for a lost partition", extra={"consumer": self._name, "error": str(error)})

    def _close(self, consumer: Consumer) -> None:
        try:
            self._obey(consumer)
            consumer.close()
        except Exception:
            log.warning("kafka consumer did not close cleanly", extra={"consumer": self._name}, exc_info=True)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = [_place(partition) for partition in partitions]
        starts: dict[Place, int] = self._in_loop(self._listener.assigned(places)) or {}
        for partition in partitions:
            if (start := starts.get(_place(partition))) is not None:
                partition.offset = self._not_beyond_end(consumer, partition, start)
        consumer.incremental_assign(partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = {_place(partition) for partition in partitions}
        # should the partition come back within the same fetch, what was fetched before must not go ahead of it
        self._fetched[:] = [record for record in self._fetched if (record.topic, record.partition) not in places]
        self._in_loop(self._listener.revoked(list(places)))
        # the client remembers a pause while a partition is away, and whoever gets it back knows of none
        self._commands.put(lambda consumer: self._resume_all(consumer, places))
        self._obey(consumer)  # what was done just now is stored before the library commits and gives the partitions up

    def _not_beyond_end(self, consumer: Consumer, partition: TopicPartition, start: int) -> int:
        """A topic that was made anew holds less than we have read: begin at its start rather than wait for ever."""
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(partition.topic, partition.partition), timeout=10)
        except KafkaException:
            return start
        if start <= high:
            return max(start, low)
        place = {"topic": partition.topic, "partition": partition.partition, "stored": start, "end": high}
        log.error("stored offset is beyond the end of its topic, starting over", extra=place)
        self._in_loop(self._listener.rewound(_place(partition)))
        return low

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None or self._loop.is_closed():
            work.close()
            return None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _on_error(self, error: KafkaError) -> None:
        metrics.CONSUMER_ERRORS.labels(self._name, error.name()).inc()
        if seldom.allows(key := f"{self._name} {error.name()}"):
            fields = {"consumer": self._name, "error": error.name(), "detail": error.str()}
            log.warning("kafka consumer waits or retries", extra=fields | {"held_back": seldom.held(key)})

    def _measure(self, consumer: Consumer) -> None:
        unread: dict[Place, int] = {}
        for partition in consumer.position(consumer.assignment()):
            _, high = consumer.get_watermark_offsets(partition, cached=True)
            known = partition.offset >= 0 and high >= 0
            unread[_place(partition)] = max(0, high - partition.offset) if known else 0
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._listener.measured, unread)


def _place(partition: TopicPartition) -> Place:
    return partition.topic, partition.partition


def record_of(message: Message) -> Record:
    """A received message as a value; headers that the client cannot decode are None."""
    try:
        headers: tuple[tuple[str, bytes], ...] | None = tuple(
            (name, _bytes(value) or b"") for name, value in _pairs(message.headers())
        )
    except UnicodeDecodeError:
        headers = None
    return Record(
        topic=message.topic() or "",
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=headers,
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp_ms=message.timestamp()[1],
    )


def _pairs(headers: Any) -> list[tuple[str, str | bytes | None]]:
    return list(headers.items() if isinstance(headers, dict) else headers or ())


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
