"""Where a batch consumer stands in each partition, stored in the transaction that handles the batch.

The `offsets` row of a partition is the truth and the fence: it is locked first, records before it are dropped, and it
only moves forward. A process that lost its partitions without noticing finds its records done and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime.feed import Place
from relearn_runtime.schema import offsets


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
        new = [
            {"consumer": self._consumer, "topic": topic, "partition": number, "next_offset": 0}
            for topic, number in sorted(places)
        ]
        await self._connection.execute(insert(offsets).on_conflict_do_nothing(), new)
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
