"""Facts about lineage, and the line through one of them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relearn_registry.domain.lineage import Edge, Facts, Node, line, merged

START = datetime(2026, 11, 23, tzinfo=UTC)


def node(id, kind="run", *, minute=None, summary="", rank=0):
    at = START + timedelta(minutes=minute) if minute is not None else None
    return Node(id=id, kind=kind, project_id="p", summary=summary, occurred_at=at, rank=rank)


def edges(*pairs):
    return [Edge(cause_id=cause, effect_id=effect, event_id="e") for cause, effect in pairs]


def ids(found):
    return [n.id for n in found.nodes]


def test_causes_come_before_effects_and_the_earlier_first():
    nodes = [node("label", minute=3), node("task", minute=2), node("flag", minute=9), node("version", minute=1)]
    told = edges(("flag", "task"), ("task", "label"), ("label", "version"))

    assert ids(line(nodes, told, max_nodes=9)) == ["flag", "task", "label", "version"]


def test_among_equals_time_decides():
    nodes = [node("study", minute=0), node("b", minute=2), node("a", minute=5), node("c", minute=1)]

    assert ids(line(nodes, edges(("study", "a"), ("study", "b"), ("study", "c")), max_nodes=9)) == [
        "study",
        "c",
        "b",
        "a",
    ]


def test_a_cut_leaves_the_steps_of_the_loop_and_drops_details():
    nodes = [node("alert", "alert"), *(node(f"f{i}", "flag") for i in range(50)), node("route", "route", minute=9)]

    found = line(nodes, [], max_nodes=3)

    assert found.truncated
    assert set(ids(found)) == {"alert", "route", "f0"}


def test_the_start_is_never_cut():
    nodes = [node("p", "prediction"), node("r1", "route"), node("r2", "route")]

    assert "p" in ids(line(nodes, [], max_nodes=1))


def test_edges_to_what_was_cut_are_left_out():
    found = line([node("a"), node("b")], edges(("a", "b")), max_nodes=1)

    assert found.edges == ()


def test_a_circle_does_not_hide_anything():
    found = line([node("a", minute=1), node("b", minute=2)], edges(("a", "b"), ("b", "a")), max_nodes=9)

    assert ids(found) == ["a", "b"]


def test_who_knows_more_is_believed():
    named, told = node("x", minute=5), node("x", "flag", minute=7, summary="audit", rank=1)

    assert merged(named, told).summary == "audit"
    assert merged(named, told).occurred_at == named.occurred_at


tellers = st.builds(
    lambda rank, summary, minute: node("x", minute=minute, summary=summary, rank=rank),
    st.integers(0, 2),
    st.sampled_from(["", "a", "b"]),
    st.none() | st.integers(0, 3),
)


@given(st.lists(tellers, min_size=1, max_size=5).flatmap(lambda t: st.tuples(st.just(t), st.permutations(t))))
def test_the_order_of_tellers_makes_no_difference(told):
    one, other = told

    assert Facts(nodes=tuple(one)).normal() == Facts(nodes=tuple(other)).normal()


def test_facts_name_nothing_twice_and_nothing_empty():
    told = Facts(nodes=(node("a"), node(""), node("a", rank=1)), edges=tuple(edges(("a", "b"), ("a", "b"), ("", "b"))))

    normal = told.normal()

    assert [n.id for n in normal.nodes] == ["a"]
    assert len(normal.edges) == 1
