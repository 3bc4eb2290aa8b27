"""Model versions and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_registry.domain.judgements import Measurement
from relearn_registry.domain.model_versions import ModelFile, ModelVersion
from relearn_registry.domain.versions import Candidate, ModelVersionNotFound, Standing
from relearn_registry.store.tables import model_versions

_t = model_versions.c
_CANDIDATES = sa.select(_t.model_version_id, _t.number, _t.standing, _t.champion_id)


class ModelVersions:
    """The versions, within one transaction. Who changes one has locked its project."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def next_number(self, project_id: str) -> int:
        """The number of the project's next version."""
        most = sa.select(sa.func.coalesce(sa.func.max(_t.number), 0)).where(_t.project_id == project_id)
        return int((await self._connection.execute(most)).scalar_one()) + 1

    async def is_known_study(self, study_id: str) -> bool:
        """Whether a study's winner is here already."""
        found = await self._connection.execute(sa.select(_t.number).where(_t.study_id == study_id))
        return found.first() is not None

    async def add_pending(self, version: ModelVersion, *, study_event_id: str) -> None:
        """A version whose files still have to be copied."""
        row = insert(model_versions).values(
            model_version_id=version.model_version_id,
            project_id=version.project_id,
            number=version.number,
            study_id=version.study_id,
            run_id=version.run_id,
            dataset_version_id=version.dataset_version_id,
            family=version.family,
            classes=list(version.classes),
            label_set_version=version.label_set_version,
            measurements=[asdict(m) for m in version.measurements],
            files=[asdict(f) for f in version.files],
            study_event_id=study_event_id,
            standing=Standing.COPYING.value,
        )
        await self._connection.execute(row)

    async def claim_copy(self, *, lease: timedelta) -> ModelVersion | None:
        """A version to copy, for this process alone until the lease ends; None when there is none."""
        due = sa.and_(_t.standing == Standing.COPYING.value, _t.try_at <= sa.func.now())
        one = sa.select(_t.model_version_id).where(due).order_by(_t.try_at).limit(1).with_for_update(skip_locked=True)
        claim = sa.update(model_versions).where(_t.model_version_id == one.scalar_subquery())
        claim = claim.values(try_at=sa.func.now() + lease, attempts=_t.attempts + 1)
        row = (await self._connection.execute(claim.returning(model_versions))).first()
        return None if row is None else _version(row)

    async def attempts(self, version_id: str) -> int:
        """How often its files were tried to be copied."""
        found = await self._connection.execute(sa.select(_t.attempts).where(_t.model_version_id == version_id))
        return int(found.scalar_one())

    async def say_problem(self, version_id: str, problem: str, *, try_after: timedelta) -> None:
        """Why its files could not be copied or read, and when that is tried again."""
        say = sa.update(model_versions).where(_t.model_version_id == version_id)
        await self._connection.execute(say.values(problem=problem[:1000], try_at=sa.func.now() + try_after))

    async def may_try(self, version_id: str) -> bool:
        """Whether enough time has passed since the last problem."""
        due = sa.select(_t.try_at <= sa.func.now()).where(_t.model_version_id == version_id)
        return bool((await self._connection.execute(due)).scalar_one())

    async def register(self, version: ModelVersion, *, event_id: str) -> str | None:
        """The files are in place: the version waits for the gate. The event that finished its study; None where
        another process was faster."""
        copied = sa.and_(_t.model_version_id == version.model_version_id, _t.standing == Standing.COPYING.value)
        waits = sa.update(model_versions).where(copied)
        waits = waits.values(
            files=[asdict(f) for f in version.files],
            registered_at=version.registered_at,
            registered_event_id=event_id,
            standing=Standing.WAITING.value,
            try_at=sa.func.now(),
            problem="",
        )
        row = (await self._connection.execute(waits.returning(_t.study_event_id))).first()
        return None if row is None else str(row.study_event_id)

    async def move(self, version_id: str, standing: Standing, *, champion_id: str | None = None) -> None:
        """Another standing; `champion_id` is the version it is compared with from now on, None leaves that as it is."""
        values: dict[str, Any] = {"standing": standing.value, "problem": ""}
        if champion_id is not None:
            values["champion_id"] = champion_id
        await self._set(version_id, **values)

    async def started_shadow(self, version_id: str, champion_id: str, since: datetime) -> None:
        """When the evidence for a pair began to be collected; the first telling of the pair counts."""
        again = sa.and_(_t.model_version_id == version_id, _t.champion_id == champion_id, _t.shadow_since.is_not(None))
        known = await self._connection.execute(sa.select(_t.number).where(again))
        if known.first() is None:
            await self._set(version_id, champion_id=champion_id, shadow_since=since)

    async def became_champion(self, version_id: str, at: datetime) -> None:
        """When it first served."""
        first = sa.update(model_versions).where(_t.model_version_id == version_id, _t.champion_at.is_(None))
        await self._connection.execute(first.values(champion_at=at))

    async def extend_shadows(self, project_id: str, by: timedelta) -> None:
        """Gives a shadow the time back in which its project was paused."""
        shadows = sa.update(model_versions).where(_t.project_id == project_id, _t.standing == Standing.SHADOW.value)
        await self._connection.execute(shadows.values(shadow_since=_t.shadow_since + by))

    async def candidate(self, version_id: str) -> Candidate | None:
        """One version as the gate's queue sees it, in any standing."""
        row = (await self._connection.execute(_CANDIDATES.where(_t.model_version_id == version_id))).first()
        return None if row is None else _candidate(row)

    async def candidates(self, project_id: str) -> list[Candidate]:
        """Every version of a project as the gate's queue sees it, oldest first."""
        rows = await self._connection.execute(_CANDIDATES.where(_t.project_id == project_id).order_by(_t.number))
        return [_candidate(row) for row in rows]

    async def shadow_since(self, version_id: str) -> datetime | None:
        """When its shadow started."""
        found = await self._connection.execute(sa.select(_t.shadow_since).where(_t.model_version_id == version_id))
        return found.scalar_one_or_none()

    async def projects_with_work(self) -> list[str]:
        """Projects with a version that waits, is in the shadow, or under approval."""
        work = _t.standing.in_([Standing.WAITING.value, Standing.SHADOW.value, Standing.APPROVAL.value])
        rows = await self._connection.execute(sa.select(_t.project_id).where(work).distinct().order_by(_t.project_id))
        return [project_id for (project_id,) in rows]

    async def problems(self, project_id: str) -> list[tuple[str, str]]:
        """Versions whose files can't be copied or read, and why."""
        before_the_gate = _t.standing.in_([Standing.COPYING.value, Standing.WAITING.value])
        stuck = sa.and_(_t.project_id == project_id, before_the_gate, _t.problem != "")
        rows = await self._connection.execute(sa.select(_t.model_version_id, _t.problem).where(stuck))
        return [(version_id, problem) for version_id, problem in rows]

    async def get(self, version_id: str) -> ModelVersion:
        """A registered version.

        Raises:
            ModelVersionNotFound
        """
        registered = sa.and_(_t.model_version_id == version_id, _t.registered_at.is_not(None))
        row = (await self._connection.execute(sa.select(model_versions).where(registered))).first()
        if row is None:
            raise ModelVersionNotFound(f"there is no model version {version_id!r}", model_version_id=version_id)
        return _version(row)

    async def project_of(self, version_id: str) -> str:
        """The project of a version in any standing.

        Raises:
            ModelVersionNotFound
        """
        found = await self._connection.execute(sa.select(_t.project_id).where(_t.model_version_id == version_id))
        if (project_id := found.scalar_one_or_none()) is None:
            raise ModelVersionNotFound(f"there is no model version {version_id!r}", model_version_id=version_id)
        return str(project_id)

    async def registered_event_of(self, version_id: str) -> str:
        """Id of the event that told of it."""
        one = sa.select(_t.registered_event_id).where(_t.model_version_id == version_id)
        return str((await self._connection.execute(one)).scalar_one())

    async def page(self, project_id: str, *, before: int | None, size: int) -> Sequence[ModelVersion]:
        """Registered versions of a project, newest first, with numbers under `before`."""
        query = sa.select(model_versions).where(_t.project_id == project_id, _t.registered_at.is_not(None))
        if before is not None:
            query = query.where(_t.number < sa.literal(before, sa.BigInteger))
        rows = await self._connection.execute(query.order_by(_t.number.desc()).limit(size))
        return [_version(row) for row in rows]

    async def _set(self, version_id: str, **values: Any) -> None:
        change = sa.update(model_versions).where(_t.model_version_id == version_id)
        await self._connection.execute(change.values(**values))


def _candidate(row: Any) -> Candidate:
    return Candidate(
        model_version_id=row.model_version_id,
        number=row.number,
        standing=Standing(row.standing),
        champion_id=row.champion_id,
    )


def _version(row: Any) -> ModelVersion:
    return ModelVersion(
        model_version_id=row.model_version_id,
        project_id=row.project_id,
        number=row.number,
        study_id=row.study_id,
        run_id=row.run_id,
        dataset_version_id=row.dataset_version_id,
        family=row.family,
        classes=tuple(row.classes),
        label_set_version=row.label_set_version,
        measurements=tuple(Measurement(**m) for m in row.measurements),
        files=tuple(ModelFile(**f) for f in row.files),
        registered_at=row.registered_at,
    )
