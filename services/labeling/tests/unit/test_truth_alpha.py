"""Krippendorff's alpha: the published example, the krippendorff package, and by hand."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from truth_values import box, region

from relearn_labeling.domain.regions import Region, Whole
from relearn_labeling.domain.truth.alpha import Alpha, Tally, nominal_alpha, region_alpha

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: 12 units, four observers, with gaps
PUBLISHED = ["111 ", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", " 555", "  11", " 3  "]


def tallies(rows: list[str], names: str) -> Alpha:
    counts = np.array([[row.count(name) for name in names] for row in rows]).reshape(-1, len(names))
    counts = counts[counts.sum(1) > 1]
    m = counts.sum(1, keepdims=True)
    votes, apart = counts.sum(0), (counts * (m - counts) / (m - 1)).sum(0)
    sums = {name: Tally(votes=votes[place], apart=apart[place]) for place, name in enumerate(names)}
    return nominal_alpha(sums, samples=len(counts))


def wholes(rows: list[str]) -> list[list[list[Region]]]:
    return [[[region(Whole(), value)] for value in row.replace(" ", "")] for row in rows]


def test_the_published_example():
    assert tallies(PUBLISHED, "12345").overall == pytest.approx(0.743, abs=0.0005)


def test_one_class_against_all_others_is_alpha_of_two_values():
    binary = [row.translate(str.maketrans("2345", "0000")) for row in PUBLISHED]

    assert tallies(PUBLISHED, "12345").classes["1"] == pytest.approx(tallies(binary, "01").overall)


@settings(deadline=None)
@given(st.lists(st.text("abc", max_size=4), min_size=2, max_size=8))
def test_it_is_what_the_package_computes(rows: list[str]):
    counts = np.array([[row.count(value) for value in "abc"] for row in rows])
    paired = counts[counts.sum(1) > 1]
    assume(len(paired) > 1)
    assume((paired.sum(0) > 0).sum() > 1)

    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")

    counted, of_regions = tallies(rows, "abc"), region_alpha(wholes(rows), iou=0.5)
    assert counted.overall == pytest.approx(expected)
    assert of_regions.overall == pytest.approx(expected)
    assert of_regions.classes == pytest.approx(counted.classes)


@pytest.mark.parametrize("rows", [[], ["a"], ["aa"], ["aa", "b"], ["aa", "aa"], ["a", "b", "c"]])
def test_what_cannot_be_told_is_not_told(rows: list[str]):
    assert tallies(rows, "abc").overall is None
    assert region_alpha(wholes(rows), iou=0.5).overall is None


def test_the_order_of_samples_and_the_names_of_classes_do_not_matter():
    other = [row.translate(str.maketrans("12345", "53142"))[::-1] for row in reversed(PUBLISHED)]

    assert tallies(other, "12345").overall == pytest.approx(tallies(PUBLISHED, "12345").overall)


def test_regions_that_match_are_near_and_those_elsewhere_far():
    alike = [[[region(box(100 * n))], [region(box(100 * n + 1))]] for n in range(4)]
    apart = [[[region(box(100 * n))], [region(box(100 * n + 50))]] for n in range(4)]

    assert region_alpha(alike, iou=0.5).overall == pytest.approx(1)
    assert region_alpha(apart, iou=0.5).overall <= 0


def test_distances_of_regions_by_hand():
    """Two samples, two answers each; F1 1 in the first, 2/3 in the second, 0 between them; [] differs from all."""
    first, second = region(box(0)), region(box(100))
    units = [[[first], [first]], [[second], [second, region(box(200))]]]

    # D_o: (0 + 0 + 1/3 + 1/3) / 4; D_e: of six pairs, 0, 1/3 and four times 1
    assert region_alpha(units, iou=0.5).overall == pytest.approx(1 - (1 / 6) / ((0 + 1 / 3 + 4) / 6))


def test_a_class_has_its_own_alpha_over_its_own_regions():
    cat, dog = region(box(0)), region(box(100), "dog")
    units = [[[cat, dog], [cat]], [[cat], [cat, dog]], [[], []]]

    alpha = region_alpha(units, iou=0.5)

    assert alpha.classes["cat"] == pytest.approx(1)
    assert alpha.classes["dog"] < 0


def test_many_answers_are_compared_in_evenly_spread_pairs():
    units = [[[region(box(100 * (n % 7)))], [region(box(100 * ((n + (n % 5 == 0)) % 7)))]] for n in range(50)]

    whole = region_alpha(units, iou=0.5, most_pairs=10**6).overall

    assert region_alpha(units, iou=0.5, most_pairs=1000).overall == pytest.approx(whole, abs=0.02)
    assert region_alpha(units, iou=0.5, most_pairs=100).overall == pytest.approx(whole, abs=0.1)
