"""What answers say together."""

from __future__ import annotations

import pytest
from labeling_values import LABEL_SET, NOW, POLICY, whole

from relearn_labeling.domain.consensus import Consensus, consensus
from relearn_labeling.domain.regions import Box, LabelSet, Origin, Region, RegionKind
from relearn_labeling.domain.tasks import Annotation

MULTI = LabelSet(version=1, classes=("red", "big", "old"), multi_label=True)
BOXES = LabelSet(version=1, classes=("boot",), kinds=frozenset({RegionKind.BOX}))


def agreed(label_set: LabelSet, *answers: tuple[Region, ...]) -> Consensus | None:
    annotations = [
        Annotation(id=f"a{i}", annotator=f"ann{i}", slot=i, regions=regions, time_spent=None, created_at=NOW)
        for i, regions in enumerate(answers, start=1)
    ]
    return consensus(annotations, label_set=label_set, policy=POLICY)


def classes(*answers: str) -> Consensus | None:
    """The consensus of multi-label answers, each written as its classes."""
    return agreed(MULTI, *(tuple(whole(name) for name in answer.split()) for answer in answers))


def box(x: float, id: str = "1", **more) -> Region:
    return Region(part=Box(x=x, y=0, width=10, height=10), class_name="boot", id=id, **more)


@pytest.mark.parametrize(
    ("texts", "winner"),
    [([], None), (["bag"], "bag"), (["bag", "boot"], None), (["bag", "bag", "boot", "boot", "shirt"], None)],
)
def test_a_class_needs_more_than_half_of_the_answers(texts: list[str], winner: str | None):
    found = agreed(LABEL_SET, *((whole(text),) for text in texts))

    assert (found and found.regions[0].class_name) == winner


def test_the_agreement_is_the_share_of_the_answers_that_agree():
    found = agreed(LABEL_SET, (whole("boot"),), (whole("bag"),), (whole("boot"),))

    assert (found.annotation_ids, found.agreement, found.posterior) == (("a1", "a3"), pytest.approx(2 / 3), None)


def test_of_the_answers_that_agree_on_a_class_the_attributes_given_most_often_are_kept():
    worn, new = whole("boot", attributes=(("state", "worn"),)), whole("boot", attributes=(("state", "new"),))

    assert agreed(LABEL_SET, (new,), (worn,), (worn,)).regions == (worn,)


def test_each_of_several_classes_is_decided_by_itself():
    found = classes("red big", "red", "big red")

    assert [region.class_name for region in found.regions] == ["red", "big"]
    assert (found.annotation_ids, found.agreement) == (("a1", "a2", "a3"), pytest.approx((1 + 2 / 3 + 1) / 3))


def test_no_class_at_all_is_an_answer_too():
    found = classes("", "", "red")

    assert (found.regions, found.annotation_ids, found.agreement) == ((), ("a1", "a2"), pytest.approx(2 / 3))


@pytest.mark.parametrize("answers", [("red", ""), ("red", "big"), ("red", "big", "old")])
def test_a_class_that_half_give_and_a_set_that_nobody_comes_near_are_disputes(answers: tuple[str, ...]):
    assert classes(*answers) is None


def test_one_answer_with_regions_is_its_own_consensus_and_none_of_them_is_an_answer():
    assert agreed(BOXES, (box(1), box(2, "2"))).regions == (box(1), box(2, "2"))
    assert agreed(BOXES, ()).regions == ()


def test_regions_agree_whatever_they_are_called_and_wherever_they_came_from():
    found = agreed(BOXES, (box(1),), (box(5),), (box(1, "other", origin=Origin.ACCEPTED, score=0.5),))

    assert (found.regions, found.annotation_ids) == ((box(1),), ("a1", "a3"))
