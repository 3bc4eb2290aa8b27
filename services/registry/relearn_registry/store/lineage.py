"""Nodes and edges, and the walk along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_registry.domain.lineage import Edge, Facts, Node, Relation
from relearn_registry.store.tables import lineage_edges, lineage_nodes

_ROWS_PER_STATEMENT = 2000

# Breadth first: each round joins what the last one found, and the walk stops at the limit. What is followed is
# explained at `Relation`.
_FORWARD = """
    with recursive walk(id) as (
        select cast(:start as text)
        union
        select e.effect_id from walk w join lineage_edges e on e.cause_id = w.id
        where (e.relation <> 'aside' or w.id = :start)
          and (e.relation <> 'later version' or not exists (
              select 1 from model_versions m where m.dataset_version_id = w.id and m.champion_at is not null))
    )
    select id from walk limit :most"""
_BACK = """
    with recursive walk(id) as (
        select cast(:start as text)
        union
        select e.cause_id from walk w join lineage_edges e on e.effect_id = w.id
        where e.relation <> 'aside' or w.id = :start
    )
    select id from walk limit :most"""


class Lineage:
    """The graph, within one transaction. Each `add` locks its rows in one order, the project before them; of two
    transactions that add twice, PostgreSQL may give one up, and it is tried again."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, facts: Facts) -> None:
        """What an event told; again, or in another order, it makes no difference."""
        normal = facts.normal()
        for nodes in _chunks(normal.nodes):
            await self._connection.execute(_upsert([asdict(node) for node in nodes]))
        for edges in _chunks(normal.edges):
            rows = [asdict(edge) | {"relation": edge.relation.value} for edge in edges]
            await self._connection.execute(insert(lineage_edges).values(rows).on_conflict_do_nothing())

    async def around(self, start: str, *, most: int) -> tuple[list[Node], list[Edge]]:
        """The start, what it led to and what it came from, nearest first, at most so many each way; and their edges."""
        ids: dict[str, None] = {}
        for walk in (_FORWARD, _BACK):
            rows = await self._connection.execute(sa.text(walk), {"start": start, "most": most})
            ids |= dict.fromkeys(i for (i,) in rows)
        found = await self._connection.execute(
            sa.select(lineage_nodes).where(lineage_nodes.c.id == sa.any_(_array(ids)))
        )
        nodes = {row.id: Node(**row._mapping) for row in found}
        c = lineage_edges.c
        within = sa.and_(c.cause_id == sa.any_(_array(ids)), c.effect_id == sa.any_(_array(ids)))
        edges = await self._connection.execute(sa.select(lineage_edges).where(within).order_by(c.cause_id, c.effect_id))
        told = [Edge(**(dict(row._mapping) | {"relation": Relation(row.relation)})) for row in edges]
        return [nodes[i] for i in ids if i in nodes], told


def _upsert(rows: list[dict[str, Any]]) -> Any:
    """Of two tellers the higher rank is believed (then the greater line, in either order), and the earlier time."""
    new, old = insert(lineage_nodes).values(rows), lineage_nodes.c
    told, known = sa.tuple_(new.excluded.rank, new.excluded.summary), sa.tuple_(old.rank, old.summary)
    better = told > known
    return new.on_conflict_do_update(
        index_elements=["id"],
        set_={
            "kind": sa.case((better, new.excluded.kind), else_=old.kind),
            "project_id": sa.case((better, new.excluded.project_id), else_=old.project_id),
            "summary": sa.case((better, new.excluded.summary), else_=old.summary),
            "rank": sa.func.greatest(old.rank, new.excluded.rank),
            "occurred_at": sa.func.least(old.occurred_at, new.excluded.occurred_at),
        },
        where=sa.or_(better, old.occurred_at.is_(None), new.excluded.occurred_at < old.occurred_at),
    )


def _array(ids: dict[str, None]) -> Any:
    return sa.cast(list(ids), sa.ARRAY(sa.Text))


def _chunks(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[i : i + _ROWS_PER_STATEMENT] for i in range(0, len(rows), _ROWS_PER_STATEMENT)]
