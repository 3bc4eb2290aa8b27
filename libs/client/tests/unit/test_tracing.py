"""Traces as trees."""

from __future__ import annotations

from datetime import UTC, datetime

from relearn_client.tracing import Stage, Trace, TraceEdge, TraceNode


def trace(*edges: str, asked: str = "", truncated: bool = False) -> Trace:
    """A trace of nodes named by letters; an edge is written `ab`."""
    names = sorted({letter for edge in edges for letter in edge})
    nodes = tuple(
        TraceNode(id=name, kind="thing", summary="", occurred_at=datetime(2026, 11, 23, 12, 0, i, tzinfo=UTC))
        for i, name in enumerate(names)
    )
    made = tuple(TraceEdge(cause_id=a, effect_id=b, event_id=f"event-{a}{b}") for a, b in edges)
    return Trace(id=asked, nodes=nodes, edges=made, truncated=truncated)


def test_effects_stand_below_their_causes():
    assert list(trace("ab", "ac", "cd", asked="c").lines()) == [
        "12:00:00 thing a",
        "├─ 12:00:01 thing b",
        "└─ 12:00:02 thing c  <── asked for",
        "   └─ 12:00:03 thing d",
    ]


def test_what_has_several_causes_stands_once_below_the_last_of_them():
    assert list(trace("ac", "bc", "cd").lines()) == [
        "12:00:00 thing a",
        "12:00:01 thing b",
        "└─ 12:00:02 thing c (+1 other cause)",
        "   └─ 12:00:03 thing d",
    ]


def test_a_circle_and_an_edge_to_nowhere_do_not_matter():
    lines = list(trace("ab", "ba").lines())
    dangling = Trace(id="", nodes=(), edges=(TraceEdge(cause_id="x", effect_id="y", event_id="e"),), truncated=True)

    assert len(lines) == 2
    assert list(dangling.lines()) == ["... there is more"]


def test_a_chain_of_thousands_is_printed():
    nodes = tuple(TraceNode(id=str(i), kind="thing", summary="", occurred_at=None) for i in range(5000))
    edges = tuple(TraceEdge(cause_id=str(i), effect_id=str(i + 1), event_id="") for i in range(4999))

    assert len(list(Trace(id="0", nodes=nodes, edges=edges, truncated=False).lines())) == 5000


def test_a_stage_is_a_line():
    stage = Stage(service="labeling", stage="label tasks", waits_for="3 open tasks", needs_person=True, progress=None)

    assert str(stage) == "labeling, label tasks: 3 open tasks (needs a person)"
