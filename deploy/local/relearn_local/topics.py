"""Brings a broker's topics to what `proto/topics/` says, and reports what it may not change by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from relearn_contracts.topics import Topic

FOREVER_MS = "-1"
CREATION_MS = 30_000


class BrokerAway(Exception):
    """No broker answered before the deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What `apply` found and did; each mismatch is a line for a person, who must settle it."""

    created: tuple[str, ...]
    mismatches: tuple[str, ...]


def apply(
    topics: Sequence[Topic], *, bootstrap_servers: str, prefix: str = "", replicas: int = 1, deadline_s: float = 60.0
) -> Applied:
    """Creates what is missing and compares what is there; never changes or deletes an existing topic.

    Returns when each new topic has a leader for every partition.

    Raises:
        BrokerAway: nobody answered within `deadline_s`.
    """
    admin = _connect(bootstrap_servers, deadline_s=deadline_s)
    try:
        there = set(admin.list_topics())
        missing = {prefix + topic.name: topic for topic in topics if prefix + topic.name not in there}
        if missing:
            wanted = {
                name: {"num_partitions": topic.partitions, "replication_factor": replicas, "configs": configs(topic)}
                for name, topic in missing.items()
            }
            admin.create_topics(wanted, timeout_ms=CREATION_MS)
            admin.wait_for_topics(list(wanted), timeout_ms=CREATION_MS)
        present = {prefix + topic.name: topic for topic in topics if prefix + topic.name in there}
        mismatches = tuple(_mismatches(admin, present)) if present else ()
    finally:
        admin.close()
    return Applied(created=tuple(missing), mismatches=mismatches)


def delete(prefix: str, *, bootstrap_servers: str, deadline_s: float = 60.0) -> None:
    """Deletes the topics under a prefix; the broker removes their files some time later.

    Raises:
        BrokerAway: nobody answered within `deadline_s`.
    """
    admin = _connect(bootstrap_servers, deadline_s=deadline_s)
    try:
        admin.delete_topics([name for name in admin.list_topics() if name.startswith(prefix)])
    finally:
        admin.close()


def configs(topic: Topic) -> dict[str, str]:
    """Kafka's topic settings for a topic file."""
    retention = FOREVER_MS if topic.retention is None else str(topic.retention // timedelta(milliseconds=1))
    wanted = {"cleanup.policy": topic.cleanup, "retention.ms": retention}
    if topic.cleanup == "compact" and topic.retention is not None:
        wanted["min.compaction.lag.ms"] = retention  # compaction heeds no retention: this keeps each record so long
    return wanted


def _mismatches(admin: KafkaAdminClient, wanted: Mapping[str, Topic]) -> Iterator[str]:
    partitions = {found["name"]: len(found["partitions"]) for found in admin.describe_topics(list(wanted))}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    described: Mapping[str, Mapping[str, Mapping[str, Any]]] = admin.describe_configs(
        resources, config_filter=ConfigFilterType.ALL
    )["topic"]
    for name, topic in wanted.items():
        if partitions[name] != topic.partitions:
            # changing the number would move keys to other partitions and lose their order
            yield f"{name}: {partitions[name]} partitions, its file says {topic.partitions}"
        for key, value in configs(topic).items():
            found = str(described[name][key]["value"])
            if _parts(found) != _parts(value):
                yield f"{name}: {key} is {found}, its file says {value}"


def _parts(value: str) -> frozenset[str]:
    return frozenset(value.split(","))


def _connect(bootstrap_servers: str, *, deadline_s: float) -> KafkaAdminClient:
    give_up = time.monotonic() + deadline_s
    while True:
        try:
            return KafkaAdminClient(bootstrap_servers=bootstrap_servers, client_id="relearn-topics")
        except KafkaError as error:
            if time.monotonic() > give_up:
                raise BrokerAway(f"no broker answers at {bootstrap_servers}: {error}") from error
            time.sleep(0.2)
