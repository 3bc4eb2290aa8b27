"""The outbox: events are rows of the transaction that made them true; the relay carries them to Kafka later.

Order per key is the order of the rows' ids. Two transactions on the same aggregate therefore take the aggregate's row
lock (`for update`, an upsert) *before* they add: that is the service's duty.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime import schema, telemetry
from relearn_runtime.driver import driver
from relearn_runtime.envelope import Event, encode
from relearn_runtime.seams import new_id, utc_now

_INSERT = "insert into outbox (topic, key, value, headers) values ($1, $2, $3, $4)"
_COLUMNS = ("topic", "key", "value", "headers")
_TURN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An event to be published, with its id and the ids of the events it came from."""

    message: Message
    id: str
    causes: Sequence[str] = ()


class Outbox:
    """Adds events to one transaction.

    Attributes:
        written: whether the relay has something to do once this transaction is committed.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.written = False

    async def add(
        self,
        *messages: Message,
        cause: Event[Any] | None = None,
        causes: Sequence[str] = (),
        ids: Sequence[str] | None = None,
    ) -> None:
        """Adds events, in order, to be published after the commit.

        Args:
            messages: event messages; topic, key and subject follow from `proto/topics/`.
            cause: the event being handled; its id goes first into `ce_causes`.
            causes: more event ids they came from.
            ids: event ids, one a message, where a repetition must be recognised; random UUIDs otherwise.

        Raises:
            InvalidInput: an event is over the size limit, or its key is empty.
        """
        if not messages:
            return
        if ids is not None and len(ids) != len(messages):
            raise ValueError(f"{len(ids)} ids for {len(messages)} events")
        event_ids = ids if ids is not None else [new_id() for _ in messages]
        all_causes = tuple(dict.fromkeys([*([cause.id] if cause else []), *causes]))
        with telemetry.writing_span():
            telemetry.link_causes(all_causes)
            traceparent = telemetry.current_traceparent()
        rows = [
            _row(Outgoing(message=message, id=event_id, causes=all_causes), traceparent)
            for message, event_id in zip(messages, event_ids, strict=True)
        ]
        asyncpg = await driver(self._connection)
        await asyncpg.executemany(_INSERT, rows)  # one after the other: their ids keep the order
        self.written = True

    async def add_many(self, events: Sequence[Outgoing]) -> None:
        """Adds events by the hundred, each with causes of its own, in order; for imports.

        Their causes are told by the events alone: a span with a thousand links shows nobody anything.

        Raises:
            InvalidInput: as `add`.
        """
        if not events:
            return
        with telemetry.writing_span():
            traceparent = telemetry.current_traceparent()
        rows = []
        for number, event in enumerate(events):
            if number % _TURN == 0:
                await asyncio.sleep(0)  # others, who wait for a single event, come in between
            rows.append(_row(event, traceparent))
        asyncpg = await driver(self._connection)
        await asyncpg.copy_records_to_table("outbox", records=rows, columns=_COLUMNS)  # numbered as they come
        self.written = True

    async def size_and_age(self) -> tuple[int, float]:
        """Events not published yet, and the age of the oldest in seconds."""
        oldest = sa.extract("epoch", sa.func.now() - sa.func.min(schema.outbox.c.created_at))
        row = (await self._connection.execute(sa.select(sa.func.count(), sa.func.coalesce(oldest, 0.0)))).one()
        return int(row[0]), float(row[1])


def _row(event: Outgoing, traceparent: str | None) -> tuple[str, bytes | None, bytes | None, str]:
    record = encode(event.message, id=event.id, time=utc_now(), causes=event.causes, traceparent=traceparent)
    headers = {name: value.decode() for name, value in record.headers or ()}
    return record.topic, record.key, record.value, json.dumps(headers)
