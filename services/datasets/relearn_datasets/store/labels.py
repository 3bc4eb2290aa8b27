"""Accepted labels, from their arrival to the commit that took them in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_datasets.domain.labels import AcceptedLabel, LabelState, WaitingLabels
from relearn_datasets.store.bulk import arrays
from relearn_datasets.store.columns import columns_of, draw, required_value
from relearn_datasets.store.tables import labels


class Labels:
    """Labels of one transaction. Those of a sample change only under the lock of the sample's row."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of_sample(self, project_id: str, sha256: bytes) -> Sequence[AcceptedLabel]:
        """Every label that was ever accepted for a sample."""
        found = sa.select(labels).where((labels.c.project_id == project_id) & (labels.c.sha256 == sha256))
        return [_label(row) for row in await self._connection.execute(found)]

    async def save(self, label: AcceptedLabel) -> None:
        """Writes what may change of a label, or inserts it; under the lock of its sample."""
        # no upsert: PostgreSQL checks the row that is offered before it sees the conflict, and that of a committed
        # label has no number
        changed = sa.update(labels).where(labels.c.label_id == label.label_id)
        changed = changed.values(revision=label.revision, state=label.state.value)
        if (await self._connection.execute(changed)).rowcount:
            return
        class_name, regions = columns_of(label.label)
        new = sa.insert(labels).values(
            label_id=label.label_id,
            project_id=label.project_id,
            sha256=label.sha256,
            label=class_name,
            regions=regions,
            label_set_version=label.label_set_version,
            revision=label.revision,
            stream=label.draw.stream.value if label.draw else None,
            probability=label.draw.probability if label.draw else None,
            event_id=label.event_id,
            state=label.state.value,
            received_at=label.received_at,
        )
        await self._connection.execute(new)

    async def waiting(self, project_id: str | None = None) -> Sequence[WaitingLabels]:
        """How many labels wait in each project that has any, or in one."""
        counted = (
            labels.c.project_id,
            sa.func.count().label("n"),
            sa.func.min(labels.c.received_at).label("oldest_at"),
        )
        found = sa.select(*counted).where(labels.c.state == LabelState.WAITING.value).group_by(labels.c.project_id)
        if project_id is not None:
            found = found.where(labels.c.project_id == project_id)
        rows = await self._connection.execute(found.order_by(labels.c.project_id))
        return [WaitingLabels(project_id=row.project_id, labels=row.n, oldest_at=row.oldest_at) for row in rows]

    async def waiting_samples(self, project_id: str, *, limit: int) -> Sequence[bytes]:
        """Samples whose labels have waited longest."""
        found = sa.select(labels.c.sha256).where(_waits(project_id)).order_by(labels.c.received_at).limit(limit)
        return sorted({bytes(sha256) for (sha256,) in await self._connection.execute(found)})

    async def waiting_of(self, project_id: str, sha256s: Sequence[bytes]) -> Sequence[AcceptedLabel]:
        """The labels that wait, of samples that are locked: at most one each."""
        statement = arrays(
            """select * from labels
               where project_id = :project_id and state = 'waiting' and sha256 = any(:sha256s) order by received_at""",
            sha256s=sa.LargeBinary,
        )
        rows = await self._connection.execute(statement, {"project_id": project_id, "sha256s": list(sha256s)})
        return [_label(row) for row in rows]

    async def mark_committed(self, label_ids: Sequence[str], *, number: int) -> None:
        """Notes the version that took labels in."""
        statement = arrays(
            "update labels set state = 'committed', number = :number where label_id = any(:label_ids)",
            label_ids=sa.Text,
        )
        await self._connection.execute(statement, {"label_ids": list(label_ids), "number": number})


def _waits(project_id: str) -> sa.ColumnElement[bool]:
    return (labels.c.project_id == project_id) & (labels.c.state == LabelState.WAITING.value)


def _label(row: Any) -> AcceptedLabel:
    return AcceptedLabel(
        label_id=row.label_id,
        project_id=row.project_id,
        sha256=bytes(row.sha256),
        label=required_value(row.label, row.regions),
        label_set_version=row.label_set_version,
        revision=row.revision,
        draw=draw(row),
        event_id=row.event_id,
        state=LabelState(row.state),
        received_at=row.received_at,
    )
