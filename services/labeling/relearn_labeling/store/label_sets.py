"""Label sets by version: a task is answered in the one it was opened under, whatever the project says by then."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn.registry.v1 import project_pb2
from relearn_labeling.store.tables import label_sets
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
