"""What came from what: nodes and edges (cause to effect), and the line through one of them."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

_START_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
DETAILS = frozenset({"sample", "prediction", "flag", "label task", "annotation", "label", "window", "study skipped"})
"""Kinds that come by the hundred: what a cut answer leaves out first."""


class Relation(Enum):
    """How far an edge is followed.

    A line is what one thing came from and led to, not everything that ever touched it.
    """

    CAUSE = "cause"
    """Always followed."""
    LATER_VERSION = "later version"
    """To the next dataset version: not past one whose model became champion, for that one learned from the thing."""
    ASIDE = "aside"
    """True, and followed only from where one asks: a model version and its windows, the champion a study began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that happened.

    Attributes:
        summary: one line; empty while only others have named it.
        rank: of two tellers the higher one is believed; 0 for who only names it.
    """

    id: str
    kind: str
    project_id: str
    summary: str = ""
    occurred_at: datetime | None = None
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A cause and its effect, as an event told it."""

    cause_id: str
    effect_id: str
    event_id: str
    relation: Relation = Relation.CAUSE


@dataclass(frozen=True, slots=True)
class Facts:
    """What one event tells about lineage."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def __add__(self, other: Facts) -> Facts:
        return Facts(self.nodes + other.nodes, self.edges + other.edges)

    def normal(self) -> Facts:
        """The same facts, each node and edge once, in the order in which rows are always locked."""
        nodes: dict[str, Node] = {}
        for node in self.nodes:
            known = nodes.get(node.id)
            nodes[node.id] = node if known is None else merged(known, node)
        edges = {(e.cause_id, e.effect_id): e for e in self.edges if e.cause_id and e.effect_id}
        return Facts(tuple(nodes[i] for i in sorted(nodes) if i), tuple(edges[k] for k in sorted(edges)))


def merged(one: Node, other: Node) -> Node:
    """What two tellers know of one thing together; the same in either order."""
    told = max(one, other, key=lambda node: (node.rank, node.summary))
    times = [node.occurred_at for node in (one, other) if node.occurred_at]
    return replace(told, occurred_at=min(times, default=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Causes before effects."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    truncated: bool


def line(nearest_first: Sequence[Node], edges: Iterable[Edge], *, max_nodes: int) -> Line:
    """The line through the first node, cut to `max_nodes`: details go first, then the far before the near.

    Args:
        nearest_first: the start, then what it came from and led to, nearest first.
    """
    ranked = sorted(range(len(nearest_first)), key=lambda i: (i > 0 and nearest_first[i].kind in DETAILS, i))
    kept = {nearest_first[i].id: nearest_first[i] for i in ranked[:max_nodes]}
    among = [edge for edge in edges if edge.cause_id in kept and edge.effect_id in kept]
    return Line(nodes=_causes_first(kept, among), edges=tuple(among), truncated=len(nearest_first) > max_nodes)


def _causes_first(nodes: Mapping[str, Node], edges: Sequence[Edge]) -> tuple[Node, ...]:
    """Topological order; among those that may come next, the earliest."""
    open_causes: dict[str, int] = dict.fromkeys(nodes, 0)
    effects: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        open_causes[edge.effect_id] += 1
        effects[edge.cause_id].append(edge.effect_id)
    ready = [(_time(nodes[i]), i) for i, count in open_causes.items() if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, i = heapq.heappop(ready)
        ordered.append(nodes[i])
        for effect in effects[i]:
            open_causes[effect] -= 1
            if not open_causes[effect]:
                heapq.heappush(ready, (_time(nodes[effect]), effect))
    placed = {node.id for node in ordered}
    rest = sorted((node for node in nodes.values() if node.id not in placed), key=lambda n: (_time(n), n.id))
    return (*ordered, *rest)  # nothing is left unless somebody told of a circle


def _time(node: Node) -> datetime:
    return node.occurred_at or _START_OF_TIME
