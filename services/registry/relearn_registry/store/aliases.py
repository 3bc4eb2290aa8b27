"""The route of each project as heard from serving, and the names that follow it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_registry.domain.versions import RouteNow
from relearn_registry.store.tables import aliases, routes


class Routes:
    """The newest route of each project, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, project_id: str) -> RouteNow | None:
        """The route in force; None while nothing serves."""
        row = (await self._connection.execute(sa.select(routes).where(routes.c.project_id == project_id))).first()
        if row is None:
            return None
        return RouteNow(
            route_id=row.route_id,
            event_id=row.event_id,
            revision=row.revision,
            champion_id=row.champion_id,
            challenger_id=row.challenger_id,
            in_shadow=row.in_shadow,
            barred=frozenset(row.barred),
        )

    async def save(self, project_id: str, route: RouteNow) -> None:
        """Puts a newer route in force; the caller has locked the project and compared revisions."""
        values = {
            "route_id": route.route_id,
            "event_id": route.event_id,
            "revision": route.revision,
            "champion_id": route.champion_id,
            "challenger_id": route.challenger_id,
            "in_shadow": route.in_shadow,
            "barred": sorted(route.barred),
        }
        new = insert(routes).values(project_id=project_id, **values)
        await self._connection.execute(new.on_conflict_do_update(index_elements=["project_id"], set_=values))


class Aliases:
    """Names of versions, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, project_id: str) -> dict[str, str]:
        """Alias to version; an alias that names none is left out."""
        query = sa.select(aliases.c.alias, aliases.c.model_version_id).where(aliases.c.project_id == project_id)
        rows = await self._connection.execute(query.order_by(aliases.c.alias))
        return {alias: version for alias, version in rows if version}

    async def move(self, project_id: str, alias: str, version_id: str, *, route_revision: int) -> None:
        """The alias names another version, or none."""
        values = {"model_version_id": version_id, "route_revision": route_revision}
        new = insert(aliases).values(project_id=project_id, alias=alias, **values)
        older = aliases.c.route_revision < route_revision
        upsert = new.on_conflict_do_update(index_elements=["project_id", "alias"], set_=values, where=older)
        await self._connection.execute(upsert)
