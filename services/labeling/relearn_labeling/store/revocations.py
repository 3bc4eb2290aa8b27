"""Revocations: what was asked, how far it has come, and the tasks that are left of it."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.revocations import Revocation
from relearn_labeling.store import statements
from relearn_labeling.store.tables import revocations
from relearn_runtime import driver

_PROGRESS = ("answers", "reopened", "decided", "done")
_GET = "select * from revocations where revocation_id = $1 for update"
_UNDER_WAY = """
    select revocation_id from revocations where not done and revocation_id <> all ($1)
    order by created_at limit 1 for update skip locked"""
_KNOWN = """
    select exists (select 1 from annotators where project_id = $1 and annotator = $2)
        or exists (
            select 1 from annotations join label_tasks using (label_task_id)
            where project_id = $1 and annotator = $2)
        or exists (
            select 1 from withdrawn_annotations join label_tasks using (label_task_id)
            where project_id = $1 and annotator = $2)"""
# what is done is no longer among them, and so it goes on where it was killed
_LEFT = """
    select a.label_task_id from annotations a join label_tasks t using (label_task_id)
    where t.project_id = $1 and a.annotator = $2 and a.created_at >= $3 and a.created_at < $4
    union
    select w.label_task_id from withdrawn_annotations w join label_tasks t using (label_task_id)
    where t.project_id = $1 and w.annotator = $2 and w.created_at >= $3 and w.created_at < $4 and not w.revoked
    order by 1 limit $5"""


class Revocations:
    """The revocations, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def has_worked(self, project_id: str, annotator: str) -> bool:
        """Whether the annotator has asked for work in a project, or answered in it."""
        found: bool = await (await driver(self._connection)).fetchval(_KNOWN, project_id, annotator)
        return found

    async def add(self, revocation: Revocation) -> None:
        """Keeps a new one; one that is there is left as it is."""
        await self._connection.execute(insert(revocations).values(_row(revocation)).on_conflict_do_nothing())

    async def get_for_update(self, revocation_id: str) -> Revocation:
        """One that there is, locked: its slices come one after the other."""
        row = await (await driver(self._connection)).fetchrow(_GET, revocation_id)
        return Revocation(id=row["revocation_id"], **{name: row[name] for name in _names()})

    async def under_way(self, *, but: list[str]) -> str | None:
        """The oldest that isn't done and that nobody is at, but for these."""
        found: str | None = await (await driver(self._connection)).fetchval(_UNDER_WAY, but)
        return found

    async def left(self, revocation: Revocation, *, limit: int) -> list[str]:
        """Tasks that still have answers of it, in one order, so that nobody waits in a circle."""
        found = await (await driver(self._connection)).fetch(
            _LEFT, revocation.project_id, revocation.annotator, revocation.since, revocation.created_at, limit
        )
        return [row["label_task_id"] for row in found]

    async def save(self, revocation: Revocation) -> None:
        """Writes how far it has come."""
        await statements.update(await driver(self._connection), revocations, _row(revocation), _PROGRESS)


def _names() -> list[str]:
    return [field.name for field in fields(Revocation) if field.name != "id"]


def _row(revocation: Revocation) -> dict[str, Any]:
    values: dict[str, str | datetime | int | bool] = {name: getattr(revocation, name) for name in _names()}
    return {"revocation_id": revocation.id, **values}
