"""Imports and exports: many tasks at once, past the loading and saving of single ones."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import sqlalchemy as sa
from asyncpg import UniqueViolationError
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.tasks import LabelTask
from relearn_labeling.store import rows, tables
from relearn_runtime import driver
from relearn_runtime.errors import StaleWrite

_KNOWN = "select digest from imported_records where project_id = $1 and digest = any($2)"
_KEEP = """
    insert into imported_records (project_id, digest) select $1, unnest($2::bytea[])
    on conflict do nothing returning digest"""
_HORIZON = "select pg_snapshot_xmin(pg_current_snapshot()), (select system_identifier from pg_control_system())"
_PAGE = """
    select t.label_task_id, t.project_id, t.sample_id, t.label_set_version, t.state, t.overlap, t.answers,
        t.created_at, t.updated_at, t.changed, l.label_id, l.regions, l.annotation_ids, l.answers as label_answers,
        l.agreement, l.posterior, l.time_spent, l.reviewer, l.accepted_at
    from label_tasks t left join labels l on l.label_id = t.label_id
    where t.project_id = $1 and (t.changed, t.label_task_id) > ($2, $3) and (t.label_id is not null or not $4)
    order by t.changed, t.label_task_id limit $5"""
_ANSWERS = """
    select annotation_id, label_task_id, annotator, regions, time_spent, created_at from annotations
    where label_task_id = any($1) order by label_task_id, created_at, slot"""
_COUNT = """
    select count(*) from label_tasks
    where project_id = $1 and (changed, label_task_id) > ($2, $3) and (label_id is not null or not $4)"""
_TURN: Final = 8  # tasks after which others get a turn
_TASK_AND_PARTS: Final = (
    tables.label_tasks,
    tables.flags,
    tables.label_requests,
    tables.annotations,
    tables.labels,
    tables.assignments,
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A place in the order of an export: the transaction that last changed a task, then the task's id.

    The default is before every task; so is its id among those of one transaction, which are longer.
    """

    transaction: int = 0
    label_task_id: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """How far an export may say that it has come.

    Attributes:
        place: every change that isn't visible yet, however early it began, will be at it or after it.
        cluster: of the database; places of another one mean nothing here.
    """

    place: Place
    cluster: int


class Exchange:
    """Within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def known(self, project_id: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys whose records are there."""
        digests = {_digest(key): key for key in keys}
        found = await (await driver(self._connection)).fetch(_KNOWN, project_id, list(digests))
        return {digests[row["digest"]] for row in found}

    async def keep(self, project_id: str, keys: Sequence[str]) -> None:
        """Keeps that the records of these keys are there.

        Raises:
            StaleWrite: another transaction has imported one of them meanwhile; look again.
        """
        digests = sorted(_digest(key) for key in keys)  # in one order, so that nobody waits in a circle
        kept = await (await driver(self._connection)).fetch(_KEEP, project_id, digests)
        if len(kept) < len(digests):
            raise StaleWrite("a record was imported by another meanwhile", project_id=project_id)

    async def add(self, tasks: Iterable[LabelTask]) -> None:
        """Inserts new tasks with all that belongs to them, in bulk.

        Raises:
            StaleWrite: another transaction has opened the task of one of the samples; look again.
        """
        by_table: defaultdict[sa.Table, list[Mapping[str, Any]]] = defaultdict(list)
        for number, task in enumerate(tasks):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            by_table[tables.label_tasks].append(rows.of_task(task))
            by_table[tables.flags] += rows.of_flags(task, known=0)
            by_table[tables.label_requests] += rows.of_requests(task, known=0)
            by_table[tables.annotations] += rows.of_annotations(task)
            by_table[tables.labels] += [rows.of_label(task.label, task.id)] if task.label else []
            by_table[tables.assignments] += rows.of_assignments(task)
        try:
            for table in _TASK_AND_PARTS:
                await self._copy(table, by_table[table])
        except UniqueViolationError as error:
            raise StaleWrite("the label task of a sample was opened by another meanwhile") from error

    async def _copy(self, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> None:
        if not values:
            return
        columns = list(values[0])
        asyncpg = await driver(self._connection)
        records = [tuple(row.values()) for row in values]
        await asyncpg.copy_records_to_table(table.name, columns=columns, records=records)

    async def horizon(self) -> Horizon:
        """As of now: what is read after this in the same transaction, and said to reach up to it, misses nothing."""
        row = await (await driver(self._connection)).fetchrow(_HORIZON)
        return Horizon(place=Place(transaction=row[0]), cluster=row[1])

    async def count(self, project_id: str, *, after: Place, finished_only: bool) -> int:
        """How many tasks come after a place."""
        values = (project_id, after.transaction, after.label_task_id, finished_only)
        found: int = await (await driver(self._connection)).fetchval(_COUNT, *values)
        return found

    async def page(
        self, project_id: str, *, after: Place, finished_only: bool, size: int
    ) -> tuple[list[Mapping[str, Any]], dict[str, list[Mapping[str, Any]]]]:
        """The next tasks after a place with their labels, as rows, and the rows of their answers by task."""
        asyncpg = await driver(self._connection)
        values = (project_id, after.transaction, after.label_task_id, finished_only, size)
        found = await asyncpg.fetch(_PAGE, *values)
        answered = [row["label_task_id"] for row in found if row["answers"]]
        answers: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in await asyncpg.fetch(_ANSWERS, answered) if answered else []:
            answers[row["label_task_id"]].append(row)
        return found, answers


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()
