"""Packs that are wanted, being made or there; and the state of a version that goes into one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_datasets.domain.commits import Version
from relearn_datasets.domain.packs import Pack, PackedSample
from relearn_datasets.domain.samples import IMPORTED, Use, sample_id
from relearn_datasets.store.columns import draw, required_value
from relearn_datasets.store.tables import packs


class Packs:
    """Packs of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def want(self, version: Version) -> Pack:
        """The pack of a version; asked for the first time, it is to be made."""
        new = insert(packs).values(
            project_id=version.project_id,
            number=version.number,
            digest=version.digest,
            samples=version.counts.total,
            attempts=0,
        )
        await self._connection.execute(new.on_conflict_do_nothing())
        found = sa.select(packs).where(_is(version.project_id, version.number))
        return _pack((await self._connection.execute(found)).one())

    async def lease(self, lease_id: str, *, now: datetime, until: datetime) -> Pack | None:
        """A pack to be made that nobody else is making, those that failed least first."""
        c = packs.c
        free = c.index_sha256.is_(None) & (c.leased_until.is_(None) | (c.leased_until < now))
        found = sa.select(packs).where(free).order_by(c.attempts, c.project_id, c.number).limit(1)
        if (row := (await self._connection.execute(found.with_for_update(skip_locked=True))).one_or_none()) is None:
            return None
        update = sa.update(packs).where(_is(row.project_id, row.number))
        await self._connection.execute(update.values(lease_id=lease_id, leased_until=until, attempts=row.attempts + 1))
        return _pack(row)

    async def renew(self, pack: Pack, lease_id: str, *, until: datetime) -> None:
        """Keeps a lease that is still held."""
        held = _is(pack.project_id, pack.number) & (packs.c.lease_id == lease_id)
        await self._connection.execute(sa.update(packs).where(held).values(leased_until=until))

    async def finish(self, pack: Pack, *, index_sha256: str) -> None:
        """Notes that a pack is there. No lease is asked for: whoever made it, it has the same content."""
        made = sa.update(packs).where(_is(pack.project_id, pack.number) & packs.c.index_sha256.is_(None))
        await self._connection.execute(
            made.values(index_sha256=index_sha256, lease_id=None, leased_until=None, failure=None)
        )

    async def fail(self, pack: Pack, lease_id: str, *, failure: str, again_at: datetime) -> None:
        """Notes why a pack could not be made, and when to try again."""
        held = _is(pack.project_id, pack.number) & (packs.c.lease_id == lease_id)
        await self._connection.execute(sa.update(packs).where(held).values(failure=failure, leased_until=again_at))

    async def failing(self, project_id: str) -> Sequence[Pack]:
        """Packs of a project that could not be made so far."""
        c = packs.c
        found = sa.select(packs).where((c.project_id == project_id) & c.index_sha256.is_(None) & c.failure.is_not(None))
        return [_pack(row) for row in await self._connection.execute(found.order_by(c.number))]

    async def state(self, project_id: str, number: int, *, after: bytes, limit: int) -> Sequence[PackedSample]:
        """What a version holds, however old it is: labeled samples above `after`, in order of SHA-256."""
        found = sa.text(
            """select distinct on (changes.sha256) changes.sha256, changes.number,
                 changes.new_label, changes.new_regions,
                 samples.size_bytes, samples.stream, samples.probability, samples.group_key, groups.use
               from changes
                 join samples using (project_id, sha256)
                 join groups using (project_id, group_key)
               where changes.project_id = :project_id and changes.number <= :number and changes.sha256 > :after
                 and changes.effect <> 'confirmed'
               order by changes.sha256, changes.number desc limit :limit"""
        ).bindparams(sa.bindparam("after", type_=sa.LargeBinary))
        values = {"project_id": project_id, "number": number, "after": after, "limit": limit}
        return [
            PackedSample(
                sample_id=sample_id(project_id, bytes(row.sha256)),
                sha256=bytes(row.sha256),
                size_bytes=row.size_bytes,
                label=required_value(row.new_label, row.new_regions),
                use=Use(row.use),
                draw=draw(row) or IMPORTED,
                group_key=row.group_key,
                version_number=row.number,
            )
            for row in await self._connection.execute(found, values)
        ]


def _is(project_id: str, number: int) -> sa.ColumnElement[bool]:
    return (packs.c.project_id == project_id) & (packs.c.number == number)


def _pack(row: Any) -> Pack:
    return Pack(
        project_id=row.project_id,
        number=row.number,
        digest=bytes(row.digest),
        samples=row.samples,
        index_sha256=row.index_sha256,
        attempts=row.attempts,
        failure=row.failure,
    )
