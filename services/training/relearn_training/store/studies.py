"""Studies and their runs; a study is worked on by whoever holds its lease."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_runtime.errors import NotFound, StaleWrite
from relearn_training.domain.studies import Run, Study
from relearn_training.store import rows
from relearn_training.store.tables import runs, studies


class StudyNotFound(NotFound):
    """There is no study of this id."""

    reason = "STUDY_NOT_FOUND"


class LeaseLost(StaleWrite):
    """Another process has taken the study over, or it has ended."""

    reason = "LEASE_LOST"


class Studies:
    """Studies and runs, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, study: Study) -> None:
        """A new study, claimed by nobody."""
        await self._connection.execute(sa.insert(studies).values(**rows.study_row(study)))

    async def get(self, study_id: str) -> Study:
        """One study. Raises StudyNotFound."""
        query = sa.select(studies).where(studies.c.study_id == study_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise StudyNotFound(f"there is no study {study_id!r}", study_id=study_id)
        return rows.study(row)

    async def page(self, project_id: str, *, size: int, after: tuple[datetime, str] | None) -> list[Study]:
        """Studies of a project, newest first, at most `size` after a place."""
        query = sa.select(studies).where(studies.c.project_id == project_id)
        if after is not None:
            query = query.where(
                sa.tuple_(studies.c.started_at, studies.c.study_id) < sa.tuple_(*map(sa.literal, after))
            )
        query = query.order_by(studies.c.started_at.desc(), studies.c.study_id.desc()).limit(size)
        return [rows.study(row) for row in (await self._connection.execute(query)).mappings()]

    async def running(self, project_id: str) -> Study | None:
        """The study that runs now, if any."""
        query = sa.select(studies).where(studies.c.project_id == project_id, studies.c.state == "running")
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else rows.study(row)

    async def claim(self, owner: str, *, now: datetime, lease: timedelta) -> Study | None:
        """A running study that nobody works on, now leased to `owner`; None when there is none.

        One that was never worked on comes first, then the one that was left longest ago: a study that cannot go on
        must not keep the others waiting.
        """
        free = (studies.c.state == "running") & (studies.c.lease_until.is_(None) | (studies.c.lease_until < now))
        turn = (studies.c.lease_until.asc().nulls_first(), studies.c.started_at)
        query = sa.select(studies).where(free).order_by(*turn).limit(1)
        row = (await self._connection.execute(query.with_for_update(skip_locked=True))).mappings().one_or_none()
        if row is None:
            return None
        change = sa.update(studies).where(studies.c.study_id == row["study_id"])
        await self._connection.execute(change.values(lease_owner=owner, lease_until=now + lease))
        return rows.study(row)

    async def renew(self, study_id: str, owner: str, *, now: datetime, lease: timedelta) -> None:
        """A longer lease. Raises LeaseLost."""
        await self._owned(study_id, owner, {"lease_until": now + lease})

    async def tried(self, study_id: str, owner: str) -> int:
        """Count a try that went wrong; how many there were by now. Raises LeaseLost."""
        await self._owned(study_id, owner, {"tries": studies.c.tries + 1})
        query = sa.select(studies.c.tries).where(studies.c.study_id == study_id)
        return int((await self._connection.execute(query)).scalar_one())

    async def release(self, study_id: str, owner: str, *, until: datetime) -> None:
        """Let others work on a study after `until`; nothing happens where the lease is lost already."""
        change = sa.update(studies).where(studies.c.study_id == study_id, studies.c.lease_owner == owner)
        await self._connection.execute(change.values(lease_owner=None, lease_until=until))

    async def all_running(self) -> list[str]:
        """Ids of the studies that run now, of all projects."""
        query = sa.select(studies.c.study_id).where(studies.c.state == "running")
        return list((await self._connection.execute(query)).scalars())

    async def hold(self, study_id: str, owner: str) -> Study:
        """The study, locked, for a write of the one who works on it. Raises LeaseLost."""
        query = sa.select(studies).where(studies.c.study_id == study_id).with_for_update()
        row = (await self._connection.execute(query)).mappings().one()
        if row["lease_owner"] != owner or row["state"] != "running":
            raise LeaseLost(f"study {study_id} is no longer ours", study_id=study_id)
        return rows.study(row)

    async def prepared(self, study_id: str, owner: str, preprocessing: Mapping[str, Any]) -> None:
        """Keep the preprocessing that the study's models share. Raises LeaseLost."""
        await self._owned(study_id, owner, {"preprocessing": dict(preprocessing)})

    async def preprocessing(self, run_id: str) -> dict[str, Any] | None:
        """The preprocessing of the study that a run belongs to; None when unknown."""
        query = sa.select(studies.c.preprocessing).join(runs, runs.c.study_id == studies.c.study_id)
        found: dict[str, Any] | None = (await self._connection.execute(query.where(runs.c.run_id == run_id))).scalar()
        return found

    async def end(self, study: Study) -> None:
        """Save state, failure and end of a study, and free its lease."""
        change = sa.update(studies).where(studies.c.study_id == study.id)
        await self._connection.execute(
            change.values(
                state=study.state.value,
                failure=study.failure,
                ended_at=study.ended_at,
                lease_owner=None,
                lease_until=None,
            )
        )

    async def runs_of(self, study_id: str) -> list[Run]:
        """Runs by trial."""
        query = sa.select(runs).where(runs.c.study_id == study_id).order_by(runs.c.trial)
        return [rows.run(row) for row in (await self._connection.execute(query)).mappings()]

    async def run(self, run_id: str) -> Run | None:
        """One run; None when it is not ours."""
        row = (await self._connection.execute(sa.select(runs).where(runs.c.run_id == run_id))).mappings().one_or_none()
        return None if row is None else rows.run(row)

    async def add_run(self, run: Run) -> None:
        """A new run; the second one of the same trial is an error of the database."""
        await self._connection.execute(sa.insert(runs).values(**rows.run_row(run)))

    async def save_run(self, run: Run) -> None:
        """Save a run over itself."""
        await self._connection.execute(sa.update(runs).where(runs.c.run_id == run.id).values(**rows.run_row(run)))

    async def progressed(self, progress: Mapping[str, float]) -> None:
        """Save how far unfinished runs are."""
        for run_id, value in progress.items():
            change = sa.update(runs).where(runs.c.run_id == run_id, runs.c.state == "running")
            await self._connection.execute(change.values(progress=value))

    async def _owned(self, study_id: str, owner: str, values: Mapping[str, Any]) -> None:
        mine = (studies.c.study_id == study_id) & (studies.c.lease_owner == owner) & (studies.c.state == "running")
        changed = await self._connection.execute(sa.update(studies).where(mine).values(**values))
        if changed.rowcount != 1:
            raise LeaseLost(f"study {study_id} is no longer ours", study_id=study_id)
