"""Samples and the groups they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_datasets.domain.commits import Change
from relearn_datasets.domain.errors import UnknownSample
from relearn_datasets.domain.samples import Content, Draw, Sample, Use, sample_id
from relearn_datasets.domain.settling import Current
from relearn_datasets.domain.uses import bucket
from relearn_datasets.store.bulk import arrays
from relearn_datasets.store.columns import draw, label_value
from relearn_datasets.store.tables import groups, samples


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSample:
    """A sample that may be new.

    Attributes:
        label: what its import says, None elsewhere; if the sample is new, this is its label.
        draw: why its label is wanted, None while nobody asks and no label is there.
    """

    content: Content
    group_key: str
    label: str | None
    draw: Draw | None


class Groups:
    """Groups of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def decide(self, project_id: str, proposed: Mapping[str, Use | None]) -> Mapping[str, Use | None]:
        """What each group is for: what it was, else what is proposed; groups that are not there yet are added."""
        if not proposed:
            return {}
        statement = arrays(
            """insert into groups (project_id, group_key, bucket, use)
               select :project_id, new.* from unnest(:keys, :buckets, :uses) as new
               on conflict (project_id, group_key) do update set use = excluded.use
                 where groups.use is null and excluded.use is not null
               returning group_key, use""",
            keys=sa.Text,
            buckets=sa.SmallInteger,
            uses=sa.Text,
        )
        keys = sorted(proposed)
        values = {
            "project_id": project_id,
            "keys": keys,
            "buckets": [bucket(project_id, key) for key in keys],
            "uses": [use.value if use else None for use in map(proposed.get, keys)],
        }
        decided = _uses(await self._connection.execute(statement, values))
        if before := [key for key in keys if key not in decided]:
            decided |= await self._of(project_id, before)
        return decided

    async def _of(self, project_id: str, keys: Sequence[str]) -> dict[str, Use | None]:
        statement = arrays(
            "select group_key, use from groups where project_id = :project_id and group_key = any(:keys)", keys=sa.Text
        )
        return _uses(await self._connection.execute(statement, {"project_id": project_id, "keys": list(keys)}))


def _uses(rows: Iterable[Any]) -> dict[str, Use | None]:
    return {row.group_key: Use(row.use) if row.use else None for row in rows}


