"""Windows: the open one of each version, and those that are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring import arrays
from relearn_monitoring.domain.drift import DriftScore
from relearn_monitoring.domain.profile import Profile
from relearn_monitoring.domain.windows import ClosedWindow, OpenWindow
from relearn_monitoring.store.tables import open_windows, windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """An open window that may be due."""

    model_version_id: str
    project_id: str
    opened_at: datetime


class Windows:
    """Their rows; the project's row is locked by whoever changes them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, model_version_id: str) -> OpenWindow | None:
        """The open window of a version."""
        query = sa.select(open_windows).where(open_windows.c.model_version_id == model_version_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _open(row)

    async def save_open(self, window: OpenWindow) -> None:
        """Writes it, whether new or not."""
        values = {
            "model_version_id": window.model_version_id,
            "project_id": window.project_id,
            "number": window.number,
            "reference_id": window.profile.reference_id,
            "profile": arrays.of_profile(window.profile),
            "start_at": window.start_at,
            "end_at": window.end_at,
            "opened_at": window.opened_at,
            "last_event_id": window.last_event_id,
        }
        new = insert(open_windows).values(**values)
        await self._connection.execute(
            new.on_conflict_do_update(index_elements=[open_windows.c.model_version_id], set_=values)
        )

    async def drop_open(self, model_version_id: str) -> None:
        """It was closed, or will be opened by the next prediction."""
        where = open_windows.c.model_version_id == model_version_id
        await self._connection.execute(sa.delete(open_windows).where(where))

    async def all_open(self) -> list[Late]:
        """Of all projects, oldest first."""
        columns = (open_windows.c.model_version_id, open_windows.c.project_id, open_windows.c.opened_at)
        rows = await self._connection.execute(sa.select(*columns).order_by(open_windows.c.opened_at))
        return [Late(**row._mapping) for row in rows]

    async def add_closed(self, window: ClosedWindow) -> None:
        """Keeps a closed one."""
        values = asdict(window) | {"drift_scores": [asdict(score) for score in window.drift_scores]}
        await self._connection.execute(sa.insert(windows).values(**values))

    async def page(self, project_id: str, *, before: int | None, size: int) -> list[tuple[int, ClosedWindow]]:
        """Closed windows with their places, newest first."""
        where = [windows.c.project_id == project_id]
        if before is not None:
            where.append(windows.c.sequence < before)
        query = sa.select(windows).where(*where).order_by(windows.c.sequence.desc()).limit(size)
        return [(row.sequence, _closed(row)) for row in await self._connection.execute(query)]


def _open(row: Any) -> OpenWindow:
    profile: Profile = arrays.profile(row.profile, reference_id=row.reference_id)
    return OpenWindow(
        model_version_id=row.model_version_id,
        project_id=row.project_id,
        number=row.number,
        profile=profile,
        start_at=row.start_at,
        end_at=row.end_at,
        opened_at=row.opened_at,
        last_event_id=row.last_event_id,
    )


def _closed(row: Any) -> ClosedWindow:
    values = {name: value for name, value in row._mapping.items() if name != "sequence"}
    scores: Sequence[DriftScore] = [DriftScore(**score) for score in values.pop("drift_scores")]
    labels = tuple(values.pop("predicted_labels"))
    return ClosedWindow(**values, drift_scores=tuple(scores), predicted_labels=labels)
