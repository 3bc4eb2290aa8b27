"""The inbox: which events this service has taken responsibility for, claimed in the transaction that handles them."""

from __future__ import annotations

import hashlib
from enum import Enum, auto
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime.envelope import Event, Record

SLICE = 10_000
_FORGET = sa.text(
    """delete from inbox where ctid in (
           select ctid from inbox where claimed_at < now() - make_interval(days => :days) limit :slice)"""
)
_CLAIM = sa.text(
    """with claimed as (
           insert into inbox (consumer, source, event_id) values (:consumer, :source, :event_id)
           on conflict do nothing returning 1)
       select exists (select 1 from claimed) as fresh,
              exists (select 1 from parked where state = 'waiting'
                      and consumer = :consumer and topic = :topic and key = :key) as behind"""
)


class Claim(Enum):
    """What a claim found."""

    FRESH = auto()
    REPEATED = auto()
    """Handled (or parked) before: nothing is left to do."""
    BEHIND = auto()
    """Claimed now, but an earlier event of its key still waits: this one must queue up."""


async def claim(connection: AsyncConnection, consumer: str, event: Event[Any], key: bytes) -> Claim:
    """Claims an event for a consumer; a second transaction with the same event waits for the first to end."""
    values = {"consumer": consumer, "source": event.source, "event_id": event.id, "topic": event.topic, "key": key}
    row = (await connection.execute(_CLAIM, values)).one()
    if not row.fresh:
        return Claim.REPEATED
    return Claim.BEHIND if row.behind else Claim.FRESH


async def claim_malformed(connection: AsyncConnection, consumer: str, record: Record) -> bool:
    """Claims a record that has no readable id, by its place and its bytes; False when it was claimed before."""
    digest = hashlib.sha256(repr((record.key, record.value, record.headers)).encode()).hexdigest()
    values = {
        "consumer": consumer,
        "source": f"kafka:{record.topic}/{record.partition}",
        "event_id": f"{record.offset}:{digest}",
        "topic": record.topic,
        "key": record.key or b"",
    }
    return bool((await connection.execute(_CLAIM, values)).one().fresh)


async def forget_older(connection: AsyncConnection, *, days: int) -> int:
    """Deletes up to a SLICE of claims older than any event that Kafka could still deliver; how many."""
    return (await connection.execute(_FORGET, {"days": days, "slice": SLICE})).rowcount
