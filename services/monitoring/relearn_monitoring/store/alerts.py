"""Alerts; a version has at most one that is live, which an index keeps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.alerts import Alert, Kind, State
from relearn_monitoring.domain.quality import Quality
from relearn_monitoring.store.tables import alerts

_LIVE = alerts.c.state.in_([State.OPEN.value, State.CONFIRMED.value])


class Alerts:
    """Rows of alerts; the project's row is locked by whoever changes them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def live(self, model_version_id: str) -> Alert | None:
        """The open or confirmed alert of a version."""
        query = sa.select(alerts).where(alerts.c.model_version_id == model_version_id, _LIVE)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _alert(row)

    async def live_of_project(self, project_id: str) -> list[Alert]:
        """The open and confirmed ones, oldest first."""
        query = sa.select(alerts).where(alerts.c.project_id == project_id, _LIVE).order_by(alerts.c.sequence)
        return [_alert(row) for row in await self._connection.execute(query)]

    async def add(self, alert: Alert) -> None:
        await self._connection.execute(sa.insert(alerts).values(**_values(alert)))

    async def save(self, alert: Alert) -> None:
        where = alerts.c.alert_id == alert.alert_id
        await self._connection.execute(sa.update(alerts).where(where).values(**_values(alert)))

    async def page(self, project_id: str, *, before: int | None, size: int) -> list[tuple[int, Alert]]:
        """Alerts with their places, newest first."""
        where = [alerts.c.project_id == project_id]
        if before is not None:
            where.append(alerts.c.sequence < before)
        query = sa.select(alerts).where(*where).order_by(alerts.c.sequence.desc()).limit(size)
        return [(row.sequence, _alert(row)) for row in await self._connection.execute(query)]


def _values(alert: Alert) -> dict[str, Any]:
    values = asdict(alert)
    values["harm_limit"] = values.pop("limit")
    return values | {"kind": alert.kind.value, "state": alert.state.value}


def _alert(row: Any) -> Alert:
    values = {name: value for name, value in row._mapping.items() if name != "sequence"}
    values["limit"] = values.pop("harm_limit")
    found = values.pop("quality")
    values |= {"kind": Kind(row.kind), "state": State(row.state), "quality": Quality(**found) if found else None}
    return Alert(**values)
