"""The profile: exact under every order and cut, small, and right by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitoring_traffic import drawn

from relearn_monitoring import arrays
from relearn_monitoring.domain import profile as profiles
from relearn_monitoring.domain.predictions import Predictions
from relearn_monitoring.domain.reference import freeze, observe
from relearn_runtime.errors import InvalidInput

REFERENCE = freeze(drawn(200), reference_id="r")
TRAFFIC = drawn(90, seed=1)


@given(st.lists(st.integers(0, 90), max_size=6), st.randoms(use_true_random=False))
def test_however_predictions_are_cut_and_ordered_the_profile_is_the_same_to_the_bit(cuts, random):
    bounds = [0, *sorted(cuts), 90]
    parts = [TRAFFIC[start:end] for start, end in pairwise(bounds)]
    random.shuffle(parts)

    merged = profiles.empty(REFERENCE, classes=3)
    for part in parts:
        merged = profiles.merge(merged, profiles.profile_of(observe(REFERENCE, part), REFERENCE))

    whole = profiles.profile_of(observe(REFERENCE, TRAFFIC), REFERENCE)
    assert arrays.of_profile(merged) == arrays.of_profile(whole)


def test_merging_is_associative_and_commutative():
    one, two, three = (profiles.profile_of(observe(REFERENCE, drawn(30, seed=seed)), REFERENCE) for seed in (3, 4, 5))

    left = profiles.merge(profiles.merge(one, two), three)
    right = profiles.merge(three, profiles.merge(two, one))

    assert arrays.of_profile(left) == arrays.of_profile(right)


def test_profiles_of_two_references_are_never_added():
    other = freeze(drawn(200, seed=8), reference_id="other")
    one = profiles.profile_of(observe(REFERENCE, TRAFFIC), REFERENCE)

    with pytest.raises(InvalidInput, match="different references"):
        profiles.merge(one, profiles.profile_of(observe(other, TRAFFIC), other))


def test_gaussians_are_those_of_the_components():
    observed = observe(REFERENCE, TRAFFIC)

    means, covariances = profiles.gaussians(profiles.profile_of(observed, REFERENCE))

    own = observed.components[TRAFFIC.labels == 1]
    np.testing.assert_allclose(means[1], own.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(covariances[1], np.cov(own.T, bias=True), atol=1e-2)


def test_counts_are_those_of_a_hand_counted_case():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45]])
    predictions = Predictions(
        probabilities=probabilities, embeddings=np.zeros((3, 0)), statistics=np.full((3, 5), np.nan)
    )

    profile = profiles.profile_before(predictions)

    assert profile.n == 3
    assert profile.labels.tolist() == [2, 1]
    assert {int(i): int(profile.confidence[i]) for i in profile.confidence.nonzero()[0]} == {45: 1, 40: 1, 27: 1}
    assert profile.mean_confidence == pytest.approx(0.75, abs=1e-3)


def test_unknown_statistics_have_a_bin_of_their_own():
    blank = Predictions(
        probabilities=TRAFFIC.probabilities,
        embeddings=TRAFFIC.embeddings,
        statistics=np.full(TRAFFIC.statistics.shape, np.nan),
    )

    profile = profiles.profile_of(observe(REFERENCE, blank), REFERENCE)

    assert profile.bins.sum(axis=1).tolist() == [90] * len(profile.bins)
    assert profile.bins[2:7, -1].tolist() == [90] * 5


def test_window_of_ten_classes_takes_less_than_64_kb():
    reference = freeze(drawn(400, classes=10, dimensions=64), reference_id="ten")

    body = arrays.of_profile(profiles.profile_of(observe(reference, drawn(50, classes=10, dimensions=64)), reference))

    assert len(body) < 64_000


def test_profile_survives_its_bytes():
    profile = profiles.profile_of(observe(REFERENCE, TRAFFIC), REFERENCE)

    again = arrays.profile(arrays.of_profile(profile), reference_id="r")

    assert arrays.of_profile(again) == arrays.of_profile(profile)
    assert (again.n, again.confidence_sum, again.reference_id) == (profile.n, profile.confidence_sum, "r")


def test_a_version_without_embeddings_is_profiled_too():
    bare = Predictions(probabilities=TRAFFIC.probabilities, embeddings=np.zeros((90, 0)), statistics=TRAFFIC.statistics)
    reference = freeze(bare, reference_id="bare")

    profile = profiles.profile_of(observe(reference, bare), reference)

    assert profile.sums.shape == (3, 0)
    assert profile.n == 90
