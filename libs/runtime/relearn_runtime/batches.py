"""High-volume topics: many events in one transaction, with the offsets stored in that same transaction.

The `offsets` row of a partition is the truth and the fence: it is locked first, records before it are dropped, and it
only moves forward. A process that lost its partitions without noticing finds its records done and changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime.envelope import Event
from relearn_runtime.feed import Place
from relearn_runtime.reactions import Reaction
from relearn_runtime.schema import offsets

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Batch(Generic[M]):
    """A handler that takes events by the hundred.

    Attributes:
        handler: `async def on_predictions(events: Sequence[Event[PredictionMade]], tx: Transaction) -> None`; events of
            one partition come in order, and each record exactly once. A *republished* event (another offset, the same
            id) comes again: the handler drops ids it knows.
        max_events: at most so many at a time; fewer when fewer wait.
    """

    message_type: type[M]
    handler: Callable[..., Awaitable[None]]
    max_events: int = 500

    def reaction(self, service: str, *, timeout_s: float) -> Reaction:
        """What the runtime runs."""

        async def run(events: Sequence[Event[Any]], tx: Any) -> None:
            await self.handler(events, tx)

        name = f"{service}.{self.message_type.DESCRIPTOR.name}"
        return Reaction(consumer=name, message_type=self.message_type, run=run, timeout_s=timeout_s)


class StoredOffsets:
    """The next offset of each partition of one consumer, within one transaction; topics without prefix."""

    def __init__(self, connection: AsyncConnection, consumer: str) -> None:
        self._connection, self._consumer = connection, consumer

    async def all(self) -> dict[Place, int]:
        """Every stored offset."""
        query = sa.select(offsets).where(offsets.c.consumer == self._consumer)
        return {(row.topic, row.partition): row.next_offset for row in await self._connection.execute(query)}

    async def lock(self, places: Sequence[Place]) -> dict[Place, int]:
        """Locks the partitions, in one order everywhere, and returns their next offsets."""
        keys = [{"consumer": self._consumer, "topic": topic, "partition": number} for topic, number in sorted(places)]
        new = insert(offsets).values([key | {"next_offset": 0} for key in keys])
        await self._connection.execute(new.on_conflict_do_nothing())
        table = offsets.c
        query = sa.select(table.topic, table.partition, table.next_offset).where(
            table.consumer == self._consumer, sa.tuple_(table.topic, table.partition).in_(sorted(places))
        )
        rows = await self._connection.execute(query.order_by(table.topic, table.partition).with_for_update())
        return {(topic, number): next_offset for topic, number, next_offset in rows}

    async def advance(self, place: Place, next_offset: int) -> None:
        """Moves a locked partition forward, never back."""
        table = offsets.c
        move = sa.update(offsets).where(
            table.consumer == self._consumer, table.topic == place[0], table.partition == place[1]
        )
        await self._connection.execute(
            move.values(next_offset=sa.func.greatest(table.next_offset, next_offset), updated_at=sa.func.now())
        )

    async def forget(self, place: Place) -> None:
        """Starts a partition over."""
        table = offsets.c
        where = (table.consumer == self._consumer, table.topic == place[0], table.partition == place[1])
        await self._connection.execute(sa.delete(offsets).where(*where))