class Samples:
    """Samples of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, project_id: str, new: Sequence[NewSample], *, origin: str, now: datetime) -> set[bytes]:
        """Adds the samples that are not there yet, in the order given; returns the SHA-256 of those."""
        statement = arrays(
            """insert into samples (project_id, sha256, size_bytes, media_type, group_key, label, imported_label,
                 stream, probability, origin, created_at)
               select :project_id, new.*, :origin, :now
               from unnest(:sha256s, :sizes, :media_types, :group_keys, :labels, :labels, :streams, :probabilities)
                 as new
               on conflict do nothing returning sha256""",
            sha256s=sa.LargeBinary,
            sizes=sa.BigInteger,
            media_types=sa.Text,
            group_keys=sa.Text,
            labels=sa.Text,
            streams=sa.Text,
            probabilities=sa.Double,
        ).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)))
        values = {
            "project_id": project_id,
            "origin": origin,
            "now": now,
            "sha256s": [sample.content.sha256 for sample in new],
            "sizes": [sample.content.size_bytes for sample in new],
            "media_types": [sample.content.media_type for sample in new],
            "group_keys": [sample.group_key for sample in new],
            "labels": [sample.label for sample in new],
            "streams": [sample.draw.stream.value if sample.draw else None for sample in new],
            "probabilities": [sample.draw.probability if sample.draw else None for sample in new],
        }
        return {bytes(row.sha256) for row in await self._connection.execute(statement, values)}

    async def get(self, project_id: str, sha256: bytes) -> Sample:
        """One sample.

        Raises:
            UnknownSample: it is not there.
        """
        joined = sa.join(
            samples,
            groups,
            (samples.c.project_id == groups.c.project_id) & (samples.c.group_key == groups.c.group_key),
        )
        found = sa.select(samples, groups.c.use).select_from(joined)
        rows = await self._connection.execute(found.where(_is(project_id, sha256)))
        if (row := rows.one_or_none()) is None:
            name = sample_id(project_id, sha256)
            raise UnknownSample(f"there is no sample {name}", sample_id=name)
        return _sample(row)

    async def lock(self, project_id: str, sha256s: Iterable[bytes]) -> Mapping[bytes, Current]:
        """Samples by SHA-256, locked: whoever holds a sample's row holds its labels too."""
        statement = arrays(
            """select sha256, group_key, label, regions, label_id, imported_label, stream, probability from samples
               where project_id = :project_id and sha256 = any(:sha256s) order by sha256 for no key update""",
            sha256s=sa.LargeBinary,
        )
        rows = await self._connection.execute(statement, {"project_id": project_id, "sha256s": sorted(sha256s)})
        return {bytes(row.sha256): _current(row) for row in rows}

    async def lock_reimported(self, project_id: str, labels: Mapping[bytes, str]) -> Mapping[bytes, Current]:
        """Of the samples named those that the import before this one labeled otherwise or not at all, locked.

        Args:
            labels: what this import says, by SHA-256; the head is locked, so no other import says anything meanwhile.
        """
        if not labels:
            return {}
        statement = arrays(
            """select sha256, group_key, samples.label, regions, label_id, imported_label, stream, probability
               from unnest(:sha256s, :labels) as new (sha256, label) join samples using (sha256)
               where project_id = :project_id and imported_label is distinct from new.label
               order by sha256 for no key update of samples""",
            sha256s=sa.LargeBinary,
            labels=sa.Text,
        )
        values = {"project_id": project_id, "sha256s": list(labels), "labels": list(labels.values())}
        return {bytes(row.sha256): _current(row) for row in await self._connection.execute(statement, values)}

    async def set_draw(self, project_id: str, sha256: bytes, draw: Draw) -> None:
        """Writes why a locked sample's label is wanted."""
        update = sa.update(samples).where(_is(project_id, sha256))
        await self._connection.execute(update.values(stream=draw.stream.value, probability=draw.probability))

    async def set_imported_labels(self, project_id: str, labels: Mapping[bytes, str]) -> None:
        """Writes what an import said of locked samples that were there before."""
        if not labels:
            return
        statement = arrays(
            """update samples set imported_label = new.label from unnest(:sha256s, :labels) as new (sha256, label)
               where project_id = :project_id and samples.sha256 = new.sha256""",
            sha256s=sa.LargeBinary,
            labels=sa.Text,
        )
        values = {"project_id": project_id, "sha256s": list(labels), "labels": list(labels.values())}
        await self._connection.execute(statement, values)

    async def apply(self, project_id: str, changes: Sequence[Change]) -> None:
        """Makes locked samples be what the changes say."""
        if not changes:
            return
        statement = arrays(
            """update samples set label = new.label, regions = new.regions, label_id = new.label_id,
                 stream = coalesce(samples.stream, new.stream),
                 probability = case when samples.stream is null then new.probability else samples.probability end
               from unnest(:sha256s, :labels, :regions, :label_ids, :streams, :probabilities)
                 as new (sha256, label, regions, label_id, stream, probability)
               where project_id = :project_id and samples.sha256 = new.sha256""",
            sha256s=sa.LargeBinary,
            labels=sa.Text,
            regions=sa.LargeBinary,
            label_ids=sa.Text,
            streams=sa.Text,
            probabilities=sa.Double,
        )
        values = {
            "project_id": project_id,
            "sha256s": [change.sha256 for change in changes],
            "labels": [change.new_label.class_name for change in changes],
            "regions": [change.new_label.regions for change in changes],
            "label_ids": [change.new_label_id for change in changes],
            "streams": [change.draw.stream.value for change in changes],
            "probabilities": [change.draw.probability for change in changes],
        }
        await self._connection.execute(statement, values)

    async def uses(self, project_id: str, sha256s: Sequence[bytes]) -> Mapping[bytes, Use]:
        """The uses of samples that have one."""
        statement = arrays(
            """select sha256, use from samples join groups using (project_id, group_key)
               where project_id = :project_id and sha256 = any(:sha256s) and use is not null""",
            sha256s=sa.LargeBinary,
        )
        rows = await self._connection.execute(statement, {"project_id": project_id, "sha256s": list(sha256s)})
        return {bytes(row.sha256): Use(row.use) for row in rows}


def _is(project_id: str, sha256: bytes) -> sa.ColumnElement[bool]:
    return (samples.c.project_id == project_id) & (samples.c.sha256 == sha256)


def _current(row: Any) -> Current:
    return Current(
        sha256=bytes(row.sha256),
        group_key=row.group_key,
        label=label_value(row.label, row.regions),
        label_id=row.label_id,
        imported_label=row.imported_label,
        draw=draw(row),
    )


def _sample(row: Any) -> Sample:
    return Sample(
        project_id=row.project_id,
        content=Content(sha256=bytes(row.sha256), size_bytes=row.size_bytes, media_type=row.media_type),
        group_key=row.group_key,
        use=Use(row.use) if row.use else None,
        draw=draw(row),
        origin=row.origin,
        label=label_value(row.label, row.regions),
        created_at=row.created_at,
    )
