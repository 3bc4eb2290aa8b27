"""CloudEvents 1.0 on Kafka, binary mode: what is in the headers, and back.

Writing and reading are pure; the Kafka clients are elsewhere. Whoever produces without an outbox (the prediction tap)
uses `encode` too, so that there is one envelope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from relearn_contracts.topics import topic_of
from relearn_runtime.errors import InvalidInput

CONTENT_TYPE = "application/protobuf"
MAX_EVENT_BYTES = 900 * 1024
"""Largest event, key and headers counted; the broker's default limit is 1 MiB, and refuses what is over it for ever."""
MAX_NAME_BYTES = 512
"""Longest key, id or source: they are in the primary keys and indexes of the tables behind inbox and parked."""

M = TypeVar("M", bound=Message)
M_co = TypeVar("M_co", bound=Message, covariant=True)


class MalformedEvent(InvalidInput):
    """A record that is no event of ours: parked, never retried."""

    reason = "MALFORMED_EVENT"


class EventTooLarge(InvalidInput):
    """An event over the size limit; its data belongs in object storage."""

    reason = "EVENT_TOO_LARGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[M_co]):
    """One received event.

    Attributes:
        id: unique with `source`; the same for every delivery of the event.
        subject: the aggregate's id.
        key: Kafka key; order holds within it and nowhere else.
        time: when it happened, aware, UTC.
        causes: ids of the events it came from.
        traceparent: W3C context of the span that wrote it, if any.
    """

    id: str
    source: str
    type: str
    subject: str
    key: str
    time: datetime
    causes: tuple[str, ...]
    message: M_co
    topic: str
    partition: int
    offset: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One Kafka record as bytes, received or to be sent. `headers` is None when they could not be read."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] | None
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = 0


def encode(
    message: Message, *, id: str, time: datetime, causes: Sequence[str] = (), traceparent: str | None = None
) -> Record:
    """The record of an event on its topic (without prefix).

    Raises:
        EventTooLarge: it is over MAX_EVENT_BYTES.
        InvalidInput: the event's key is empty, or over MAX_NAME_BYTES.
        KeyError: no topic carries this message.
    """
    topic = topic_of(type(message))
    value = message.SerializeToString()
    event_type = message.DESCRIPTOR.full_name
    key = topic.key_of(message)
    if not key:
        raise InvalidInput(f"{event_type} has an empty key: {topic.key} must be set")
    if len(key.encode()) > MAX_NAME_BYTES:
        raise InvalidInput(f"{event_type} has a key of {len(key.encode())} bytes, at most {MAX_NAME_BYTES} are allowed")
    headers = {
        "content-type": CONTENT_TYPE,
        "ce_specversion": "1.0",
        "ce_id": id,
        "ce_source": source_of(topic.owner),
        "ce_type": event_type,
        "ce_subject": topic.subject_of(message),
        "ce_time": time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ce_partitionkey": key,
    }
    if causes:
        headers["ce_causes"] = ",".join(causes)
    if traceparent:
        headers["traceparent"] = traceparent
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    size = len(value) + sum(len(name) + len(text) for name, text in encoded)
    if size > MAX_EVENT_BYTES:
        raise EventTooLarge(f"{event_type} has {size} bytes with its headers, at most {MAX_EVENT_BYTES} are allowed")
    return Record(topic=topic.name, key=key.encode(), value=value, headers=encoded)


def source_of(service: str) -> str:
    """The CloudEvents source of a service's events."""
    return f"/relearn/{service}"


def texts(record: Record) -> Mapping[str, str]:
    """The headers as text; the last of a repeated name counts.

    Raises:
        MalformedEvent: headers that cannot be read or are no UTF-8.
    """
    if record.headers is None:
        raise MalformedEvent("headers can't be read: a name is no UTF-8")
    decoded: dict[str, str] = {}
    for name, value in record.headers:
        try:
            decoded[name] = (value or b"").decode()
        except UnicodeDecodeError as error:
            raise MalformedEvent(f"header {name} is no UTF-8", header=name) from error
        if "\0" in decoded[name]:
            raise MalformedEvent(f"header {name} holds a NUL", header=name)
    return decoded


def type_of(record: Record) -> str:
    """The event's type.

    Raises:
        MalformedEvent: headers unreadable, or without ce_type.
    """
    try:
        return texts(record)["ce_type"]
    except KeyError as error:
        raise MalformedEvent("header ce_type is missing", header="ce_type") from error


def decode(record: Record, message_type: type[M], *, topic: str) -> Event[M]:
    """The event of a received record; `topic` is its name without prefix.

    Raises:
        MalformedEvent: a required header is missing or wrong, or the value is no such message.
    """
    try:
        return _decoded(record, message_type, topic)
    except MalformedEvent:
        raise
    except Exception as error:  # whatever else a stranger's bytes can bring about must not stop a partition
        raise MalformedEvent(f"the record can't be read: {error!r}") from error


def _decoded(record: Record, message_type: type[M], topic: str) -> Event[M]:
    headers = texts(record)
    for name in ("ce_id", "ce_source", "ce_type", "ce_time"):
        if not headers.get(name):
            raise MalformedEvent(f"header {name} is missing", header=name)
    for name in ("ce_id", "ce_source"):
        if (size := len(headers[name].encode())) > MAX_NAME_BYTES:
            raise MalformedEvent(f"header {name} has {size} bytes, more than {MAX_NAME_BYTES}", header=name)
    if headers.get("ce_specversion", "1.0") != "1.0":
        raise MalformedEvent(f"ce_specversion is {headers['ce_specversion']!r}, not 1.0", header="ce_specversion")
    key = _key(record)
    if headers.get("ce_partitionkey", key) != key:  # order rests on it
        raise MalformedEvent(f"ce_partitionkey is not the key {key!r}", header="ce_partitionkey")
    if headers.get("content-type", CONTENT_TYPE) != CONTENT_TYPE:
        raise MalformedEvent(f"content-type is {headers['content-type']!r}, not {CONTENT_TYPE}", header="content-type")
    if record.value is None:
        raise MalformedEvent("the record has no value")
    try:
        message = message_type.FromString(record.value)
    except DecodeError as error:
        raise MalformedEvent(f"the value is no {headers['ce_type']}: {error}") from error
    return Event(
        id=headers["ce_id"],
        source=headers["ce_source"],
        type=headers["ce_type"],
        subject=headers.get("ce_subject", ""),
        key=key,
        time=_time(headers["ce_time"]),
        causes=tuple(cause for cause in headers.get("ce_causes", "").split(",") if cause),
        message=message,
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        traceparent=headers.get("traceparent"),
    )


def _key(record: Record) -> str:
    key = record.key or b""
    if len(key) > MAX_NAME_BYTES:
        raise MalformedEvent(f"the key has {len(key)} bytes, more than {MAX_NAME_BYTES}")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise MalformedEvent("the key is no UTF-8") from error


def _time(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None:
            raise MalformedEvent(f"ce_time {text!r} has no time zone", header="ce_time")
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedEvent(f"ce_time is {text!r}, not RFC 3339", header="ce_time") from error
