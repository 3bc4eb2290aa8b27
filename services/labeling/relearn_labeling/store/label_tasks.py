"""Label tasks: loaded whole, saved whole."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.errors import TaskNotFound
from relearn_labeling.domain.tasks import LabelTask, Lease, State
from relearn_labeling.store import rows
from relearn_labeling.store.tables import annotations, flags, label_tasks, labels, leases
from relearn_runtime.errors import StaleWrite

T = TypeVar("T")

_COUNTED = ("annotation_ids", "answers", "agreement", "posterior", "time_spent")  # grow with more answers to a label
_NEWEST_FIRST = (label_tasks.c.created_at.desc(), label_tasks.c.label_task_id.desc())


class LabelTasks:
    """The tasks, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._known: dict[str, LabelTask] = {}  # as they are in the database

    async def of(self, sample_id: str, label_set_version: int) -> LabelTask | None:
        """The one task of a sample in a label set, locked; None when there is none yet."""
        where = (label_tasks.c.sample_id == sample_id) & (label_tasks.c.label_set_version == label_set_version)
        return await self._one(sa.select(label_tasks).where(where).with_for_update())

    async def get(self, label_task_id: str) -> LabelTask:
        """One task, not locked.

        Raises:
            TaskNotFound: there is none.
        """
        query = sa.select(label_tasks).where(label_tasks.c.label_task_id == label_task_id)
        return _found(await self._one(query), label_task_id)

    async def get_for_update(self, label_task_id: str) -> LabelTask:
        """One task, locked.

        Raises:
            TaskNotFound: there is none.
        """
        query = sa.select(label_tasks).where(label_tasks.c.label_task_id == label_task_id).with_for_update()
        return _found(await self._one(query), label_task_id)

    async def project_of(self, label_task_id: str) -> str:
        """The project of a task, which never changes; for what is locked before the task.

        Raises:
            TaskNotFound: there is none.
        """
        query = sa.select(label_tasks.c.project_id).where(label_tasks.c.label_task_id == label_task_id)
        project_id: str | None = (await self._connection.execute(query)).scalar_one_or_none()
        return _found(project_id, label_task_id)

    async def page(
        self, project_id: str, *, state: State | None, size: int, before: tuple[datetime, str] | None
    ) -> list[LabelTask]:
        """Tasks newest first, those created before the given (time, id)."""
        query = sa.select(label_tasks).where(_in(project_id, state)).order_by(*_NEWEST_FIRST).limit(size)
        if before is not None:
            place = sa.tuple_(label_tasks.c.created_at, label_tasks.c.label_task_id)
            query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        return await self._load(await self._rows(query))

    async def count(self, project_id: str, *, state: State | None) -> int:
        """How many there are."""
        query = sa.select(sa.func.count()).select_from(label_tasks).where(_in(project_id, state))
        return int((await self._connection.execute(query)).scalar_one())

    async def add(self, task: LabelTask) -> None:
        """Inserts a new task.

        Raises:
            StaleWrite: another transaction has opened the task of this sample; look again.
        """
        new = (
            insert(label_tasks)
            .values(rows.of_task(task))
            .on_conflict_do_nothing()
            .returning(label_tasks.c.label_task_id)
        )
        if (await self._connection.execute(new)).first() is None:
            raise StaleWrite(f"the label task of {task.sample_id} was opened by another", sample_id=task.sample_id)
        await self._save_parts(task)

    async def save(self, task: LabelTask) -> None:
        """Writes a task that this transaction has locked."""
        row = rows.of_task(task)
        where = label_tasks.c.label_task_id == row.pop("label_task_id")
        await self._connection.execute(sa.update(label_tasks).where(where).values(row))
        await self._save_parts(task)

    async def _save_parts(self, task: LabelTask) -> None:
        """Writes the differences only.

        Flags and annotations only grow; leases come, end and go; a label's counts follow its answers.
        """
        known = self._known.get(task.id)
        await self._save_leases(task, known=known.leases if known else ())
        await self._insert(flags, rows.of_flags(task)[len(known.flags) if known else 0 :])
        await self._insert(annotations, rows.of_annotations(task)[len(known.annotations) if known else 0 :])
        if task.label is not None and (known is None or task.label != known.label):
            new = insert(labels).values(rows.of_label(task.label, task.id))
            update = {name: new.excluded[name] for name in _COUNTED}
            await self._connection.execute(new.on_conflict_do_update(index_elements=["label_id"], set_=update))
        self._known[task.id] = task

    async def _insert(self, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> None:
        if values:
            await self._connection.execute(insert(table).values(values))

    async def _save_leases(self, task: LabelTask, *, known: Sequence[Lease]) -> None:
        """Ends before beginnings: a slot is free before it is taken."""
        if gone := [lease.annotator for lease in known if lease not in task.leases]:
            where = (leases.c.label_task_id == task.id) & leases.c.annotator.in_(gone)
            await self._connection.execute(sa.delete(leases).where(where))
        await self._insert(leases, rows.of_leases(task, [lease for lease in task.leases if lease not in known]))

    async def _one(self, query: sa.Select[Any]) -> LabelTask | None:
        loaded = await self._load(await self._rows(query))
        return loaded[0] if loaded else None

    async def _rows(self, query: sa.Select[Any]) -> list[Mapping[str, Any]]:
        return [dict(row) for row in (await self._connection.execute(query)).mappings()]

    async def _load(self, found: Sequence[Mapping[str, Any]]) -> list[LabelTask]:
        """The tasks of the rows; their parts are read after the rows were locked, and so are never older."""
        ids = [row["label_task_id"] for row in found]
        if not ids:
            return []
        flags_of = await self._parts(sa.select(flags).where(flags.c.label_task_id.in_(ids)).order_by(flags.c.number))
        leases_of = await self._parts(sa.select(leases).where(leases.c.label_task_id.in_(ids)).order_by(leases.c.slot))
        given = sa.select(annotations).where(annotations.c.label_task_id.in_(ids))
        # within a task two answers may carry the same instant; the slot keeps their order stable
        annotations_of = await self._parts(given.order_by(annotations.c.created_at, annotations.c.slot))
        label_ids = [row["label_id"] for row in found if row["label_id"] is not None]
        labels_of = await self._parts(sa.select(labels).where(labels.c.label_id.in_(label_ids)))
        tasks = [
            rows.task(
                row,
                flags=flags_of[row["label_task_id"]],
                leases=leases_of[row["label_task_id"]],
                annotations=annotations_of[row["label_task_id"]],
                labels=labels_of[row["label_task_id"]],
            )
            for row in found
        ]
        self._known.update({task.id: task for task in tasks})
        return tasks

    async def _parts(self, query: sa.Select[Any]) -> defaultdict[str, list[Mapping[str, Any]]]:
        parts: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in (await self._connection.execute(query)).mappings():
            parts[row["label_task_id"]].append(dict(row))
        return parts


def _in(project_id: str, state: State | None) -> sa.ColumnElement[bool]:
    where = label_tasks.c.project_id == project_id
    return where if state is None else where & (label_tasks.c.state == state)


def _found(value: T | None, label_task_id: str) -> T:
    if value is None:
        raise TaskNotFound(f"there is no label task {label_task_id!r}", label_task_id=label_task_id)
    return value
