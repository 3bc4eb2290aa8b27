"""Label sets by version: a task is answered in the one it was opened under, whatever the project says by then."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn.registry.v1 import project_pb2
from relearn_labeling.store.tables import label_sets


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
        here = (label_sets.c.project_id == project_id) & (label_sets.c.version == version)
        found = await self._connection.execute(sa.select(label_sets.c.content).where(here))
        return project_pb2.LabelSet.FromString(found.scalar_one())
