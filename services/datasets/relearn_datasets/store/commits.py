"""The commit log: heads, versions, changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_datasets.domain.commits import Change, Counts, Head, Version, first_head
from relearn_datasets.domain.diffs import Range, Step
from relearn_datasets.domain.errors import UnknownVersion
from relearn_datasets.domain.samples import Stream, Use, version_id
from relearn_datasets.store.bulk import copy
from relearn_datasets.store.columns import columns_of, label_value
from relearn_datasets.store.tables import changes, commits, heads

_CHANGE_COLUMNS = (
    "project_id", "sha256", "number", "effect",
    "old_label", "old_regions", "old_label_id", "new_label", "new_regions", "new_label_id",
)  # fmt: skip


class Commits:
    """The log of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_head(self, project_id: str) -> Head:
        """The end of a project's log; whoever else wants to commit to it waits for this transaction."""
        found = sa.select(heads).where(heads.c.project_id == project_id).with_for_update()
        if (row := (await self._connection.execute(found)).one_or_none()) is None:
            first = first_head(project_id)
            new = insert(heads).values(
                project_id=project_id, number=first.number, digest=first.digest, counts=_counts_json(first.counts)
            )
            await self._connection.execute(new.on_conflict_do_nothing())
            row = (await self._connection.execute(found)).one()
        return Head(project_id=project_id, number=row.number, digest=bytes(row.digest), counts=_counts(row.counts))

    async def add_changes(self, project_id: str, number: int, new: Sequence[Change]) -> None:
        """Writes changes of the version that is being made."""
        records = [
            (
                project_id,
                change.sha256,
                number,
                change.effect.value,
                *columns_of(change.old_label),
                change.old_label_id,
                *columns_of(change.new_label),
                change.new_label_id,
            )
            for change in new
        ]
        await copy(self._connection, changes, columns=_CHANGE_COLUMNS, records=records)

    async def add(self, version: Version) -> None:
        """Writes the commit and moves the head, which is locked."""
        await self._connection.execute(
            sa.insert(commits).values(
                project_id=version.project_id,
                number=version.number,
                digest=version.digest,
                counts=_counts_json(version.counts),
                new_counts=_counts_json(version.new_counts),
                relabeled=version.relabeled,
                message=version.message,
                import_id=version.import_id,
                project_revision=version.project_revision,
                created_at=version.created_at,
            )
        )
        move = sa.update(heads).where(heads.c.project_id == version.project_id)
        await self._connection.execute(
            move.values(number=version.number, digest=version.digest, counts=_counts_json(version.counts))
        )

    async def get(self, project_id: str, number: int) -> Version:
        """One version.

        Raises:
            UnknownVersion: it is not there.
        """
        found = sa.select(commits).where((commits.c.project_id == project_id) & (commits.c.number == number))
        if (row := (await self._connection.execute(found)).one_or_none()) is None:
            name = version_id(project_id, number)
            raise UnknownVersion(f"there is no dataset version {name}", dataset_version_id=name)
        return _version(row)

    async def list(self, project_id: str, *, before: int | None, limit: int) -> Sequence[Version]:
        """Versions of a project, newest first, those below `before`."""
        found = sa.select(commits).where(commits.c.project_id == project_id)
        if before is not None:
            found = found.where(commits.c.number < before)
        rows = await self._connection.execute(found.order_by(commits.c.number.desc()).limit(limit))
        return [_version(row) for row in rows]

    async def steps(self, of: Range, *, after: bytes | None) -> AsyncIterator[Step]:
        """The log's rows of a range, by sample and commit, those of samples above `after`; streamed."""
        c = changes.c
        within = (c.project_id == of.project_id) & (c.number > of.after) & (c.number <= of.upto)
        if after is not None:
            within &= c.sha256 > after
        old, new = (c.old_label, c.old_regions, c.old_label_id), (c.new_label, c.new_regions, c.new_label_id)
        found = sa.select(c.sha256, *old, *new).where(within).order_by(c.sha256, c.number)
        async with self._connection.stream(found) as rows:
            async for row in rows:
                yield Step(
                    sha256=bytes(row.sha256),
                    old_label=label_value(row.old_label, row.old_regions),
                    old_label_id=row.old_label_id,
                    new_label=label_value(row.new_label, row.new_regions),
                    new_label_id=row.new_label_id,
                )


def _counts_json(counts: Counts) -> Mapping[str, int]:
    return {f"{use.value}/{stream.value}": n for (use, stream), n in sorted(counts.by.items(), key=_by_name)}


def _by_name(item: tuple[tuple[Use, Stream], int]) -> tuple[str, str]:
    return item[0][0].value, item[0][1].value


def _counts(found: Mapping[str, int]) -> Counts:
    parts = {tuple(name.split("/")): n for name, n in found.items()}
    return Counts(by={(Use(use), Stream(stream)): n for (use, stream), n in parts.items()})


def _version(row: Any) -> Version:
    return Version(
        project_id=row.project_id,
        number=row.number,
        digest=bytes(row.digest),
        counts=_counts(row.counts),
        new_counts=_counts(row.new_counts),
        relabeled=row.relabeled,
        message=row.message,
        import_id=row.import_id,
        project_revision=row.project_revision,
        created_at=row.created_at,
    )
