"""Events as they happen, read from Kafka by a client in pure Python: our wire format, without our runtime."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from threading import Event as Stop
from typing import Any

from google.protobuf import symbol_database
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from relearn_client.advice import next_step
from relearn_client.endpoints import Endpoints
from relearn_client.errors import InvalidInput, Unavailable
from relearn_contracts.topics import Topic, all_topics

PREDICTIONS = "relearn.serving.prediction.v1"
_POLL_MS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        type: short name, `AlertOpened`; `full_type` is the message's full name.
        message: the message as JSON values, by the names of the contract; whole numbers of 64 bits are text, as in
            protobuf's JSON. Empty where this client does not know the type or can't read the value.
        causes: ids of the events it came from.
    """

    id: str
    type: str
    full_type: str
    source: str
    subject: str
    time: datetime
    causes: tuple[str, ...]
    project_id: str
    message: dict[str, Any]
    topic: str
    partition: int
    offset: int


def follow(
    endpoints: Endpoints,
    *,
    project_id: str,
    types: Collection[str],
    from_beginning: bool,
    predictions: bool,
    stop: Stop | None,
    topic_prefix: str = "",
) -> Iterator[Event]:
    """Events of the topics that are needed for `types`, in order per topic and key, until `stop` is set.

    Raises:
        InvalidInput: a type that no topic carries.
        Unavailable: no broker answers.
    """
    topics = _topics(types, predictions=predictions)
    consumer = _consumer(endpoints)
    try:
        _start(consumer, topics, topic_prefix, from_beginning=from_beginning)
        while stop is None or not stop.is_set():
            for records in consumer.poll(timeout_ms=_POLL_MS).values():
                for record in records:
                    event = read(record, topic_prefix=topic_prefix)
                    if types and event.type not in types and event.full_type not in types:
                        continue
                    if project_id and event.project_id != project_id:
                        continue
                    yield event
    finally:
        consumer.close()


def read(record: Any, *, topic_prefix: str = "") -> Event:
    """The event of a Kafka record (CloudEvents binary mode); what can't be read is left empty, never raised."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    full_type = headers.get("ce_type", "")
    message = _message(full_type, record.value)
    return Event(
        id=headers.get("ce_id", ""),
        type=full_type.rpartition(".")[2],
        full_type=full_type,
        source=headers.get("ce_source", ""),
        subject=headers.get("ce_subject", ""),
        time=_time(headers.get("ce_time", ""), record.timestamp),
        causes=tuple(cause for cause in headers.get("ce_causes", "").split(",") if cause),
        project_id=_project_id(message) if message is not None else "",
        message={} if message is None else MessageToDict(message, preserving_proto_field_name=True),
        topic=record.topic.removeprefix(topic_prefix),
        partition=record.partition,
        offset=record.offset,
    )


def _topics(types: Collection[str], *, predictions: bool) -> list[Topic]:
    by_type = {
        name: topic for topic in all_topics() for full in topic.events for name in (full, full.rpartition(".")[2])
    }
    if unknown := sorted(set(types) - set(by_type)):
        known = ", ".join(sorted(name for name in by_type if "." not in name))
        raise InvalidInput(f"no event is called {', '.join(unknown)}", next_step=f"there are {known}")
    if types:
        return list({by_type[name].name: by_type[name] for name in types}.values())
    return [topic for topic in all_topics() if predictions or topic.name != PREDICTIONS]


def _consumer(endpoints: Endpoints) -> Any:
    servers = endpoints.of("kafka")
    try:
        return KafkaConsumer(
            bootstrap_servers=servers.split(","),
            client_id="relearn-client",
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            bootstrap_timeout_ms=10_000,
        )
    except KafkaError as error:
        step = next_step(code="UNAVAILABLE", reason="", metadata={})
        raise Unavailable(f"Kafka does not answer at {servers}", next_step=step) from error


def _start(consumer: Any, topics: Sequence[Topic], prefix: str, *, from_beginning: bool) -> None:
    """Takes every partition of the topics; those that no service has made yet are waited for a moment."""
    partitions = [
        TopicPartition(prefix + topic.name, number)
        for topic in topics
        for number in sorted(_partitions(consumer, prefix + topic.name))
    ]
    consumer.assign(partitions)
    if from_beginning:
        consumer.seek_to_beginning(*partitions)
    else:
        consumer.seek_to_end(*partitions)
        for partition in partitions:
            consumer.position(partition)  # resolves the end now, not at the first poll


def _partitions(consumer: Any, topic: str) -> set[int]:
    give_up = time.monotonic() + 5
    while not (found := consumer.partitions_for_topic(topic)):
        if time.monotonic() > give_up:
            raise Unavailable(f"topic {topic} does not exist", next_step="`relearn topics apply` creates the topics")
        time.sleep(0.2)
    return set(found)


def _message(full_type: str, value: bytes | None) -> Message | None:
    if full_type not in _known_types():  # a name from outside is never imported
        return None
    try:
        import_module(f"{full_type.rpartition('.')[0]}.events_pb2")
        return symbol_database.Default().GetSymbol(full_type).FromString(value or b"")
    except DecodeError:
        return None


@cache
def _known_types() -> frozenset[str]:
    return frozenset(event for topic in all_topics() for event in topic.events)


def _project_id(message: Message) -> str:
    """The project an event is about: its own field, or that of the thing it tells of."""
    for field, value in message.ListFields():
        if field.name == "project_id":
            return str(value)
    for field, value in message.ListFields():
        if field.message_type is not None and not field.is_repeated and (found := _project_id(value)):
            return found
    return ""


def _time(text: str, timestamp_ms: int) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(max(timestamp_ms, 0) / 1000, UTC)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
