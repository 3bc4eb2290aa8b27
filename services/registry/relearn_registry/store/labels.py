"""Which label a dataset version took in, so that the gate never counts what a challenger was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_registry.store.tables import dataset_versions, labels

_ROWS_PER_STATEMENT = 5000  # PostgreSQL takes at most 32767 parameters


class SeenLabels:
    """Labels and the dataset versions that hold them, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def accepted(self, label_id: str, *, project_id: str, sample_id: str, at: datetime) -> None:
        """A label is about a sample."""
        half = {"sample_id": sample_id, "accepted_at": at, "project_id": project_id}
        new = insert(labels).values(label_id=label_id, **half)
        await self._connection.execute(new.on_conflict_do_update(index_elements=["label_id"], set_=half))

    async def committed(
        self, version_id: str, *, project_id: str, number: int, at: datetime, label_ids: Sequence[str], all_named: bool
    ) -> None:
        """A dataset version took labels in."""
        version = insert(dataset_versions).values(
            dataset_version_id=version_id,
            project_id=project_id,
            number=number,
            committed_at=at,
            names_all_labels=all_named,
        )
        await self._connection.execute(version.on_conflict_do_nothing())
        ids = sorted(set(label_ids))
        for start in range(0, len(ids), _ROWS_PER_STATEMENT):
            rows = [
                {"label_id": i, "project_id": project_id, "committed_in": number}
                for i in ids[start : start + _ROWS_PER_STATEMENT]
            ]
            new = insert(labels).values(rows)
            first = sa.func.least(labels.c.committed_in, new.excluded.committed_in)
            half = {"committed_in": first, "project_id": new.excluded.project_id}
            await self._connection.execute(new.on_conflict_do_update(index_elements=["label_id"], set_=half))

    async def seen_by(self, dataset_version_id: str) -> sa.ColumnElement[bool] | None:
        """Which labels a model trained on this version had seen; None while an earlier version is not known yet.

        Labels used for validation count as seen too: the winner was chosen by them.
        """
        c = dataset_versions.c
        one = await self._connection.execute(
            sa.select(c.project_id, c.number, c.committed_at).where(c.dataset_version_id == dataset_version_id)
        )
        if (version := one.first()) is None:
            return None
        earlier = sa.and_(c.project_id == version.project_id, c.number <= version.number)
        counted = sa.select(sa.func.count(), sa.func.bool_and(c.names_all_labels)).where(earlier)
        known, all_named = (await self._connection.execute(counted)).one()
        if known < version.number:
            return None
        named = sa.and_(labels.c.project_id == version.project_id, labels.c.committed_in <= version.number)
        if all_named:
            return named
        return sa.or_(named, labels.c.accepted_at <= version.committed_at)
