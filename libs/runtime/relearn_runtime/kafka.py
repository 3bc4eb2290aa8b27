"""Settings of our Kafka clients; anything that produces or consumes without this runtime's frame uses them too."""

from __future__ import annotations

import logging
from typing import Any

_silent = logging.getLogger("relearn_runtime.librdkafka")
_silent.setLevel(logging.CRITICAL)  # each error also reaches a callback, where it is logged once in a while


def producer_settings(bootstrap_servers: str, *, client_id: str) -> dict[str, Any]:
    """An idempotent producer that keeps order and never gives a message up by itself.

    The partitioner is that of Java clients, so that every producer puts a key into the same partition.
    """
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": client_id,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 0,
        "message.timeout.ms": 0,
        "message.max.bytes": 1_048_576,
        **_reconnecting(),
    }


def consumer_settings(bootstrap_servers: str, *, group: str, client_id: str) -> dict[str, Any]:
    """A member of a group of the new protocol (KIP-848) that commits only offsets it was told to store."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group,
        "client.id": client_id,
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
        "enable.auto.offset.store": False,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 16_384,
        **_reconnecting(),
    }


def _reconnecting() -> dict[str, Any]:
    return {
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "allow.auto.create.topics": False,
        "logger": _silent,
    }
