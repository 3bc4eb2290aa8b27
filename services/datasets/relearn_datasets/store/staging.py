"""Samples of imports under way: on no version's books, gone when their import ends, swept when it never does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_datasets.domain.imports import Contradiction, ImportedSample
from relearn_datasets.domain.samples import Content
from relearn_datasets.store.bulk import copy
from relearn_datasets.store.tables import staged_samples

_COLUMNS = ("attempt_id", "place", "sha256", "size_bytes", "media_type", "group_key", "label", "staged_at")
_OF_ATTEMPT = staged_samples.c.attempt_id == sa.bindparam("attempt_id")


class Staging:
    """Staged samples of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, attempt_id: str, new: Sequence[ImportedSample], *, now: datetime) -> None:
        """Stages samples of one call; nothing but its attempt ever reads them."""
        records = [
            (
                attempt_id,
                sample.place,
                sample.content.sha256,
                sample.content.size_bytes,
                sample.content.media_type,
                sample.group_key,
                sample.label,
                now,
            )
            for sample in new
        ]
        await copy(self._connection, staged_samples, columns=_COLUMNS, records=records)

    async def count(self, attempt_id: str) -> int:
        """How many are staged."""
        counted = sa.select(sa.func.count()).where(_OF_ATTEMPT)
        return int((await self._connection.execute(counted, {"attempt_id": attempt_id})).scalar_one())

    async def labels(self, attempt_id: str) -> set[str]:
        """The classes that are named."""
        c = staged_samples.c
        named = sa.select(c.label).distinct().where(_OF_ATTEMPT & c.label.is_not(None))
        return {label for (label,) in await self._connection.execute(named, {"attempt_id": attempt_id})}

    async def contradiction(self, attempt_id: str) -> Contradiction | None:
        """Equal bytes with different labels, those that come first in the stream."""
        found = sa.text(
            """select sha256, array_agg(place order by place) as places, array_agg(distinct label) as labels
               from staged_samples where attempt_id = :attempt_id and label is not null
               group by sha256 having count(distinct label) > 1 order by min(place) limit 1"""
        )
        if (row := (await self._connection.execute(found, {"attempt_id": attempt_id})).one_or_none()) is None:
            return None
        return Contradiction(sha256=bytes(row.sha256), places=row.places, labels=row.labels)

    async def page(self, attempt_id: str, *, after: bytes, limit: int) -> Sequence[ImportedSample]:
        """Distinct samples above `after` in order of SHA-256; of equal bytes the first place, with their label."""
        found = sa.text(
            """select sha256, min(place) as place, min(size_bytes) as size_bytes, min(media_type) as media_type,
                 (array_agg(group_key order by place))[1] as group_key, max(label) as label
               from staged_samples where attempt_id = :attempt_id and sha256 > :after
               group by sha256 order by sha256 limit :limit"""
        ).bindparams(sa.bindparam("after", type_=sa.LargeBinary))
        rows = await self._connection.execute(found, {"attempt_id": attempt_id, "after": after, "limit": limit})
        return [
            ImportedSample(
                place=row.place,
                content=Content(sha256=bytes(row.sha256), size_bytes=row.size_bytes, media_type=row.media_type),
                label=row.label,
                group_key=row.group_key,
            )
            for row in rows
        ]

    async def drop(self, attempt_id: str) -> None:
        """Forgets what one call has staged."""
        await self._connection.execute(sa.delete(staged_samples).where(_OF_ATTEMPT), {"attempt_id": attempt_id})

    async def sweep(self, *, before: datetime) -> int:
        """Forgets calls that have staged nothing since; returns how many rows that were."""
        c = staged_samples.c
        last = sa.select(c.attempt_id).group_by(c.attempt_id).having(sa.func.max(c.staged_at) < before)
        swept = await self._connection.execute(sa.delete(staged_samples).where(c.attempt_id.in_(last)))
        return swept.rowcount
