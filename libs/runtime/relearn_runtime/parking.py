"""The parked table: events that wait for another topic, and events that wait for a person.

A row in it answers for its event: the inbox is claimed in the same transaction, so a redelivery ends there. The oldest
waiting row of a (consumer, topic, key) is its *head*; only heads are tried, later events of the key queue up behind.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime.envelope import MalformedEvent, Record, texts
from relearn_runtime.errors import reason_of
from relearn_runtime.schema import parked

WAITING, PARKED = "waiting", "parked"
BEHIND = "BEHIND_ANOTHER_EVENT"
_MOST_CAUSE_CHARACTERS = 2000
_LIGHT = tuple(column for column in parked.c if column.name != "value")
_HEADS = sa.text(
    """select sequence from (
           select distinct on (consumer, topic, key) sequence, next_at, deadline_at from parked
           where state = 'waiting' and consumer = any(cast(:consumers as text[]))
           order by consumer, topic, key, sequence) as head
       where not :due or next_at <= now() or deadline_at <= now()
       order by next_at limit :limit"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """One row: the event as it came, why it is here, and until when it is tried.

    Attributes:
        record: as received; its topic is the name without prefix, and its value None where only a list is wanted.
        deadline_at: when a waiting event is given up; None once parked.
    """

    sequence: int
    parked_event_id: str
    consumer: str
    record: Record
    event_type: str
    event_id: str
    state: str
    reason: str
    cause: str
    attempts: int
    parked_at: datetime
    deadline_at: datetime | None


class ParkedEvents:
    """The table, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_waiting(
        self, consumer: str, record: Record, error: BaseException | None, *, deadline_s: float, attempts: int = 1
    ) -> None:
        """Lets an event wait; without an error it waits behind an earlier one of its key."""
        reason, cause = (reason_of(error), str(error)) if error else (BEHIND, "waits for an earlier event of its key")
        deadline = sa.func.now() + timedelta(seconds=deadline_s)
        values: dict[str, Any] = {"reason": reason, "cause": cause, "attempts": attempts, "deadline_at": deadline}
        await self._add(consumer, record, state=WAITING, **values)

    async def add_parked(self, consumer: str, record: Record, error: BaseException, *, attempts: int) -> None:
        """Gives an event up until a person decides."""
        cause = {"reason": reason_of(error), "cause": str(error) or repr(error)}
        await self._add(consumer, record, state=PARKED, attempts=attempts, deadline_at=None, **cause)

    async def keys_waiting(self, consumer: str, topic: str, keys: Collection[bytes]) -> set[bytes]:
        """Those of the keys that have waiting events."""
        table = parked.c
        query = sa.select(table.key).distinct().where(table.consumer == consumer, table.topic == topic)
        rows = await self._connection.execute(query.where(table.state == WAITING, table.key.in_(list(keys))))
        return {bytes(key) for (key,) in rows}

    async def heads(self, consumers: Collection[str], *, due: bool, limit: int = 100) -> Sequence[int]:
        """Sequence numbers of the oldest waiting event of each key; only those due, unless `due` is False."""
        values = {"consumers": list(consumers), "due": due, "limit": limit}
        return [sequence for (sequence,) in await self._connection.execute(_HEADS, values)]

    async def lock(self, sequence: int) -> ParkedEvent | None:
        """A waiting row under lock; None when it is gone, parked, or in other hands."""
        query = sa.select(parked).where(parked.c.sequence == sequence, parked.c.state == WAITING)
        row = (await self._connection.execute(query.with_for_update(skip_locked=True))).one_or_none()
        return None if row is None else _of(row)

    async def lock_following(self, head: ParkedEvent, *, most: int) -> Sequence[ParkedEvent]:
        """The rows that wait behind a locked head, in order, under lock."""
        query = sa.select(parked).where(*_waiting_of_key(head), parked.c.sequence > head.sequence)
        rows = await self._connection.execute(query.order_by(parked.c.sequence).limit(most).with_for_update())
        return [_of(row) for row in rows]

    async def peek(self, sequence: int) -> ParkedEvent | None:
        """A waiting row without a lock, and without its value."""
        query = sa.select(*_LIGHT).where(parked.c.sequence == sequence, parked.c.state == WAITING)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _of(row)

    async def earlier_waiting(self, row: ParkedEvent) -> bool:
        """Whether an earlier event of the row's key waits too."""
        query = _same_key(row).where(parked.c.sequence < row.sequence).limit(1)
        return (await self._connection.execute(query)).first() is not None

    async def next_waiting(self, row: ParkedEvent) -> int | None:
        """Sequence number of the oldest waiting event of the row's key."""
        query = _same_key(row).order_by(parked.c.sequence).limit(1)
        found = [int(sequence) for (sequence,) in await self._connection.execute(query)]
        return found[0] if found else None

    async def get(self, parked_event_id: str, *, lock: bool = False) -> ParkedEvent | None:
        """A row by its id."""
        query = sa.select(parked).where(parked.c.parked_event_id == parked_event_id)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return None if row is None else _of(row)

    async def page(self, *, after: int, size: int) -> Sequence[ParkedEvent]:
        """Rows after a sequence number, oldest first, without their values."""
        query = sa.select(*_LIGHT).where(parked.c.sequence > after).order_by(parked.c.sequence).limit(size)
        return [_of(row) for row in await self._connection.execute(query)]

    async def extend_deadlines(self, *, least_s: float) -> None:
        """Gives every waiting event this long from now: what it waits for could not come while nobody was there."""
        table = parked.c
        least = sa.func.now() + timedelta(seconds=least_s)
        late = sa.update(parked).where(table.state == WAITING, table.deadline_at < least)
        await self._connection.execute(late.values(deadline_at=least))

    async def failed(
        self, sequence: int, error: BaseException, *, was: str, state: str, again_in_s: float = 0.0
    ) -> None:
        """Notes one more failed attempt on a row that is still as it was."""
        again = sa.func.now() + timedelta(seconds=again_in_s)
        values: dict[str, Any] = {"state": state, "reason": reason_of(error), "attempts": parked.c.attempts + 1}
        values |= {"cause": _short(str(error) or repr(error)), "next_at": again}
        if state == PARKED:
            values["deadline_at"] = None
        row = sa.update(parked).where(parked.c.sequence == sequence, parked.c.state == was)
        await self._connection.execute(row.values(values))

    async def remove(self, *sequences: int) -> None:
        """Deletes rows: their events were handled, or dropped by a person."""
        await self._connection.execute(sa.delete(parked).where(parked.c.sequence.in_(sequences)))

    async def counts(self) -> dict[str, int]:
        """Rows by state."""
        rows = await self._connection.execute(sa.select(parked.c.state, sa.func.count()).group_by(parked.c.state))
        return {WAITING: 0, PARKED: 0} | {row[0]: row[1] for row in rows}

    async def _add(self, consumer: str, record: Record, *, cause: str, attempts: int = 1, **values: Any) -> None:
        headers = _headers_or_nothing(record)
        row = {
            "parked_event_id": str(uuid4()),
            "consumer": consumer,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key or b"",
            "value": record.value,
            "headers": [[name, b64encode(value or b"").decode()] for name, value in record.headers or ()],
            "event_type": headers.get("ce_type", ""),
            "event_id": headers.get("ce_id", ""),
            "cause": _short(cause),
            "attempts": attempts,
        }
        await self._connection.execute(sa.insert(parked).values(row | values))


