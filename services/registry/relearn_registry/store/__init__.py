"""What the registry keeps, and one transaction on it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import relearn_runtime
from relearn.registry.v1.project_pb2 import Project
from relearn_registry.store.aliases import Aliases, Routes
from relearn_registry.store.evidence import PairEvidence
from relearn_registry.store.judgements import Approvals, Judgements
from relearn_registry.store.labels import SeenLabels
from relearn_registry.store.lineage import Lineage
from relearn_registry.store.model_versions import ModelVersions


class Transaction(relearn_runtime.Transaction):
    """One transaction of the registry; projects are the runtime's table, which only the registry writes by itself."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.model_versions = ModelVersions(connection)
        self.judgements = Judgements(connection)
        self.approvals = Approvals(connection)
        self.routes = Routes(connection)
        self.aliases = Aliases(connection)
        self.pairs = PairEvidence(connection)
        self.labels = SeenLabels(connection)
        self.lineage = Lineage(connection)

    async def lock_project(self, project_id: str) -> None:
        """Waits until nobody else decides about this project; until the end of the transaction.

        Taken before any row of the project and before lineage, by everybody, so that nobody waits in a circle.
        """
        key = sa.func.hashtextextended(project_id, 0)
        await self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    async def locked_project(self, project_id: str) -> Project:
        """The project, locked, for event handlers.

        Raises:
            NotYetKnown: not applied yet; the event waits.
        """
        await self.lock_project(project_id)
        return await self.projects.get(project_id)


__all__ = ["Transaction"]
