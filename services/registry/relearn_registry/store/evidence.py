"""Evidence about pairs of champion and challenger: disagreements with their labels, and the shadow's counts.

Every event that tells of a disagreement copies its flag whole, so each can make the row; which comes first makes no
difference, and neither does a repetition.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_registry.domain.evidence import AskedDisagreement, Settlement
from relearn_registry.domain.step_two import Comparison, Disagreement
from relearn_registry.store.tables import comparisons, disagreements, labels


class PairEvidence:
    """The evidence, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def asked(self, flag: AskedDisagreement) -> None:
        """A disagreement is asked about."""
        await self._connection.execute(insert(disagreements).values(_row(flag)).on_conflict_do_nothing())

    async def settled(self, flag: AskedDisagreement, settlement: Settlement) -> None:
        """People answered, or could not agree; newer answers replace older ones."""
        answer = {
            "revision": settlement.revision,
            "label": settlement.label,
            "label_id": settlement.label_id,
            "event_id": settlement.event_id,
        }
        new = insert(disagreements).values(_row(flag) | answer)
        older = sa.func.coalesce(disagreements.c.revision, -1) < settlement.revision
        upsert = new.on_conflict_do_update(index_elements=["flag_id"], set_=answer, where=older)
        await self._connection.execute(upsert)

    async def compared(
        self, champion_id: str, challenger_id: str, comparison: Comparison, *, revision: int, event_id: str
    ) -> None:
        """How the pair compares; an older revision never overwrites a newer."""
        values = {
            "revision": revision,
            "pairs": comparison.pairs,
            "disagreements": comparison.disagreements,
            "asked": comparison.asked,
            "stop_reason": comparison.stop_reason,
            "event_id": event_id,
        }
        new = insert(comparisons).values(champion_id=champion_id, challenger_id=challenger_id, **values)
        upsert = new.on_conflict_do_update(
            index_elements=["champion_id", "challenger_id"], set_=values, where=comparisons.c.revision < revision
        )
        await self._connection.execute(upsert)

    async def comparison(self, champion_id: str, challenger_id: str) -> Comparison | None:
        """The newest comparison of a pair."""
        c = comparisons.c
        query = sa.select(comparisons).where(c.champion_id == champion_id, c.challenger_id == challenger_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return Comparison(
            pairs=row.pairs, disagreements=row.disagreements, asked=row.asked, stop_reason=row.stop_reason
        )

    async def disagreements(
        self, champion_id: str, challenger_id: str, *, seen: sa.ColumnElement[bool]
    ) -> list[Disagreement]:
        """All of a pair in the order in which they were asked.

        Args:
            seen: which rows of `labels` the challenger had seen (`SeenLabels.seen_by`).
        """
        c = disagreements.c
        trained_on = sa.exists().where(labels.c.sample_id == c.sample_id, seen)
        query = sa.select(disagreements, trained_on.label("trained_on"))
        query = query.where(c.champion_id == champion_id, c.challenger_id == challenger_id).order_by(c.number)
        return [
            Disagreement(
                number=row.number,
                champion_label=row.champion_label,
                challenger_label=row.challenger_label,
                settled=row.revision is not None,
                label=row.label,
                label_id=row.label_id,
                trained_on=row.trained_on,
            )
            for row in await self._connection.execute(query)
        ]

    async def events_of(self, champion_id: str, challenger_id: str, label_ids: tuple[str, ...]) -> list[str]:
        """Ids of the events that brought these labels and the comparison: the causes of a verdict."""
        d, c = disagreements.c, comparisons.c
        told = sa.select(d.event_id).where(
            d.champion_id == champion_id, d.challenger_id == challenger_id, d.label_id.in_(label_ids)
        )
        compared = sa.select(c.event_id).where(c.champion_id == champion_id, c.challenger_id == challenger_id)
        rows = await self._connection.execute(told.order_by(d.number))
        causes = [event_id for (event_id,) in rows]
        return [*causes, *(event_id for (event_id,) in await self._connection.execute(compared))]


def _row(flag: AskedDisagreement) -> dict[str, object]:
    return {
        "flag_id": flag.flag_id,
        "champion_id": flag.champion_id,
        "challenger_id": flag.challenger_id,
        "number": flag.number,
        "sample_id": flag.sample_id,
        "champion_label": flag.champion_label,
        "challenger_label": flag.challenger_label,
    }
