"""Comparisons of champion and shadow, and the disagreements that may be asked about: the lowest priorities, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_monitoring.domain.picks import Input
from relearn_monitoring.domain.shadow import Comparison, StopReason
from relearn_monitoring.store.tables import comparisons, disagreements


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One input that champion and challenger answered differently.

    Attributes:
        priority: in [0, 1), a hash of the sample and the pair: the lowest ones are a uniform random sample.
    """

    project_id: str
    champion: str
    challenger: str
    input: Input
    priority: float
    prediction_id: str
    predicted_label: str
    confidence: float
    challenger_prediction_id: str
    challenger_label: str
    predicted_at: datetime
    causes: tuple[str, ...]
    traceparent: str


class Comparisons:
    """Their rows; the project's row is locked by whoever changes them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, project_id: str, *, champion: str, challenger: str) -> Comparison | None:
        where = (
            comparisons.c.project_id == project_id,
            comparisons.c.champion == champion,
            comparisons.c.challenger == challenger,
        )
        row = (await self._connection.execute(sa.select(comparisons).where(*where))).one_or_none()
        return None if row is None else _comparison(row)

    async def of_project(self, project_id: str) -> list[Comparison]:
        query = sa.select(comparisons).where(comparisons.c.project_id == project_id)
        return [_comparison(row) for row in await self._connection.execute(query)]

    async def save(self, comparison: Comparison) -> None:
        values = asdict(comparison) | {"stop_reason": comparison.stop_reason.value}
        new = insert(comparisons).values(**values)
        await self._connection.execute(new.on_conflict_do_update(index_elements=comparisons.primary_key, set_=values))


class Disagreements:
    """Those that may be asked about."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, new: Sequence[Disagreement]) -> None:
        """Keeps them; a sample counts once for a pair."""
        if new:
            rows = [_values(disagreement) for disagreement in new]
            await self._connection.execute(insert(disagreements).on_conflict_do_nothing(), rows)

    async def take(self, comparison: Comparison, *, most: int) -> tuple[list[Disagreement], float]:
        """Those of the lowest priority that were not picked, picked now, and the probability of each to be among them.

        That is the priority of the first one left out, 1 without one: whatever was below it would have been taken.

        Source: Cohen and Kaplan (2007), "Summarizing data using bottom-k sketches": rank conditioning.
        """
        unpicked = sa.select(disagreements).where(*_of(comparison), sa.not_(disagreements.c.picked))
        rows = (await self._connection.execute(unpicked.order_by(disagreements.c.priority).limit(most + 1))).all()
        taken = [_disagreement(row) for row in rows[:most]]
        if taken:
            these = disagreements.c.sha256 == sa.any_(sa.literal([one.input.sha256 for one in taken], ARRAY(sa.Text)))
            done = sa.update(disagreements).where(*_of(comparison), these).values(picked=True, content=None)
            await self._connection.execute(done)
        return taken, float(rows[most].priority) if len(rows) > most else 1.0

    async def trim(self, comparison: Comparison, *, keep: int) -> None:
        """Forgets all that were not picked but those of the lowest priority."""
        unpicked = (*_of(comparison), sa.not_(disagreements.c.picked))
        query = sa.select(disagreements.c.priority).where(*unpicked).order_by(disagreements.c.priority)
        last = (await self._connection.execute(query.offset(keep).limit(1))).scalar_one_or_none()
        if last is not None:
            await self._connection.execute(sa.delete(disagreements).where(*unpicked, disagreements.c.priority >= last))

    async def forget(self, challenger: str) -> None:
        """The challenger is no shadow any more."""
        await self._connection.execute(sa.delete(disagreements).where(disagreements.c.challenger == challenger))


def _of(comparison: Comparison) -> tuple[Any, ...]:
    return (
        disagreements.c.champion == comparison.champion,
        disagreements.c.challenger == comparison.challenger,
    )


def _comparison(row: Any) -> Comparison:
    return Comparison(**dict(row._mapping) | {"stop_reason": StopReason(row.stop_reason)})


def _values(disagreement: Disagreement) -> dict[str, Any]:
    values = {name: getattr(disagreement, name) for name in Disagreement.__dataclass_fields__ if name != "input"}
    return values | asdict(disagreement.input) | {"causes": list(disagreement.causes)}


def _disagreement(row: Any) -> Disagreement:
    names = [name for name in Disagreement.__dataclass_fields__ if name not in ("input", "causes")]
    return Disagreement(
        **{name: row._mapping[name] for name in names},
        input=Input(sha256=row.sha256, content=row.content, input_key=row.input_key, group_key=row.group_key),
        causes=tuple(row.causes),
    )
