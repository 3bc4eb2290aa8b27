"""Projects under watch, and what their gateways have numbered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.watches import Made, Monitored
from relearn_monitoring.store.tables import gateways, monitored_projects


class MonitoredProjects:
    """Their rows. Whoever changes anything of a project locks its row first: one decision at a time."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, project_id: str, *, now: datetime) -> Monitored:
        """The project as it is today, locked until the end of the transaction; made when it is new."""
        new = insert(monitored_projects).values(project_id=project_id, day=now.date(), first_day=now.date())
        await self._connection.execute(new.on_conflict_do_nothing())
        query = sa.select(monitored_projects).where(monitored_projects.c.project_id == project_id)
        row = (await self._connection.execute(query.with_for_update())).one()
        return Monitored(**row._mapping).on(now.date())

    async def find(self, project_id: str) -> Monitored | None:
        """The project, without a lock; None before its first prediction or route."""
        query = sa.select(monitored_projects).where(monitored_projects.c.project_id == project_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else Monitored(**row._mapping)

    async def save(self, monitored: Monitored) -> None:
        """Writes a locked project back."""
        where = monitored_projects.c.project_id == monitored.project_id
        await self._connection.execute(sa.update(monitored_projects).where(where).values(**asdict(monitored)))

    async def number(self, predictions: Iterable[Made]) -> None:
        """Notes the numbers that gateways gave to these new predictions."""
        seen: dict[tuple[str, str], list[int]] = {}
        for made in predictions:
            seen.setdefault((made.gateway_id, made.project_id), []).append(made.sequence)
        for (gateway_id, project_id), numbers in sorted(seen.items()):
            row = {"gateway_id": gateway_id, "project_id": project_id}
            new = insert(gateways).values(**row, highest=max(numbers), received=len(numbers))
            merged = {
                "highest": sa.func.greatest(gateways.c.highest, new.excluded.highest),
                "received": gateways.c.received + new.excluded.received,
            }
            key = [gateways.c.gateway_id, gateways.c.project_id]
            await self._connection.execute(new.on_conflict_do_update(index_elements=key, set_=merged))

    async def missing(self, project_id: str) -> int:
        """Predictions that the gateways of this project have numbered but that never came.

        A gateway numbers all its predictions in one row, so those of other projects it serves are in the sum.
        """
        one = sa.select(
            sa.func.greatest(0, sa.func.max(gateways.c.highest) - sa.func.sum(gateways.c.received)).label("missing")
        )
        serving = sa.select(gateways.c.gateway_id).where(gateways.c.project_id == project_id)
        each = one.where(gateways.c.gateway_id.in_(serving)).group_by(gateways.c.gateway_id).subquery()
        total = await self._connection.execute(sa.select(sa.func.coalesce(sa.func.sum(each.c.missing), 0)))
        return int(total.scalar_one())
