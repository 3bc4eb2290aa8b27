"""What the gate said, and what it would say but for a person's word."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_registry.domain.judgements import Finding, Held, Judgement, Measurement, Verdict
from relearn_registry.store.tables import approvals, judgements, model_versions


class Judgements:
    """The judgements, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, judged: Judgement) -> Judgement:
        """Keeps a judgement; the same with its id."""
        of_version = judgements.c.model_version_id == judged.model_version_id
        count = sa.select(sa.func.count()).select_from(judgements).where(of_version)
        number = int((await self._connection.execute(count)).scalar_one()) + 1
        judgement_id = f"{judged.model_version_id}/judgement/{number}"
        row = insert(judgements).values(
            judgement_id=judgement_id,
            model_version_id=judged.model_version_id,
            number=number,
            champion_id=judged.champion_id,
            step=judged.step,
            verdict=judged.verdict.value,
            **_finding_values(judged.finding),
            project_revision=judged.project_revision,
            dataset_version_id=judged.dataset_version_id,
            person=judged.person,
            judged_at=judged.judged_at,
        )
        await self._connection.execute(row)
        return replace(judged, judgement_id=judgement_id)

    async def of(self, version_id: str) -> list[Judgement]:
        """What the gate said of a version, oldest first."""
        query = sa.select(judgements).where(judgements.c.model_version_id == version_id)
        rows = await self._connection.execute(query.order_by(judgements.c.number))
        return [_judgement(row) for row in rows]

    async def looks(self, version_id: str, champion_id: str) -> int:
        """How often the sign test of a pair was undecided."""
        c = judgements.c
        pair = sa.and_(c.model_version_id == version_id, c.champion_id == champion_id)
        undecided = sa.and_(pair, c.step == 2, c.verdict == Verdict.UNDECIDED.value)
        found = await self._connection.execute(sa.select(sa.func.count()).select_from(judgements).where(undecided))
        return int(found.scalar_one())


class Approvals:
    """Findings that wait for a person, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def hold(self, version_id: str, held: Held) -> None:
        """Keeps what the gate found until a person decides."""
        values = {
            "model_version_id": version_id,
            **_finding_values(held.finding),
            "causes": list(held.causes),
            "held_at": held.held_at,
        }
        new = insert(approvals).values(values)
        await self._connection.execute(new.on_conflict_do_update(index_elements=["model_version_id"], set_=values))

    async def find(self, version_id: str) -> Held | None:
        """What waits; None when nothing does."""
        query = sa.select(approvals).where(approvals.c.model_version_id == version_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return Held(finding=_finding(row, Verdict.PASSED), causes=tuple(row.causes), held_at=row.held_at)

    async def extend(self, project_id: str, by: timedelta) -> None:
        """Gives what waits the time back in which its project was paused."""
        of_project = sa.select(model_versions.c.model_version_id).where(model_versions.c.project_id == project_id)
        waiting = sa.update(approvals).where(approvals.c.model_version_id.in_(of_project))
        await self._connection.execute(waiting.values(held_at=approvals.c.held_at + by))

    async def drop(self, version_id: str) -> None:
        """Nothing waits any more."""
        await self._connection.execute(sa.delete(approvals).where(approvals.c.model_version_id == version_id))


def _finding_values(finding: Finding) -> dict[str, Any]:
    return {
        "reason": finding.reason,
        "measurements": [asdict(m) for m in finding.measurements],
        "label_ids": list(finding.label_ids),
        "look": finding.look,
    }


def _finding(row: Any, verdict: Verdict) -> Finding:
    return Finding(
        verdict=verdict,
        reason=row.reason,
        measurements=tuple(Measurement(**m) for m in row.measurements),
        label_ids=tuple(row.label_ids),
        look=row.look,
    )


def _judgement(row: Any) -> Judgement:
    return Judgement(
        model_version_id=row.model_version_id,
        champion_id=row.champion_id,
        step=row.step,
        finding=_finding(row, Verdict(row.verdict)),
        project_revision=row.project_revision,
        dataset_version_id=row.dataset_version_id,
        person=row.person,
        judged_at=row.judged_at,
        judgement_id=row.judgement_id,
    )
