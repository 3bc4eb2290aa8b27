"""What several annotators mean by their regions, and what a label then says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labeling_values import NOW
from truth_values import BOXES, box, polygon, region, segment, span, track

from relearn_labeling.domain.consensus import Consensus, consensus
from relearn_labeling.domain.regions import LabelSet, Origin, Part, Region, RegionKind, Span, Whole, statements
from relearn_labeling.domain.tasks import Annotation, Policy, Truth
from relearn_labeling.domain.truth.matching import likeness
from relearn_labeling.domain.truth.merging import merged, merged_part
from relearn_labeling.domain.truth.skills import ABSENT, Crowd, Skill
from relearn_labeling.domain.truth.things import things
from relearn_labeling.domain.truth.words import medoid, word_error_rate

SPEECH = LabelSet(version=1, classes=("speech",), transcripts=True)
COUNT = Policy()
SKENE = Policy(truth=Truth.DAWID_SKENE)
CROWD = Crowd(
    values=("cat", "dog", ABSENT),
    prior=np.array([0.4, 0.4, 0.2]),
    newcomer=Skill(accuracy=0.75),
    skills={"expert": Skill(accuracy=0.98), "clicker": Skill(accuracy=0.34)},
)


def agreed(
    *answers: Sequence[Region],
    annotators: Sequence[str] = "abcdefgh",
    label_set: LabelSet = BOXES,
    policy: Policy = COUNT,
    crowd: Crowd | None = None,
) -> Consensus | None:
    annotations = [
        Annotation(id=who, annotator=who, slot=slot, regions=tuple(regions), time_spent=None, created_at=NOW)
        for slot, (who, regions) in enumerate(zip(annotators, answers, strict=False), start=1)
    ]
    return consensus(annotations, label_set=label_set, policy=policy, crowd=crowd)


def test_f1_counts_matched_regions_of_one_class():
    one = [region(box(0)), region(box(100)), region(box(200), "dog")]
    other = [region(box(1)), region(box(200), "cat")]

    assert likeness(one, other, iou=0.5) == pytest.approx(2 * 1 / 5)
    assert likeness(one, one, iou=0.5) == likeness([], [], iou=0.5) == 1
    assert likeness(one, [], iou=0.5) == 0


def test_each_region_is_matched_once_and_with_its_nearest():
    assert likeness([region(box(0))], [region(box(0)), region(box(1))], iou=0.5) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("one", "other", "rate"),
    [
        ("", "", 0),
        ("all is well", "all is well", 0),
        ("all is well", "", 1),
        ("all is well", "all well", 1 / 3),
        ("all is well", "all was not well", 2 / 4),
        ("a  b\nc", "a b c", 0),
    ],
)
def test_the_word_error_rate_is_over_the_longer_transcript(one: str, other: str, rate: float):
    assert word_error_rate(one, other) == pytest.approx(rate)
    assert word_error_rate(other, one) == pytest.approx(rate)


def test_the_medoid_is_the_transcript_nearest_to_the_others():
    said = ["we are hear now", "we are here now", "we are here", "bananas"]

    assert medoid(said, [1, 1, 1, 1]) == 1
    assert medoid(said, [1, 1, 1, 9]) == 3


def test_a_thing_has_one_region_of_an_answer_and_prefers_its_own_class():
    """Two spans over the same words by two annotators: two things, not one of mixed class."""
    label_set = LabelSet(version=1, classes=("cat", "dog"), kinds=frozenset({RegionKind.SPAN}))
    answers = [
        [region(span(0, 10)), region(span(0, 10), "dog")],
        [region(span(0, 9), "dog"), region(span(0, 9))],
    ]

    found = things(answers, label_set=label_set, iou=0.5)

    assert [[thing.class_in(0), thing.class_in(1)] for thing in found] == [["cat", "cat"], ["dog", "dog"]]


def test_things_gather_over_answers_and_neighbours_stay_apart():
    answers = [[region(box(0)), region(box(12))], [region(box(13)), region(box(1))], [region(box(2))]]

    found = things(answers, label_set=BOXES, iou=0.5)

    assert [{n: member.part.x for n, member in thing.members.items()} for thing in found] == [
        {0: 0, 1: 1, 2: 2},
        {0: 12, 1: 13},
    ]


@pytest.mark.parametrize(
    ("parts", "weights", "middle"),
    [
        ([box(0), box(1), box(5)], [1, 1, 1], box(1)),
        ([box(0), box(2)], [1, 1], box(1)),
        ([box(0), box(2)], [1, 3], box(2)),
        ([box(0, 0, 10, 10), box(2, 0, 10, 10), box(1, 0, 20, 10)], [1, 1, 1], box(1, 0, 11, 10)),
        ([span(0, 10), span(2, 12), span(1, 30)], [1, 1, 1], span(1, 12)),
        ([span(0, 10), span(3, 13)], [1, 1], span(0, 10)),  # a place that somebody gave, never between two
        ([segment(0, 1), segment(0.5, 2)], [1, 1], segment(0.25, 1.5)),
    ],
)
def test_edges_are_put_in_the_middle(parts: list[Part], weights: list[float], middle: Part):
    assert merged_part(parts, weights) == middle


def test_of_outlines_and_tracks_the_most_central_is_taken():
    outlines = [polygon((x, 0), (x + 10, 0), (x + 10, 10), (x, 10)) for x in (0, 2, 3)]
    tracks = [track((0, x), (9, x)) for x in (3, 0, 2)]

    assert merged_part(outlines, [1, 1, 1]) == outlines[1]
    assert merged_part(tracks, [1, 1, 1]) == tracks[2]
    assert merged_part(outlines[:2], [1, 3]) == outlines[1]


def test_attributes_go_by_weight_and_what_only_one_region_can_be_is_dropped_where_they_differ():
    drawn = region(box(0), attributes=(("age", "old"), ("colour", "red")))
    drawn = replace(drawn, origin=Origin.DRAWN)
    edited = region(box(0), attributes=(("age", "new"),), model_version_id="m/model/1")
    edited = replace(edited, origin=Origin.EDITED, score=0.5)

    found = merged([drawn, edited, edited], [1, 1, 1])

    assert found.attributes == (("age", "new"),)
    assert (found.origin, found.model_version_id, found.score) == (Origin.UNKNOWN, "", None)


def test_a_thing_that_more_than_half_have_is_in_the_label():
    found = agreed([region(box(0)), region(box(50))], [region(box(1))], [region(box(2)), region(box(90))])

    assert [one.part for one in found.regions] == [box(1)]
    assert found.annotation_ids == ("a", "b", "c")
    assert found.agreement == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


def test_what_half_have_is_not_in_it():
    assert [one.part.x for one in agreed([region(box(0)), region(box(50))], [region(box(0))]).regions] == [0]


def test_the_class_of_a_thing_is_voted_and_one_without_a_leader_is_left_out():
    both = [region(box(50), "dog")]

    found = agreed([region(box(0)), *both], [region(box(0)), *both], [region(box(0), "dog"), *both])
    tied = agreed([region(box(0)), *both], [region(box(0), "dog"), *both])

    assert [one.class_name for one in found.regions] == ["cat", "dog"]
    assert [one.class_name for one in tied.regions] == ["dog"]


def test_answers_that_share_nothing_are_no_label():
    assert agreed([region(box(0))], [region(box(50))], [region(box(90))]) is None
    assert agreed([region(box(0))], []) is None


def test_names_are_distinct_in_the_label():
    found = agreed(
        [region(box(0), id="r1")],
        [region(box(0), id="r2"), region(box(50), id="r1")],
        [region(box(0), id="r3"), region(box(50), id="r9")],
    )

    assert [one.id for one in found.regions] == ["r1", "r1-2"]


def test_with_posteriors_who_is_right_more_often_weighs_more():
    answers = [[region(box(0))], [region(box(0), "dog")], [region(box(0), "dog")]]

    found = agreed(*answers, annotators=["expert", "clicker", "clicker2"], policy=SKENE, crowd=CROWD)

    assert [one.class_name for one in found.regions] == ["cat"]
    assert found.posterior > 0.8
    assert found.annotation_ids == ("expert",)


def test_with_posteriors_a_thing_that_only_a_clicker_saw_is_left_out():
    answers = [[region(box(0))], [region(box(0)), region(box(50))]]

    found = agreed(*answers, annotators=["expert", "clicker"], policy=SKENE, crowd=CROWD)

    assert [one.part.x for one in found.regions] == [0]


def test_a_label_needs_the_posterior_of_its_least_certain_thing():
    answers = [[region(box(0)), region(box(50))], [region(box(0))]]

    assert agreed(*answers, policy=SKENE, crowd=CROWD) is None
    assert agreed(*answers, policy=replace(SKENE, min_posterior=0.5), crowd=CROWD).posterior < 0.8


def test_nothing_at_all_is_an_answer_with_a_posterior():
    assert agreed([], policy=SKENE, crowd=CROWD) is None  # one stranger is not enough
    assert agreed([], [], [], policy=SKENE, crowd=CROWD).regions == ()


def test_transcripts_agree_by_their_words():
    said = ["we are hear now", "we are here now", "we are here now then"]

    found = agreed(*([region(Whole(), "speech", transcript=text)] for text in said), label_set=SPEECH)

    assert found.regions[0].transcript == said[1]
    assert found.agreement == pytest.approx(1 - (1 / 4 + 0 + 1 / 5) / 3)


@pytest.mark.parametrize("policy", [Policy(), SKENE])
def test_transcripts_that_share_no_word_are_no_label(policy: Policy):
    said = ["bananas", "we are here", "close the door"]

    assert (
        agreed(*([region(Whole(), "speech", transcript=text)] for text in said), label_set=SPEECH, policy=policy)
        is None
    )


@pytest.mark.parametrize("policy", [Policy(), Policy(truth=Truth.WEIGHTED), SKENE])
@pytest.mark.parametrize("multi_label", [False, True])
def test_one_class_or_several_of_the_whole_sample(policy: Policy, multi_label: bool):
    label_set = LabelSet(version=1, classes=("cat", "dog", "cow"), multi_label=multi_label)
    answers = [[region(Whole())], [region(Whole())], [region(Whole(), "dog")]]

    found = agreed(*answers, label_set=label_set, policy=replace(policy, min_posterior=0.7))

    assert [one.class_name for one in found.regions] == ["cat"]
    assert (found.posterior is None) == (policy.truth is Truth.MAJORITY)


coordinates = st.integers(0, 400).map(float)
sides = st.integers(1, 60).map(float)
regions = st.builds(
    lambda part, name, number: region(part, name, id=f"r{number}"),
    st.builds(box, coordinates, coordinates, sides, sides),
    st.sampled_from(BOXES.classes),
    st.integers(0, 10**6),
)
answers = st.lists(regions, max_size=5, unique_by=lambda one: one.id)


@settings(deadline=None)
@given(answers, st.integers(1, 5), st.sampled_from(Truth))
def test_the_consensus_of_identical_answers_is_that_answer(answer: list[Region], count: int, truth: Truth):
    found = agreed(*[answer] * count, policy=Policy(truth=truth, min_posterior=0.5))

    assert found.regions == tuple(answer)
    assert (found.agreement, len(found.annotation_ids)) == (1, count)


@settings(deadline=None, max_examples=40)
@given(st.lists(answers, min_size=3, max_size=3), st.sampled_from(Truth))
def test_the_order_of_answers_changes_nothing_that_a_label_says(given: list[list[Region]], truth: Truth):
    found = [
        agreed(*order, annotators=[f"a{given.index(one)}" for one in order], policy=Policy(truth=truth))
        for order in permutations(given)
    ]

    said = [one and (statements(one.regions), round(one.agreement, 9)) for one in found]
    assert all(one == said[0] for one in said)


def test_spans_of_a_label_begin_and_end_where_somebody_put_them():
    parts = [span(0, 10), span(4, 11), span(3, 15), span(1, 12)]

    found = merged_part(parts, [1, 1, 1, 1])

    assert isinstance(found, Span)
    assert found.start in {0, 4, 3, 1}
    assert found.end in {10, 11, 15, 12}
