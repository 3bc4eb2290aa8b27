"""Audits that people have settled, in the order in which that happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.alerts import Outcome
from relearn_monitoring.domain.budget import Stream
from relearn_monitoring.domain.quality import Audit
from relearn_monitoring.domain.windows import ClosedWindow
from relearn_monitoring.store.tables import picks, settle_order

_OF_WINDOWS = sa.text(
    f"""select place, probability, correct
       from unnest(cast(:versions as text[]), cast(:starts as timestamptz[]), cast(:ends as timestamptz[]))
         with ordinality as closed (version, start_at, end_at, place)
       join picks on model_version_id = version and predicted_at between start_at and end_at
       where stream = '{Stream.AUDIT}' and correct is not null
       order by place, settled"""  # noqa: S608 - our own word
)
_MOST = 5000  # the newest audits of a version are enough for any number shown


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedPick:
    """A pick that was flagged, as far as its settlement needs it."""

    flag_id: str
    project_id: str
    model_version_id: str
    stream: Stream
    predicted_label: str
    settled_revision: int


class Audits:
    """What people said about picks; all but `flagged` and `settle` is about the audit stream."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def flagged(self, flag_ids: Sequence[str]) -> list[FlaggedPick]:
        """The picks of these flags, locked."""
        columns = [picks.c[name] for name in FlaggedPick.__dataclass_fields__]
        query = sa.select(*columns).where(picks.c.flag_id.in_(flag_ids)).order_by(picks.c.flag_id).with_for_update()
        rows = await self._connection.execute(query)
        return [FlaggedPick(**dict(row._mapping) | {"stream": Stream(row.stream)}) for row in rows]

    async def settle(self, flag_id: str, *, correct: bool | None, label_id: str, revision: int) -> None:
        """Notes what people said; a later word replaces the outcome, never the place in the order."""
        place = sa.func.coalesce(picks.c.settled, settle_order.next_value())
        said = {"settled": place, "settled_revision": revision, "correct": correct, "label_id": label_id}
        await self._connection.execute(sa.update(picks).where(picks.c.flag_id == flag_id).values(**said))

    async def of_alert(self, alert_id: str) -> list[Outcome]:
        """Settled audits that an alert asked for, in the order they were settled."""
        return await self._outcomes(picks.c.alert_id == alert_id)

    async def since(self, model_version_id: str, *, settled: int) -> list[Outcome]:
        """Settled audits of a version after a place in the order."""
        return await self._outcomes(picks.c.model_version_id == model_version_id, picks.c.settled > settled)

    async def made_since(self, model_version_id: str, *, time: datetime) -> list[Outcome]:
        """Settled audits of predictions that a version made after a time."""
        return await self._outcomes(picks.c.model_version_id == model_version_id, picks.c.predicted_at > time)

    async def of_version(self, model_version_id: str) -> list[Audit]:
        """Audits of a version with a known outcome, oldest first."""
        outcomes = await self._outcomes(picks.c.model_version_id == model_version_id)
        return [outcome.audit for outcome in outcomes if outcome.audit]

    async def of_reference(self, model_version_id: str) -> list[Audit]:
        """Those among the predictions that made its reference."""
        outcomes = await self._outcomes(picks.c.model_version_id == model_version_id, picks.c.in_reference)
        return [outcome.audit for outcome in outcomes if outcome.audit]

    async def of_windows(self, windows: Sequence[ClosedWindow]) -> list[list[Audit]]:
        """For each window, the audits with a known outcome among its predictions."""
        values = {
            "versions": [window.model_version_id for window in windows],
            "starts": [window.start_at for window in windows],
            "ends": [window.end_at for window in windows],
        }
        audits: list[list[Audit]] = [[] for _ in windows]
        for row in await self._connection.execute(_OF_WINDOWS, values):
            audits[row.place - 1].append(Audit(probability=row.probability, correct=row.correct))
        return audits

    async def leave_reference(self, model_version_id: str) -> None:
        """Its reference is given up: its audits say nothing about the next one."""
        own = (picks.c.model_version_id == model_version_id, picks.c.in_reference)
        await self._connection.execute(sa.update(picks).where(*own).values(in_reference=False))

    async def latest(self, model_version_id: str) -> int:
        """Place of the audit of a version that was settled last; 0 before the first."""
        newest = sa.select(sa.func.coalesce(sa.func.max(picks.c.settled), 0))
        where = picks.c.model_version_id == model_version_id
        return int((await self._connection.execute(newest.where(where))).scalar_one())

    async def _outcomes(self, *where: Any) -> list[Outcome]:
        settled = (picks.c.stream == Stream.AUDIT.value, picks.c.settled.is_not(None), *where)
        columns = (picks.c.probability, picks.c.correct, picks.c.label_id)
        query = sa.select(*columns).where(*settled).order_by(picks.c.settled.desc()).limit(_MOST)
        rows = (await self._connection.execute(query)).all()
        return [
            Outcome(
                audit=None if row.correct is None else Audit(probability=row.probability, correct=row.correct),
                label_id=row.label_id,
            )
            for row in reversed(rows)
        ]
