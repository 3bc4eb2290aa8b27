"""Label sets by version: a task that somebody has answered, or holds, is answered in its own to the end."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn.registry.v1 import project_pb2
from relearn_labeling.domain.tasks import State
from relearn_labeling.store.tables import label_sets, label_tasks, leases
from relearn_runtime import driver


class LabelSets:
    """The label sets, within one transaction. One never changes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, project_id: str, label_set: project_pb2.LabelSet) -> None:
        """Keeps a label set for the tasks that will be opened under it."""
        content = label_set.SerializeToString()
        new = insert(label_sets).values(project_id=project_id, version=label_set.version, content=content)
        await self._connection.execute(new.on_conflict_do_nothing())

    async def get(self, project_id: str, version: int) -> project_pb2.LabelSet:
        """The label set of a task that there is."""
        query = "select content from label_sets where project_id = $1 and version = $2"
        content: bytes = await (await driver(self._connection)).fetchval(query, project_id, version)
        return project_pb2.LabelSet.FromString(content)

    async def follow(self, project_id: str, version: int, *, now: datetime, limit: int) -> int:
        """Moves open tasks of older label sets that nobody has answered or holds to this one; how many moved.

        A task stays where it is when its sample has one in a newer label set already. Those locked by others wait.
        """
        unheld = ~sa.exists().where(
            leases.c.label_task_id == label_tasks.c.label_task_id, leases.c.ended.is_(None), leases.c.expires_at > now
        )
        newer = label_tasks.alias("newer")
        last = ~sa.exists().where(
            newer.c.sample_id == label_tasks.c.sample_id, newer.c.label_set_version > label_tasks.c.label_set_version
        )
        old = (
            (label_tasks.c.project_id == project_id)
            & (label_tasks.c.state == State.OPEN.value)
            & (label_tasks.c.answers == 0)
            & (label_tasks.c.label_set_version < version)
        )
        found = sa.select(label_tasks.c.label_task_id).where(old, unheld, last).limit(limit)
        locked = found.with_for_update(of=label_tasks, skip_locked=True)
        ids = list((await self._connection.execute(locked)).scalars())
        if not ids:
            return 0
        # asked again, now that nobody can take them: a lease may have come between the look and the lock
        move = sa.update(label_tasks).where(label_tasks.c.label_task_id.in_(ids), unheld)
        moved = await self._connection.execute(move.values(label_set_version=version, updated_at=now))
        return moved.rowcount
