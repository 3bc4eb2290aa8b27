"""Versions under watch: their state, detectors and references."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring import arrays
from relearn_monitoring.domain.detector import EDetector
from relearn_monitoring.domain.predictions import Predictions
from relearn_monitoring.domain.quality import Quality
from relearn_monitoring.domain.reference import Reference
from relearn_monitoring.domain.watches import Role, Watch, reference_id
from relearn_monitoring.store.tables import detectors, frozen_references, reference_parts, watches

_COLUMNS = [column for column in watches.c if column.name not in ("created_at", "skew_tried")]


class Watches:
    """Rows of versions; their project's row is locked by whoever changes them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, model_version_id: str, *, project_id: str) -> Watch:
        """The version; a fresh watch when it is new."""
        query = sa.select(*_COLUMNS).where(watches.c.model_version_id == model_version_id)
        row = (await self._connection.execute(query)).one_or_none()
        return Watch(model_version_id=model_version_id, project_id=project_id) if row is None else _watch(row)

    async def of_project(self, project_id: str) -> list[Watch]:
        """Its versions, newest first."""
        query = sa.select(*_COLUMNS).where(watches.c.project_id == project_id)
        newest = query.order_by(watches.c.created_at.desc(), watches.c.model_version_id.desc())
        return [_watch(row) for row in await self._connection.execute(newest)]

    async def champion(self, project_id: str) -> Watch | None:
        """The version that serves the project."""
        own = (watches.c.project_id == project_id, watches.c.role == Role.CHAMPION.value)
        newest = sa.select(*_COLUMNS).where(*own).order_by(watches.c.created_at.desc()).limit(1)
        row = (await self._connection.execute(newest)).one_or_none()
        return None if row is None else _watch(row)

    async def frozen(self, project_id: str) -> list[str]:
        """References of its versions in the route, as far as they are frozen."""
        query = sa.select(watches.c.model_version_id, watches.c.reference_number).where(
            watches.c.project_id == project_id, watches.c.role != Role.NONE.value, watches.c.reference_frozen
        )
        return [reference_id(*row) for row in await self._connection.execute(query)]

    async def save(self, watch: Watch) -> None:
        """Writes it, whether new or not."""
        values = asdict(watch) | {"role": watch.role.value}
        new = insert(watches).values(**values)
        changed = {name: new.excluded[name] for name in values if name != "model_version_id"}
        await self._connection.execute(
            new.on_conflict_do_update(index_elements=[watches.c.model_version_id], set_=changed)
        )

    async def without_skew(self) -> list[Watch]:
        """Versions with both references whose distance was not told yet."""
        query = sa.select(*_COLUMNS).where(
            watches.c.reference_frozen, watches.c.provisional_key != "", sa.not_(watches.c.skew_tried)
        )
        return [_watch(row) for row in await self._connection.execute(query)]

    async def tell_skew(self, model_version_id: str, skew: float | None) -> None:
        """Says it once; None when it could not be computed."""
        where = watches.c.model_version_id == model_version_id
        await self._connection.execute(sa.update(watches).where(where).values(skew=skew, skew_tried=True))


class Detectors:
    """E-detectors, one for each shard of a version."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, model_version_id: str, partition_key: str) -> EDetector | None:
        where = (detectors.c.model_version_id == model_version_id, detectors.c.partition_key == partition_key)
        row = (await self._connection.execute(sa.select(detectors).where(*where))).one_or_none()
        return None if row is None else _detector(row)

    async def of_version(self, model_version_id: str) -> list[EDetector]:
        query = sa.select(detectors).where(detectors.c.model_version_id == model_version_id)
        return [_detector(row) for row in await self._connection.execute(query)]

    async def save(self, model_version_id: str, partition_key: str, detector: EDetector) -> None:
        values = {"limits": list(detector.limits), "levels": list(detector.values), "seen": detector.seen}
        key = {"model_version_id": model_version_id, "partition_key": partition_key}
        new = insert(detectors).values(**key, **values)
        await self._connection.execute(
            new.on_conflict_do_update(
                index_elements=[detectors.c.model_version_id, detectors.c.partition_key], set_=values
            )
        )

    async def reset(self, model_version_id: str) -> None:
        """All shards of a version start again."""
        where = detectors.c.model_version_id == model_version_id
        await self._connection.execute(sa.delete(detectors).where(where))


class References:
    """References in the making, in parts, and frozen ones."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_part(self, reference_id: str, predictions: Predictions) -> None:
        row = {"reference_id": reference_id, "body": arrays.of_predictions(predictions)}
        await self._connection.execute(sa.insert(reference_parts).values(**row))

    async def take_parts(self, reference_id: str) -> list[Predictions]:
        """Its parts in order; they are gone afterwards."""
        where = reference_parts.c.reference_id == reference_id
        query = sa.select(reference_parts.c.body).where(where).order_by(reference_parts.c.sequence)
        parts = [arrays.predictions(body) for body in (await self._connection.execute(query)).scalars()]
        await self._connection.execute(sa.delete(reference_parts).where(where))
        return parts

    async def drop_parts(self, reference_id: str) -> None:
        """It will not be made."""
        await self._connection.execute(sa.delete(reference_parts).where(reference_parts.c.reference_id == reference_id))

    async def freeze(self, reference: Reference, *, model_version_id: str, now: datetime) -> None:
        """Keeps it, in place of an earlier one of its version."""
        earlier = frozen_references.c.model_version_id == model_version_id
        await self._connection.execute(sa.delete(frozen_references).where(earlier))
        row = {
            "reference_id": reference.reference_id,
            "model_version_id": model_version_id,
            "predictions": len(reference.predictions),
            "body": arrays.of_reference(reference),
            "frozen_at": now,
        }
        await self._connection.execute(sa.insert(frozen_references).values(**row))

    async def champion(self, project_id: str) -> Watch | None:
        """The version that serves the project."""
        own = (watches.c.project_id == project_id, watches.c.role == Role.CHAMPION.value)
        newest = sa.select(*_COLUMNS).where(*own).order_by(watches.c.created_at.desc()).limit(1)
        row = (await self._connection.execute(newest)).one_or_none()
        return None if row is None else _watch(row)

    async def frozen(self, reference_id: str) -> Reference:
        query = sa.select(frozen_references.c.body).where(frozen_references.c.reference_id == reference_id)
        body = (await self._connection.execute(query)).scalar_one()
        return arrays.reference(body, reference_id=reference_id)


def _watch(row: Any) -> Watch:
    values = dict(row._mapping)
    validated = values.pop("validated")
    role = Role(values.pop("role"))
    return Watch(**values, role=role, validated=Quality(**validated) if validated else None)


def _detector(row: Any) -> EDetector:
    return EDetector(limits=tuple(row.limits), values=tuple(row.levels), seen=row.seen)
