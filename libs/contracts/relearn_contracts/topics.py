"""The topics of Relearn, as `proto/topics/*.yaml` says them: who writes, who listens, and how they are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from google.protobuf.message import Message

_RETENTION = re.compile(r"^(\d+)([dh])$")
_CLEANUP = {"delete", "compact", "compact,delete"}


class TopicFileError(ValueError):
    """A topic file that says something impossible; the message names file and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic: one aggregate's events, in order per key.

    Attributes:
        name: without the prefix that tests put before it.
        owner: the one service that writes it.
        key: dotted name of the field whose value is the Kafka key, present in every event of the topic.
        subjects: full event name -> dotted name of the field with the aggregate's id (CloudEvents `subject`).
        consumers: full event name -> services that handle it.
        retention: None keeps for ever.
        cleanup: Kafka's `cleanup.policy`.
    """

    name: str
    owner: str
    key: str
    subjects: Mapping[str, str]
    consumers: Mapping[str, tuple[str, ...]]
    partitions: int
    retention: timedelta | None
    cleanup: str

    @property
    def events(self) -> tuple[str, ...]:
        """Full names of the messages on this topic, in the file's order."""
        return tuple(self.consumers)

    def key_of(self, message: Message) -> str:
        """The Kafka key of an event; empty when its field is."""
        return str(_value(message, self.key))

    def subject_of(self, message: Message) -> str:
        """The id of the aggregate that an event is about."""
        return str(_value(message, self.subjects[message.DESCRIPTOR.full_name]))


def topic_of(message_type: type[Message] | str) -> Topic:
    """The topic that carries an event type (its class or full name).

    Raises:
        KeyError: no topic file names this message.
    """
    full_name = _full_name(message_type)
    try:
        return _by_event()[full_name]
    except KeyError:
        raise KeyError(f"no file in proto/topics names the event {full_name}") from None


def all_topics() -> tuple[Topic, ...]:
    """Every topic, by name."""
    return _all()


def parse_topic(text: str, *, source: str) -> Topic:
    """A topic from the text of its file.

    Raises:
        TopicFileError: a missing or unknown key, or an impossible value.
    """
    content = yaml.safe_load(text)
    wanted = {"topic", "owner", "package", "key", "partitions", "retention", "cleanup", "events"}
    if not isinstance(content, dict) or set(content) != wanted:
        got = sorted(set(content) ^ wanted) if isinstance(content, dict) else content
        raise TopicFileError(f"{source}: keys must be {', '.join(sorted(wanted))}; missing or unknown: {got}")
    return _topic(content, source)


def _topic(content: Mapping[str, Any], source: str) -> Topic:
    package, cleanup = content["package"], "".join(str(content["cleanup"]).split())
    if cleanup not in _CLEANUP:
        raise TopicFileError(f"{source}: cleanup must be one of {sorted(_CLEANUP)}, not {cleanup!r}")
    partitions = content["partitions"]
    if type(partitions) is not int or partitions < 1:
        raise TopicFileError(f"{source}: partitions must be a whole number of at least 1, not {partitions!r}")
    events: Mapping[str, Any] = content["events"]
    if not isinstance(events, dict) or not all(isinstance(event, dict) for event in events.values()):
        raise TopicFileError(f"{source}: events must name each event with its subject and consumers, not {events!r}")
    if wrong := [name for name, event in events.items() if set(event) != {"subject", "consumers"}]:
        raise TopicFileError(f"{source}: each event has exactly subject and consumers; not so: {wrong}")
    return Topic(
        name=content["topic"],
        owner=content["owner"],
        key=content["key"],
        subjects={f"{package}.{name}": event["subject"] for name, event in events.items()},
        consumers={f"{package}.{name}": tuple(event["consumers"]) for name, event in events.items()},
        partitions=partitions,
        retention=_retention(content["retention"], source),
        cleanup=cleanup,
    )


def _retention(value: object, source: str) -> timedelta | None:
    if value in ("forever", None):
        return None
    if (match := _RETENTION.match(str(value))) is None:
        raise TopicFileError(f"{source}: retention must be like 365d, 12h or forever, not {value!r}")
    return timedelta(days=int(match[1])) if match[2] == "d" else timedelta(hours=int(match[1]))


@cache
def _all() -> tuple[Topic, ...]:
    folder = files("relearn_contracts") / "_generated" / "topics"
    entries: Sequence[Any] = sorted(folder.iterdir(), key=lambda entry: entry.name)
    yamls = [entry for entry in entries if entry.name.endswith(".yaml")]
    topics = [parse_topic(entry.read_text(encoding="utf-8"), source=entry.name) for entry in yamls]
    return tuple(sorted(topics, key=lambda topic: topic.name))


@cache
def _by_event() -> Mapping[str, Topic]:
    return {event: topic for topic in _all() for event in topic.events}


def _full_name(message_type: type[Message] | str) -> str:
    return message_type if isinstance(message_type, str) else str(message_type.DESCRIPTOR.full_name)


def _value(message: Message, dotted: str) -> object:
    value: object = message
    for name in dotted.split("."):
        value = getattr(value, name)
    return value
