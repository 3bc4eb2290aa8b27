"""Recent predictions (to know a repetition, and to pair shadows) and inputs that may still be picked; both bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.picks import Input
from relearn_monitoring.domain.predictions import FloatArray
from relearn_monitoring.domain.watches import Arm, Made
from relearn_monitoring.store.tables import picks, recent_predictions, waiting_inputs

_ADD_RECENT = sa.text(
    """insert into recent_predictions
         (prediction_id, project_id, model_version_id, arm, predicted_label, sha256, awaits)
       select * from unnest(cast(:ids as text[]), cast(:projects as text[]), cast(:versions as text[]),
         cast(:arms as text[]), cast(:labels as text[]), cast(:digests as text[]), cast(:awaits as text[]))
       on conflict do nothing returning prediction_id"""
)
_TRIM = """delete from {table} where project_id = :project and sequence <=
     (select sequence from {table} where project_id = :project order by sequence desc offset :keep limit 1)"""
_TRIM_RECENT = sa.text(_TRIM.format(table="recent_predictions"))
_TRIM_WAITING = sa.text(_TRIM.format(table="waiting_inputs"))
_ADD_WAITING = sa.text(
    """insert into waiting_inputs (prediction_id, project_id, model_version_id, sha256, content, input_key, group_key,
         predicted_label, confidence, probabilities, embedding, predicted_at, event_id, traceparent)
       select * from unnest(cast(:ids as text[]), cast(:projects as text[]), cast(:versions as text[]),
         cast(:digests as text[]), cast(:contents as bytea[]), cast(:keys as text[]), cast(:groups as text[]),
         cast(:labels as text[]), cast(:confidences as double precision[]), cast(:probabilities as bytea[]),
         cast(:embeddings as bytea[]), cast(:times as timestamptz[]), cast(:events as text[]), cast(:traces as text[]))
       on conflict do nothing"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A shadow's prediction and the champion's of the same input."""

    champion: str
    challenger: str
    prediction_id: str
    champion_label: str
    challenger_prediction_id: str
    challenger_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingInput:
    """An input that may still be picked."""

    prediction_id: str
    model_version_id: str
    input: Input
    predicted_label: str
    confidence: float
    probabilities: FloatArray
    embedding: FloatArray
    predicted_at: datetime
    event_id: str
    traceparent: str


