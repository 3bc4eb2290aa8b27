"""What is known of each project, gathered from the events of others, and what was decided about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_training.domain.policy import DatasetVersion, Known, Situation
from relearn_training.store.tables import alerts, dataset_versions, decisions, model_versions, situations, studies


class Situations:
    """Situations, alerts, model versions and decisions, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, project_id: str) -> Known:
        """The project's situation, locked until the transaction ends; an empty one for a project that is new."""
        empty = {"dataset_version_n": 0, "train": 0, "validation": 0, "version_event_id": ""}
        new = insert(situations).values(project_id=project_id, champion="", route_revision=0, **empty)
        await self._connection.execute(new.on_conflict_do_nothing())
        query = sa.select(situations).where(situations.c.project_id == project_id)
        row = (await self._connection.execute(query.with_for_update())).mappings().one()
        return await self._known(row)

    async def peek(self, project_id: str) -> Known | None:
        """The same without a lock; None for a project nothing was heard of."""
        query = sa.select(situations).where(situations.c.project_id == project_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else await self._known(row)

    async def add_version(
        self, project_id: str, version: DatasetVersion, *, committed_at: datetime, event_id: str
    ) -> None:
        """Note a committed version; one that is older than the newest stays behind it."""
        new = insert(dataset_versions).values(project_id=project_id, number=version.number, committed_at=committed_at)
        await self._connection.execute(new.on_conflict_do_nothing())
        where = (situations.c.project_id == project_id) & (situations.c.dataset_version_n < version.number)
        await self._connection.execute(
            sa.update(situations)
            .where(where)
            .values(
                dataset_version_id=version.id,
                dataset_version_n=version.number,
                train=version.train,
                validation=version.validation,
                version_event_id=event_id,
            )
        )

    async def route(self, project_id: str, *, champion: str, revision: int, rolled_back_at: datetime | None) -> bool:
        """Note what serves; False for a revision that is not newer than the known one, which changes nothing."""
        values: dict[str, Any] = {"champion": champion, "route_revision": revision}
        if rolled_back_at is not None:
            values["rolled_back_at"] = rolled_back_at
        where = (situations.c.project_id == project_id) & (situations.c.route_revision < revision)
        changed = await self._connection.execute(sa.update(situations).where(where).values(**values))
        return bool(changed.rowcount)

    async def reconsider(self, project_id: str, at: datetime | None) -> None:
        """Have the policy look again at a time; None: only when an event comes."""
        change = sa.update(situations).where(situations.c.project_id == project_id)
        await self._connection.execute(change.values(reconsider_at=at))

    async def due(self, now: datetime) -> list[str]:
        """Projects whose policy has to look again by now."""
        query = sa.select(situations.c.project_id).where(situations.c.reconsider_at <= now)
        return list((await self._connection.execute(query.order_by(situations.c.reconsider_at).limit(100))).scalars())

    async def alert_opened(self, alert_id: str, *, project_id: str, model_version_id: str, opened_at: datetime) -> None:
        """Note an open alert; nothing changes where it is known."""
        new = insert(alerts).values(
            alert_id=alert_id,
            project_id=project_id,
            model_version_id=model_version_id,
            state="open",
            opened_at=opened_at,
            confirmed_event_id="",
        )
        await self._connection.execute(new.on_conflict_do_nothing())

    async def alert_confirmed(self, alert_id: str, *, at: datetime, event_id: str) -> None:
        """An open alert is confirmed; one that is over stays so."""
        change = sa.update(alerts).where(alerts.c.alert_id == alert_id, alerts.c.state == "open")
        await self._connection.execute(change.values(state="confirmed", confirmed_at=at, confirmed_event_id=event_id))

    async def alert_over(self, alert_id: str) -> None:
        """An alert is refuted or resolved."""
        await self._connection.execute(sa.update(alerts).where(alerts.c.alert_id == alert_id).values(state="over"))

    async def add_model_version(
        self, model_version_id: str, *, project_id: str, run_id: str, dataset_version_n: int
    ) -> None:
        """Note which run made a model version."""
        new = insert(model_versions).values(
            model_version_id=model_version_id, project_id=project_id, run_id=run_id, dataset_version_n=dataset_version_n
        )
        await self._connection.execute(new.on_conflict_do_nothing())

    async def knows_model_version(self, model_version_id: str) -> bool:
        """Whether its registration was heard of."""
        query = sa.select(sa.literal(1)).where(model_versions.c.model_version_id == model_version_id)
        return (await self._connection.execute(query)).first() is not None

    async def decided(
        self, project_id: str, *, version_id: str | None, decision: str, detail: str, revision: int, at: datetime
    ) -> None:
        """Keep a decision."""
        await self._connection.execute(
            sa.insert(decisions).values(
                project_id=project_id,
                dataset_version_id=version_id,
                decision=decision,
                detail=detail,
                project_revision=revision,
                decided_at=at,
            )
        )

    async def _known(self, row: sa.RowMapping) -> Known:
        project_id = row["project_id"]
        study_rows = sa.select(studies).where(studies.c.project_id == project_id)
        newest_first = study_rows.order_by(studies.c.started_at.desc(), studies.c.study_id.desc()).limit(1)
        last = (await self._connection.execute(newest_first)).mappings().one_or_none()
        by_version = study_rows.order_by(studies.c.dataset_version_n.desc(), studies.c.started_at.desc()).limit(1)
        studied, failed = [
            (await self._connection.execute(by_version.where(which))).mappings().one_or_none()
            for which in (studies.c.state != "failed", studies.c.state == "failed")
        ]
        if studied is not None and failed is not None and studied["dataset_version_n"] >= failed["dataset_version_n"]:
            failed = None
        alert = await self._confirmed_alert(row)
        made = sa.select(model_versions).where(model_versions.c.model_version_id == row["champion"])
        champion = (await self._connection.execute(made)).mappings().one_or_none()
        situation = Situation(
            newest=_version(row) if row["dataset_version_id"] is not None else None,
            studied=_version(studied) if studied is not None else None,
            failed_on=failed["dataset_version_n"] if failed is not None else 0,
            failure=failed["failure"] if failed is not None else "",
            study_running=last is not None and last["state"] == "running",
            study_ended_at=last["ended_at"] if last is not None else None,
            champion=row["champion"],
            alert_id=alert["alert_id"] if alert is not None else "",
            confirmed_at=alert["confirmed_at"] if alert is not None else None,
            rolled_back_at=row["rolled_back_at"],
        )
        causes = (row["version_event_id"], alert["confirmed_event_id"] if alert is not None else "")
        return Known(
            project_id=project_id,
            situation=situation,
            champion_run_id=champion["run_id"] if champion is not None else "",
            champion_version_n=champion["dataset_version_n"] if champion is not None else 0,
            alert_version_n=alert["opened_version_n"] or 0 if alert is not None else 0,
            causes=tuple(cause for cause in causes if cause),
        )

    async def _confirmed_alert(self, row: sa.RowMapping) -> sa.RowMapping | None:
        newest_then = (
            sa.select(sa.func.max(dataset_versions.c.number))
            .where(
                dataset_versions.c.project_id == alerts.c.project_id,
                dataset_versions.c.committed_at <= alerts.c.opened_at,
            )
            .scalar_subquery()
        )
        query = (
            sa.select(alerts, newest_then.label("opened_version_n"))
            .where(
                alerts.c.project_id == row["project_id"],
                alerts.c.model_version_id == row["champion"],
                alerts.c.state == "confirmed",
            )
            .order_by(alerts.c.confirmed_at.desc())
            .limit(1)
        )
        return (await self._connection.execute(query)).mappings().one_or_none()


def _version(row: sa.RowMapping) -> DatasetVersion:
    return DatasetVersion(
        id=row["dataset_version_id"],
        number=row["dataset_version_n"],
        train=row["train"],
        validation=row["validation"],
    )
