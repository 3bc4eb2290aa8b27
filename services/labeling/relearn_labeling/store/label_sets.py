"""Label sets by version: a task that somebody has answered, or holds, is answered in its own to the end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn.registry.v1 import project_pb2
from relearn_labeling.store.tables import label_sets
from relearn_runtime import driver

_UNHELD = """not exists (
        select 1 from leases l where l.label_task_id = t.label_task_id and l.ended is null and l.expires_at > $3)"""
_FOLLOWERS = f"""
    select t.label_task_id from label_tasks t
    where t.project_id = $1 and t.state = 'open' and t.answers = 0 and t.label_set_version < $2 and {_UNHELD}
        and not exists (
            select 1 from label_tasks n where n.sample_id = t.sample_id and n.label_set_version > t.label_set_version)
        and not exists (
            select 1 from gold_tasks g where g.project_id = $1 and g.removed_at is null
                and g.sample_id = t.sample_id and g.label_set_version > t.label_set_version)
    limit $4 for update of t skip locked"""  # noqa: S608 - from constants alone
_MOVE = f"""
    update label_tasks t set label_set_version = $2, updated_at = $3
    where t.label_task_id = any($1) and {_UNHELD} returning 1"""  # noqa: S608


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

        A task stays where it is when its sample has one, or is gold, in a newer label set already. What others have
        locked waits.
        """
        asyncpg = await driver(self._connection)
        ids = [row["label_task_id"] for row in await asyncpg.fetch(_FOLLOWERS, project_id, version, now, limit)]
        if not ids:
            return 0
        # asked again, now that nobody can take them: a lease may have come between the look and the lock
        moved = await asyncpg.fetch(_MOVE, ids, version, now)
        return len(moved)
