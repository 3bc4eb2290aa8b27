"""Picks on their way to a flag, and the ledger that pays for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.budget import Entry, Ledger, Purse, Stream
from relearn_monitoring.domain.picks import Against, Input, Pick, State
from relearn_monitoring.store.tables import ledger, picks

_CLAIM = sa.text(
    f"""update picks set leased_until = :until, attempts = attempts + 1 where flag_id in (
         select flag_id from picks
         where state = '{State.PICKED}' and (leased_until is null or leased_until < :now)
           and project_id <> all(:paused)
         order by array_position(cast(:urgency as text[]), stream), sequence limit :most for update skip locked)
       returning *"""  # noqa: S608 - our own word
)
_URGENCY = (Stream.AUDIT, Stream.DISAGREEMENT, Stream.SELECTED)
"""Few and waited for first: what is known, then what a rollout waits for, then what a study has time for."""

_FLAGGED = sa.text(
    f"""update picks set state = '{State.FLAGGED}', flagged_at = :now, content = null, number = flagged.number
       from unnest(cast(:ids as text[]), cast(:numbers as integer[])) as flagged (flag_id, number)
       where picks.flag_id = flagged.flag_id"""  # noqa: S608
)
_REFUSED = sa.text(
    f"""update picks set state = '{State.REFUSED}', content = null, refused_reason = refused.reason
       from unnest(cast(:ids as text[]), cast(:reasons as text[])) as refused (flag_id, reason)
       where picks.flag_id = refused.flag_id"""  # noqa: S608
)
_POSTPONED = sa.text(
    """update picks set leased_until = postponed.until
       from unnest(cast(:ids as text[]), cast(:times as timestamptz[])) as postponed (flag_id, until)
       where picks.flag_id = postponed.flag_id"""
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
        first = list({pick.flag_id: pick for pick in new}.values())
        query = insert(picks).on_conflict_do_nothing().returning(picks.c.flag_id)
        added = set((await self._connection.execute(query, [_values(pick) for pick in first])).scalars())
        return [pick for pick in first if pick.flag_id in added]

    async def claim(self, *, now: datetime, until: datetime, paused: Sequence[str], most: int) -> list[Claimed]:
        """Leases picks that nobody is putting: the most urgent stream first, then the oldest."""
        urgency = [stream.value for stream in _URGENCY]
        values = {"now": now, "until": until, "paused": list(paused), "most": most, "urgency": urgency}
        rows = (await self._connection.execute(_CLAIM, values)).all()
        return [Claimed(pick=_pick(row), attempts=row.attempts) for row in sorted(rows, key=lambda row: row.sequence)]

    async def still_picked(self, flag_ids: Sequence[str]) -> set[str]:
        """Locks those of these that were neither flagged nor refused."""
        these = picks.c.flag_id == sa.any_(sa.literal(list(flag_ids), ARRAY(sa.Text)))
        query = sa.select(picks.c.flag_id).where(these, picks.c.state == State.PICKED.value)
        locked = query.order_by(picks.c.flag_id).with_for_update()
        return set((await self._connection.execute(locked)).scalars())

    async def flagged(self, done: Sequence[Pick], *, now: datetime) -> None:
        """They are flags now; their bytes are datasets' business from here on."""
        if done:
            numbers = [pick.against.number if pick.against else 0 for pick in done]
            values = {"ids": [pick.flag_id for pick in done], "numbers": numbers, "now": now}
            await self._connection.execute(_FLAGGED, values)

    async def refused(self, reasons: Mapping[str, str]) -> None:
        """They will never be flags, and why, by flag id."""
        if reasons:
            await self._connection.execute(_REFUSED, {"ids": list(reasons), "reasons": list(reasons.values())})

    async def postponed(self, until: Mapping[str, datetime]) -> None:
        """Nobody tries them again before these times, by flag id."""
        if until:
            await self._connection.execute(_POSTPONED, {"ids": list(until), "times": list(until.values())})

    async def asked(self, alert_id: str, stream: Stream) -> int:
        """Labels that an alert has asked for: picks that were not refused, and, of those to learn from, whose people
        did not end without a label."""
        where = [picks.c.alert_id == alert_id, picks.c.stream == stream.value, picks.c.state != State.REFUSED.value]
        if stream is Stream.SELECTED:
            where.append(sa.or_(picks.c.settled.is_(None), picks.c.label_id != ""))
        return int((await self._connection.execute(sa.select(sa.func.count()).where(*where))).scalar_one())

    async def on_the_way(self, project_id: str) -> int:
        """Picks that are no flags yet."""
        where = (picks.c.project_id == project_id, picks.c.state == State.PICKED.value)
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
        "picked_at": pick.picked_at,
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
        picked_at=row.picked_at.astimezone(UTC),
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
