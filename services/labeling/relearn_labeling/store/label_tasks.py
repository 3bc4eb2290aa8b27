"""Label tasks: loaded whole, saved whole. One statement loads any number of them, and only differences are written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.errors import TaskNotFound
from relearn_labeling.domain.tasks import LabelTask, Lease, State
from relearn_labeling.store import rows, statements
from relearn_labeling.store.tables import (
    annotations,
    assignments,
    flags,
    label_requests,
    label_tasks,
    labels,
    leases,
    skips,
    withdrawn_annotations,
)
from relearn_runtime import driver
from relearn_runtime.errors import StaleWrite

T = TypeVar("T")

_COUNTED = ("annotation_ids", "answers", "agreement", "posterior", "time_spent", "reviewer")  # what confirms a label
_NEWEST_FIRST = (label_tasks.c.created_at.desc(), label_tasks.c.label_task_id.desc())
# within a task two answers may carry the same instant; the slot keeps their order stable
_LOAD = """
    select t as task,
        array(select p from flags p where p.label_task_id = t.label_task_id order by number) as flags,
        array(select p from label_requests p where p.label_task_id = t.label_task_id order by number) as requests,
        array(select p from leases p where p.label_task_id = t.label_task_id order by slot, leased_at) as leases,
        array(select p from annotations p where p.label_task_id = t.label_task_id order by created_at, slot)
            as annotations,
        array(select p from withdrawn_annotations p where p.label_task_id = t.label_task_id order by number)
            as withdrawn,
        array(select p from labels p where p.label_id = t.label_id) as labels
    from unnest($1::text[]) with ordinality wanted (id, place)
    join label_tasks t on t.label_task_id = wanted.id
    order by wanted.place"""
_LOCK = "select label_task_id from label_tasks where label_task_id = $1 for update"
# in one order, so that nobody waits in a circle
_LOCK_MANY = "select label_task_id from label_tasks where label_task_id = any($1) order by 1 for update"
_LOCK_OF_SAMPLES = """
    select label_task_id from label_tasks where sample_id = any($1) and label_set_version = $2
    order by label_task_id for update"""
_LOCK_OF_SAMPLE = "select label_task_id from label_tasks where sample_id = $1 and label_set_version = $2 for update"


class LabelTasks:
    """The tasks, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._known: dict[str, LabelTask] = {}  # as they are in the database

    async def of(self, sample_id: str, label_set_version: int) -> LabelTask | None:
        """The one task of a sample in a label set, locked; None when there is none yet."""
        asyncpg = await driver(self._connection)
        label_task_id = await asyncpg.fetchval(_LOCK_OF_SAMPLE, sample_id, label_set_version)
        return None if label_task_id is None else (await self._load([label_task_id]))[0]

    async def of_samples(self, sample_ids: Sequence[str], label_set_version: int) -> dict[str, LabelTask]:
        """The tasks that these samples have in a label set, locked, by sample."""
        asyncpg = await driver(self._connection)
        found = await asyncpg.fetch(_LOCK_OF_SAMPLES, list(sample_ids), label_set_version)
        return {task.sample_id: task for task in await self._load([row["label_task_id"] for row in found])}

    async def get_many_for_update(self, label_task_ids: Sequence[str]) -> list[LabelTask]:
        """These tasks, locked.

        Raises:
            TaskNotFound: there is none with one of the ids.
        """
        asyncpg = await driver(self._connection)
        locked = {row["label_task_id"] for row in await asyncpg.fetch(_LOCK_MANY, list(label_task_ids))}
        for label_task_id in label_task_ids:
            _found(label_task_id if label_task_id in locked else None, label_task_id)
        return await self._load(sorted(locked))

    async def get(self, label_task_id: str) -> LabelTask:
        """One task, not locked.

        Raises:
            TaskNotFound: there is none.
        """
        loaded = await self._load([label_task_id])
        return _found(loaded[0] if loaded else None, label_task_id)

    async def get_for_update(self, label_task_id: str) -> LabelTask:
        """One task, locked. Its parts are read after its row was locked, and so are never older.

        Raises:
            TaskNotFound: there is none.
        """
        await (await driver(self._connection)).fetchval(_LOCK, label_task_id)
        return await self.get(label_task_id)

    async def project_of(self, label_task_id: str) -> str:
        """The project of a task, which never changes; for what is locked before the task.

        Raises:
            TaskNotFound: there is none.
        """
        query = "select project_id from label_tasks where label_task_id = $1"
        project_id: str | None = await (await driver(self._connection)).fetchval(query, label_task_id)
        return _found(project_id, label_task_id)

    async def page(
        self, project_id: str, *, state: State | None, size: int, before: tuple[datetime, str] | None
    ) -> list[LabelTask]:
        """Tasks newest first, those created before the given (time, id)."""
        query = sa.select(label_tasks.c.label_task_id).where(_in(project_id, state)).order_by(*_NEWEST_FIRST)
        if before is not None:
            place = sa.tuple_(label_tasks.c.created_at, label_tasks.c.label_task_id)
            query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        return await self._load(list((await self._connection.execute(query.limit(size))).scalars()))

    async def count(self, project_id: str, *, state: State | None) -> int:
        """How many there are."""
        query = sa.select(sa.func.count()).select_from(label_tasks).where(_in(project_id, state))
        return int((await self._connection.execute(query)).scalar_one())

    async def add(self, *tasks: LabelTask) -> None:
        """Inserts new tasks.

        Raises:
            StaleWrite: another transaction has opened the task of one of the samples; look again.
        """
        if not tasks:
            return
        new = (
            insert(label_tasks)
            .values([rows.of_task(task) for task in tasks])
            .on_conflict_do_nothing()
            .returning(label_tasks.c.sample_id)
        )
        added = set((await self._connection.execute(new)).scalars())
        if late := [task.sample_id for task in tasks if task.sample_id not in added]:
            raise StaleWrite(f"the label task of {late[0]} was opened by another", sample_id=late[0])
        await self._insert(flags, [row for task in tasks for row in rows.of_flags(task, known=0)])
        await self._insert(label_requests, [row for task in tasks for row in rows.of_requests(task, known=0)])
        self._known.update({task.id: task for task in tasks})

    async def save(self, task: LabelTask) -> None:
        """Writes a task that this transaction has locked and loaded."""
        known, row = self._known[task.id], rows.of_task(task)
        before = rows.of_task(known)
        if changed := {name for name, value in row.items() if value != before[name]}:
            await statements.update(await driver(self._connection), label_tasks, row, changed)
        await self._save_parts(task, known)

    async def skipped(self, task: LabelTask, annotator: str, *, reason: str, comment: str, now: datetime) -> None:
        """Keeps for managers that an annotator gave a task back, and why."""
        row = {"label_task_id": task.id, "annotator": annotator, "project_id": task.project_id}
        await self._insert(skips, [row | {"reason": reason, "comment": comment, "skipped_at": now}])

    async def _save_parts(self, task: LabelTask, known: LabelTask) -> None:
        """Writes the differences only.

        Reasons only grow; leases come, end and go; so do answers; a label's counts follow its answers.
        """
        await self._save_leases(task, known=known.leases)
        reasons = len(known.reasons)
        await self._insert(flags, rows.of_flags(task, known=reasons))
        await self._insert(label_requests, rows.of_requests(task, known=reasons))
        await self._save_annotations(task, known)
        await self._save_assignments(task, known)
        if task.label is not None and task.label != known.label:
            row = rows.of_label(task.label, task.id)
            await statements.insert(await driver(self._connection), labels, [row], upsert=_COUNTED)
        self._known[task.id] = task

    async def _insert(self, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> None:
        await statements.insert(await driver(self._connection), table, values)

    async def _save_leases(self, task: LabelTask, *, known: Sequence[Lease]) -> None:
        """Ends before beginnings: a slot is free before it is taken."""
        if gone := [lease.annotator for lease in known if lease not in task.leases]:
            query = "delete from leases where label_task_id = $1 and annotator = any($2)"
            await (await driver(self._connection)).execute(query, task.id, gone)
        await self._insert(leases, rows.of_leases(task, [lease for lease in task.leases if lease not in known]))

    async def _save_annotations(self, task: LabelTask, known: LabelTask) -> None:
        """An answer that is withdrawn moves to the table of those, and so no query counts it."""
        if task.annotations == known.annotations and task.withdrawn == known.withdrawn:
            return
        asyncpg = await driver(self._connection)
        if gone := {one.id for one in known.annotations} - {one.id for one in task.annotations}:
            await asyncpg.execute("delete from annotations where annotation_id = any($1)", list(gone))
        there = {one.id for one in known.annotations}
        await self._insert(annotations, [row for row in rows.of_annotations(task) if row["annotation_id"] not in there])
        before = rows.of_withdrawn(known)
        changed = [row for row in rows.of_withdrawn(task) if row not in before]
        await statements.insert(asyncpg, withdrawn_annotations, changed, upsert=("number", "rejection", "revoked"))

    async def _save_assignments(self, task: LabelTask, known: LabelTask) -> None:
        before = rows.of_assignments(known)
        if (now := rows.of_assignments(task)) == before:
            return
        if before:
            await self._connection.execute(sa.delete(assignments).where(assignments.c.label_task_id == task.id))
        await self._insert(assignments, now)

    async def _load(self, ids: Sequence[str]) -> list[LabelTask]:
        """The tasks with these ids, in their order; unknown ones are left out."""
        if not ids:
            return []
        found = await (await driver(self._connection)).fetch(_LOAD, ids)
        tasks = [
            rows.task(
                row["task"],
                flags=row["flags"],
                requests=row["requests"],
                leases=row["leases"],
                annotations=row["annotations"],
                withdrawn=row["withdrawn"],
                labels=row["labels"],
            )
            for row in found
        ]
        self._known.update({task.id: task for task in tasks})
        return tasks


def _in(project_id: str, state: State | None) -> sa.ColumnElement[bool]:
    where = label_tasks.c.project_id == project_id
    return where if state is None else where & (label_tasks.c.state == state)


def _found(value: T | None, label_task_id: str) -> T:
    if value is None:
        raise TaskNotFound(f"there is no label task {label_task_id!r}", label_task_id=label_task_id)
    return value
