"""Intersection over union of every kind of part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from truth_values import box, polygon, segment, span, track

from relearn_labeling.domain.regions import Part, Whole
from relearn_labeling.domain.truth.overlaps import overlaps

SQUARE = polygon((0, 0), (10, 0), (10, 10), (0, 10))


def overlap(one: Part, other: Part) -> float:
    _, _, found = overlaps([one], [other], least=1e-12)
    return float(found[0]) if len(found) else 0.0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Whole(), Whole(), 1),
        (box(0), box(5), 1 / 3),
        (box(0), box(10), 0),  # they touch, and share nothing
        (box(0), box(2, 2, 4, 4), 0.16),
        (SQUARE, polygon((0, 0), (10, 0), (0, 10)), 0.5),
        (SQUARE, polygon((10, 10), (0, 10), (0, 0), (10, 0)), 1),  # the same outline, begun elsewhere
        # an L against the square that fills its corner: 75 of 100
        (SQUARE, polygon((0, 0), (10, 0), (10, 5), (5, 5), (5, 10), (0, 10)), 0.75),
        (span(0, 10), span(5, 15), 1 / 3),
        (span(0, 10), span(10, 12), 0),
        (segment(0, 1), segment(0.25, 1), 0.75),
        (box(0), SQUARE, 0),  # two kinds are never the same thing
    ],
)
def test_the_overlap_is_what_both_share_over_what_either_has(one: Part, other: Part, expected: float):
    assert overlap(one, other) == pytest.approx(expected)
    assert overlap(other, one) == pytest.approx(expected)


def test_an_outline_that_crosses_itself_covers_both_its_loops():
    bow = polygon((0, 0), (10, 10), (10, 0), (0, 10))  # two triangles of 25 each

    assert overlap(bow, SQUARE) == pytest.approx(0.5)


@pytest.mark.parametrize("flat", [polygon((0, 0), (5, 5), (10, 10)), polygon((1, 1), (1, 1), (1, 1))])
def test_an_outline_without_an_area_is_the_same_as_itself_and_as_nothing_else(flat: Part):
    assert overlap(flat, flat) == 1
    assert overlap(flat, SQUARE) == 0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (track((0, 0), (10, 10)), track((0, 0), (5, 5), (10, 10)), 1),  # one keyframe more on the same way
        (track((0, 0), (1, 0)), track((0, 5), (1, 5)), 1 / 3),
        (track((0, 0), (3, 0)), track((2, 0), (3, 0)), 0.5),  # one sees it two frames later
        (track((0, 0), (2, 0, True), (3, 0)), track((0, 0), (3, 0)), 0.75),  # hidden in one frame of four
        (track((0, 0)), track((0, 0), (9, 0)), 1),  # after its last keyframe it stays
        (track((0, 0, True)), track((0, 0)), 0),
    ],
)
def test_tracks_are_compared_frame_by_frame(one: Part, other: Part, expected: float):
    assert overlap(one, other) == pytest.approx(expected)


def test_a_track_to_the_last_frame_there_can_be_costs_no_more():
    last = 2**31 - 1

    assert overlap(track((0, 0), (last, 100)), track((0, 0), (last, 100.5))) == pytest.approx(0.95, abs=0.03)


def test_many_parts_are_compared_at_once_and_only_close_pairs_told():
    one, other = [box(20 * n) for n in range(600)], [box(20 * n + 1) for n in reversed(range(600))]

    rows, columns, found = overlaps([*one, span(0, 5)], [span(0, 5), *other], least=0.5)

    pairs = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    assert pairs == {n: 600 - n for n in range(600)} | {600: 0}
    np.testing.assert_allclose(np.sort(found), [9 / 11] * 600 + [1])


def test_regions_that_all_lie_in_one_place_are_compared_with_a_bounded_number_of_others():
    rows, _, found = overlaps([box(0)] * 300, [box(0)] * 400, least=0.5)

    assert set(np.bincount(rows)) == {20}
    assert (found == 1).all()


places = st.floats(0, 100).map(lambda x: round(x, 3))
sizes = st.floats(0.01, 50).map(lambda x: round(x, 3))
boxes = st.builds(box, places, places, sizes, sizes)
spans = st.builds(lambda start, length: span(start, start + length), st.integers(0, 100), st.integers(1, 50))
outlines = st.lists(st.tuples(places, places), min_size=3, max_size=8).map(lambda points: polygon(*points))


@given(st.one_of(st.tuples(boxes, boxes), st.tuples(spans, spans), st.tuples(outlines, outlines)))
def test_the_overlap_is_symmetric_and_between_nothing_and_all(pair: tuple[Part, Part]):
    one, other = pair

    assert overlap(one, one) == 1
    assert 0 <= overlap(one, other) <= 1
    assert overlap(one, other) == pytest.approx(overlap(other, one), abs=1e-9)