def _same_key(row: ParkedEvent) -> sa.Select[Any]:
    return sa.select(parked.c.sequence).where(*_waiting_of_key(row))


def _waiting_of_key(row: ParkedEvent) -> tuple[sa.ColumnElement[bool], ...]:
    table = parked.c
    same = (table.consumer == row.consumer, table.topic == row.record.topic, table.key == row.record.key)
    return (table.state == WAITING, *same)


def _headers_or_nothing(record: Record) -> Mapping[str, str]:
    try:
        return texts(record)
    except MalformedEvent:
        return {}


def _short(cause: str) -> str:
    return cause.replace("\0", "")[:_MOST_CAUSE_CHARACTERS]  # PostgreSQL's text holds no NUL


def _of(row: sa.Row[Any]) -> ParkedEvent:
    headers = tuple((str(name), b64decode(value)) for name, value in row.headers)
    record = Record(
        topic=row.topic,
        key=row.key,
        value=getattr(row, "value", None),
        headers=headers,
        partition=row.partition,
        offset=row.offset,
    )
    return ParkedEvent(
        sequence=row.sequence,
        parked_event_id=row.parked_event_id,
        consumer=row.consumer,
        record=record,
        event_type=row.event_type,
        event_id=row.event_id,
        state=row.state,
        reason=row.reason,
        cause=row.cause,
        attempts=row.attempts,
        parked_at=row.parked_at,
        deadline_at=row.deadline_at,
    )
