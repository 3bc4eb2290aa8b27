"""Picks on their way to a flag, and the ledger that pays for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.budget import Entry, Ledger, Purse, Stream
from relearn_monitoring.domain.picks import Against, Input, Pick
from relearn_monitoring.store.tables import ledger, picks

_CLAIM = sa.text(
    """update picks set leased_until = :until, attempts = attempts + 1 where flag_id in (
         select flag_id from picks
         where state = 'picked' and (leased_until is null or leased_until < :now) and project_id <> all(:paused)
         order by sequence limit :most for update skip locked)
       returning *"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A pick that this process puts into datasets until its lease ends, and how often that was tried."""

    pick: Pick
    attempts: int


class Picks:
    """Rows of picks."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, new: Sequence[Pick]) -> list[Pick]:
        """Adds them; returns those that were not picked before in their stream."""
        if not new:
            return []
        rows = [_values(pick) for pick in {pick.flag_id: pick for pick in new}.values()]
        query = insert(picks).values(rows).on_conflict_do_nothing().returning(picks.c.flag_id)
        added = set((await self._connection.execute(query)).scalars())
        return [pick for pick in {pick.flag_id: pick for pick in new}.values() if pick.flag_id in added]

    async def claim(self, *, now: datetime, until: datetime, paused: Sequence[str], most: int) -> list[Claimed]:
        """Leases the oldest picks that nobody is putting."""
        values = {"now": now, "until": until, "paused": list(paused), "most": most}
        rows = (await self._connection.execute(_CLAIM, values)).all()
        return [Claimed(pick=_pick(row), attempts=row.attempts) for row in sorted(rows, key=lambda row: row.sequence)]

    async def postpone(self, flag_id: str, *, until: datetime) -> None:
        """Nobody tries it again before this time."""
        where = (picks.c.flag_id == flag_id, picks.c.state == "picked")
        await self._connection.execute(sa.update(picks).where(*where).values(leased_until=until))

    async def is_picked(self, flag_id: str) -> bool:
        """Locks it; False when it was flagged or refused already."""
        query = sa.select(picks.c.state).where(picks.c.flag_id == flag_id).with_for_update()
        return (await self._connection.execute(query)).scalar_one_or_none() == "picked"

    async def flagged(self, flag_id: str, *, number: int, now: datetime) -> None:
        """It is a flag now; its bytes are datasets' business from here on."""
        done = {"state": "flagged", "number": number, "flagged_at": now, "content": None}
        await self._connection.execute(sa.update(picks).where(picks.c.flag_id == flag_id).values(**done))

    async def refused(self, flag_id: str, *, reason: str) -> None:
        """It will never be a flag."""
        done = {"state": "refused", "refused_reason": reason, "content": None}
        await self._connection.execute(sa.update(picks).where(picks.c.flag_id == flag_id).values(**done))

    async def asked(self, alert_id: str, stream: Stream) -> int:
        """Picks for an alert that were not refused."""
        where = (picks.c.alert_id == alert_id, picks.c.stream == stream.value, picks.c.state != "refused")
        return int((await self._connection.execute(sa.select(sa.func.count()).where(*where))).scalar_one())

    async def on_the_way(self, project_id: str) -> int:
        """Picks that are no flags yet."""
        where = (picks.c.project_id == project_id, picks.c.state == "picked")
        return int((await self._connection.execute(sa.select(sa.func.count()).where(*where))).scalar_one())


class Ledgers:
    """Rows of the label budget, one per stream and purse of a day; the project's row is locked by its writers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, project_id: str, day: date) -> Ledger:
        """What was bought on a day."""
        query = sa.select(ledger).where(ledger.c.project_id == project_id, ledger.c.day == day)
        entries = {
            (Stream(row.stream), Purse(row.purse)): Entry(reserved=row.reserved, spent=row.spent)
            for row in await self._connection.execute(query)
        }
        return Ledger(day=day, entries=entries)

    async def save(self, project_id: str, bought: Ledger) -> None:
        """Writes it back."""
        rows = [
            {
                "project_id": project_id,
                "day": bought.day,
                "stream": stream.value,
                "purse": purse.value,
                "reserved": entry.reserved,
                "spent": entry.spent,
            }
            for (stream, purse), entry in bought.entries.items()
        ]
        if rows:
            new = insert(ledger).values(rows)
            changed = {"reserved": new.excluded.reserved, "spent": new.excluded.spent}
            await self._connection.execute(new.on_conflict_do_update(index_elements=ledger.primary_key, set_=changed))


def _values(pick: Pick) -> dict[str, Any]:
    against = pick.against
    return {
        "flag_id": pick.flag_id,
        "project_id": pick.project_id,
        "prediction_id": pick.prediction_id,
        "model_version_id": pick.model_version_id,
        "sha256": pick.input.sha256,
        "content": pick.input.content,
        "input_key": pick.input.input_key,
        "group_key": pick.input.group_key,
        "stream": pick.stream.value,
        "purse": pick.purse.value,
        "day": pick.day,
        "probability": pick.probability,
        "reason": pick.reason,
        "predicted_label": pick.predicted_label,
        "confidence": pick.confidence,
        "alert_id": pick.alert_id,
        "in_reference": pick.in_reference,
        "project_revision": pick.project_revision,
        "predicted_at": pick.predicted_at,
        "causes": list(pick.causes),
        "traceparent": pick.traceparent,
        "champion": pick.model_version_id if against else "",
        "challenger": against.challenger if against else "",
        "challenger_label": against.challenger_label if against else "",
        "challenger_prediction_id": against.challenger_prediction_id if against else "",
    }


def _pick(row: Any) -> Pick:
    against = Against(
        challenger=row.challenger,
        challenger_label=row.challenger_label,
        challenger_prediction_id=row.challenger_prediction_id,
        number=row.number,
    )
    return Pick(
        project_id=row.project_id,
        prediction_id=row.prediction_id,
        model_version_id=row.model_version_id,
        input=Input(sha256=row.sha256, content=row.content, input_key=row.input_key, group_key=row.group_key),
        stream=Stream(row.stream),
        purse=Purse(row.purse),
        day=row.day,
        probability=row.probability,
        reason=row.reason,
        predicted_label=row.predicted_label,
        confidence=row.confidence,
        predicted_at=row.predicted_at,
        project_revision=row.project_revision,
        causes=tuple(row.causes),
        traceparent=row.traceparent,
        alert_id=row.alert_id,
        in_reference=row.in_reference,
        against=against if row.challenger else None,
    )