class RecentPredictions:
    """The newest predictions of each project."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, predictions: Sequence[Made]) -> list[Made]:
        """Notes them; returns those that are no repetition, in order."""
        first = list({made.prediction_id: made for made in predictions}.values())
        rows = {
            "ids": [made.prediction_id for made in first],
            "projects": [made.project_id for made in first],
            "versions": [made.model_version_id for made in first],
            "arms": [made.arm.value for made in first],
            "labels": [made.predicted_label for made in first],
            "digests": [made.sha256 for made in first],
            "awaits": [made.champion_prediction_id for made in first],
        }
        new = set((await self._connection.execute(_ADD_RECENT, rows)).scalars())
        return [made for made in first if made.prediction_id in new]

    async def meet(self, project_id: str, new: Sequence[Made]) -> list[Met]:
        """Pairs that these new predictions complete; each pair is returned once, ever."""
        shadow, champion = recent_predictions.alias("shadow"), recent_predictions.alias("champion")
        ids = [made.prediction_id for made in new]
        query = (
            sa.select(
                champion.c.model_version_id.label("champion"),
                shadow.c.model_version_id.label("challenger"),
                champion.c.prediction_id,
                champion.c.predicted_label.label("champion_label"),
                shadow.c.prediction_id.label("challenger_prediction_id"),
                shadow.c.predicted_label.label("challenger_label"),
            )
            .join_from(shadow, champion, champion.c.prediction_id == shadow.c.awaits)
            .where(shadow.c.awaits != "", shadow.c.project_id == project_id, champion.c.project_id == project_id)
            .where(champion.c.arm == Arm.CHAMPION.value, shadow.c.arm == Arm.SHADOW.value)
            .where(sa.or_(shadow.c.prediction_id == _any(ids), shadow.c.awaits == _any(ids)))
            .order_by(champion.c.sequence)
        )
        met = [Met(**row._mapping) for row in await self._connection.execute(query)]
        if met:
            found = recent_predictions.c.prediction_id == _any([pair.challenger_prediction_id for pair in met])
            await self._connection.execute(sa.update(recent_predictions).where(found).values(awaits=""))
        return met

    async def trim(self, project_id: str, *, keep: int) -> None:
        """Forgets all but the newest; what still awaited its champion expires with them."""
        await self._connection.execute(_TRIM_RECENT, {"project": project_id, "keep": keep})


class WaitingInputs:
    """The newest inputs of each project."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, predictions: Sequence[Made]) -> None:
        """Lets the inputs of new predictions wait."""
        rows = {
            "ids": [made.prediction_id for made in predictions],
            "projects": [made.project_id for made in predictions],
            "versions": [made.model_version_id for made in predictions],
            "digests": [made.sha256 for made in predictions],
            "contents": [made.content for made in predictions],
            "keys": [made.input_key for made in predictions],
            "groups": [made.group_key for made in predictions],
            "labels": [made.predicted_label for made in predictions],
            "confidences": [made.confidence for made in predictions],
            "probabilities": [made.probabilities.astype("<f4").tobytes() for made in predictions],
            "embeddings": [made.embedding.astype("<f2").tobytes() for made in predictions],
            "times": [made.predicted_at for made in predictions],
            "events": [made.event_id for made in predictions],
            "traces": [made.traceparent for made in predictions],
        }
        await self._connection.execute(_ADD_WAITING, rows)

    async def trim(self, project_id: str, *, keep: int) -> None:
        """Forgets all but the newest."""
        await self._connection.execute(_TRIM_WAITING, {"project": project_id, "keep": keep})

    async def named(self, prediction_ids: Sequence[str]) -> dict[str, WaitingInput]:
        """Those of these that still wait."""
        query = sa.select(waiting_inputs).where(waiting_inputs.c.prediction_id == _any(prediction_ids))
        return {row.prediction_id: _waiting(row) for row in await self._connection.execute(query)}

    async def candidates(
        self, model_version_id: str, *, project_id: str, since: datetime | None, most: int
    ) -> list[WaitingInput]:
        """The newest inputs of a version made since a time whose sample was never picked, oldest first; without their
        bytes."""
        columns = [column for column in waiting_inputs.c if column.name != "content"]
        query = sa.select(*columns, sa.null().label("content"))
        newest = query.where(*_candidates(model_version_id, project_id=project_id, since=since))
        rows = await self._connection.execute(newest.order_by(waiting_inputs.c.sequence.desc()).limit(most))
        return [_waiting(row) for row in reversed(rows.all())]

    async def count_candidates(self, model_version_id: str, *, project_id: str, since: datetime | None) -> int:
        """How many `candidates` there are."""
        query = sa.select(sa.func.count()).select_from(waiting_inputs)
        counted = query.where(*_candidates(model_version_id, project_id=project_id, since=since))
        return int((await self._connection.execute(counted)).scalar_one())


def _candidates(model_version_id: str, *, project_id: str, since: datetime | None) -> list[sa.ColumnElement[bool]]:
    taken = sa.exists().where(picks.c.project_id == project_id, picks.c.sha256 == waiting_inputs.c.sha256)
    own = (waiting_inputs.c.project_id == project_id, waiting_inputs.c.model_version_id == model_version_id)
    return [*own, sa.not_(taken), *([] if since is None else [waiting_inputs.c.predicted_at >= since])]


def _any(values: Sequence[str]) -> sa.CollectionAggregate[Any]:
    """One parameter however many there are, so that the statement is always the same one."""
    return sa.any_(sa.literal(list(values), ARRAY(sa.Text)))


def _waiting(row: Any) -> WaitingInput:
    return WaitingInput(
        prediction_id=row.prediction_id,
        model_version_id=row.model_version_id,
        input=Input(sha256=row.sha256, content=row.content, input_key=row.input_key, group_key=row.group_key),
        predicted_label=row.predicted_label,
        confidence=row.confidence,
        probabilities=np.frombuffer(row.probabilities, dtype="<f4").astype(np.float64),
        embedding=np.frombuffer(row.embedding, dtype="<f2").astype(np.float64),
        predicted_at=row.predicted_at,
        event_id=row.event_id,
        traceparent=row.traceparent,
    )
