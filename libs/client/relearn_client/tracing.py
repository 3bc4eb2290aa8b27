"""Where something came from and what it led to, and what the loop waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from relearn.registry.v1 import registry_service_pb2 as pb
from relearn_client.calls import Calls
from relearn_client.times import maybe_when

DEADLINE_S = 30.0
_DEEPEST = 60  # columns of indentation


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceNode:
    """One thing that happened: `kind` in the glossary's words, `summary` in a line."""

    id: str
    kind: str
    summary: str
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEdge:
    """A cause and its effect, and the event that told it."""

    cause_id: str
    effect_id: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A node in a tree, with the effects it is the last cause of; `other_causes` counts those shown elsewhere."""

    node: TraceNode
    other_causes: int
    effects: tuple[Branch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What was found, causes before effects; `truncated` when there is more."""

    id: str
    nodes: tuple[TraceNode, ...]
    edges: tuple[TraceEdge, ...]
    truncated: bool

    def tree(self) -> tuple[Branch, ...]:
        """The nodes as trees from causes to effects, each node once: under the last of its causes."""
        return _tree(self.nodes, self.edges)

    def lines(self) -> Iterator[str]:
        """The tree as text, a node a line; the one that was asked for is marked."""
        yield from _lines(self.tree(), self.id)
        if self.truncated:
            yield "... there is more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage of the loop waits for; `reachable` is False where its service did not answer."""

    service: str
    stage: str
    waits_for: str
    needs_person: bool
    progress: float | None
    reachable: bool = True

    def __str__(self) -> str:
        name = f"{self.service}, {self.stage}" if self.stage else self.service
        return f"{name}: {self.waits_for}{' (needs a person)' if self.needs_person else ''}"


def trace(calls: Calls, id: str, *, max_nodes: int) -> Trace:
    """Everything an id came from and led to."""
    request = pb.TraceRequest(id=id, max_nodes=max_nodes)
    found = calls.ask("registry", calls.registry.Trace, request, deadline_s=DEADLINE_S)
    nodes = tuple(
        TraceNode(id=one.id, kind=one.kind, summary=one.summary, occurred_at=maybe_when(one.occur_time))
        for one in found.nodes
    )
    edges = tuple(TraceEdge(cause_id=e.cause_id, effect_id=e.effect_id, event_id=e.event_id) for e in found.edges)
    return Trace(id=id, nodes=nodes, edges=edges, truncated=found.truncated)


def why(calls: Calls, project_id: str) -> tuple[Stage, ...]:
    """What each stage of a project's loop waits for, in the order of the loop."""
    response = calls.ask("registry", calls.registry.Why, pb.WhyRequest(project_id=project_id), deadline_s=DEADLINE_S)
    return tuple(stage for service in response.services for stage in _stages(service))


def _stages(service: pb.ServiceWaiting) -> list[Stage]:
    if not service.reachable:
        away = f"does not answer: {service.problem}" if service.problem else "does not answer"
        return [
            Stage(service=service.service, stage="", waits_for=away, needs_person=False, progress=None, reachable=False)
        ]
    return [
        Stage(
            service=service.service,
            stage=one.stage,
            waits_for=one.waits_for,
            needs_person=one.needs_person,
            progress=one.progress if one.HasField("progress") else None,
        )
        for one in service.waiting
    ]


def _tree(nodes: Sequence[TraceNode], edges: Sequence[TraceEdge]) -> tuple[Branch, ...]:
    place = {node.id: number for number, node in enumerate(nodes)}
    causes: dict[str, set[str]] = {node.id: set() for node in nodes}
    for edge in edges:
        # only forward edges: whatever a service reports, what is printed is a tree
        if edge.cause_id in place and edge.effect_id in place and place[edge.cause_id] < place[edge.effect_id]:
            causes[edge.effect_id].add(edge.cause_id)
    effects: dict[str, list[str]] = {node.id: [] for node in nodes}
    roots = []
    for node in nodes:
        if causes[node.id]:
            effects[max(causes[node.id], key=place.__getitem__)].append(node.id)
        else:
            roots.append(node.id)
    made: dict[str, Branch] = {}
    for node in reversed(nodes):  # effects come after their causes, so they are made first
        made[node.id] = Branch(
            node=node,
            other_causes=max(0, len(causes[node.id]) - 1),
            effects=tuple(made[effect] for effect in effects[node.id]),
        )
    return tuple(made[root] for root in roots)


def _lines(roots: Sequence[Branch], asked: str) -> Iterator[str]:
    """Line by line without recursion: a chain of routes may be thousands long, and is then no longer moved in."""
    waiting = [("", "", root) for root in reversed(roots)]
    while waiting:
        first, rest, branch = waiting.pop()
        yield f"{first}{described(branch, asked)}"
        deeper = len(rest) < _DEEPEST
        for number, effect in enumerate(reversed(branch.effects)):
            last = number == 0
            below = rest + (("   " if last else "│  ") if deeper else "")
            waiting.append((rest + ("└─ " if last else "├─ "), below, effect))


def described(branch: Branch, asked: str) -> str:
    """One line about a node."""
    node = branch.node
    at = f"{node.occurred_at:%H:%M:%S} " if node.occurred_at else ""
    more = f" (+{branch.other_causes} other {'cause' if branch.other_causes == 1 else 'causes'})"
    marks = (more if branch.other_causes else "") + ("  <── asked for" if node.id == asked else "")
    return f"{at}{node.kind} {node.id}{': ' + node.summary if node.summary else ''}{marks}"
