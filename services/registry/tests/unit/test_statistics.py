"""The gate's arithmetic, computed by hand beside it."""

import math

import numpy as np
import pytest
from scipy import stats

from relearn_registry.domain.statistics import (
    calibration_error,
    exact_interval,
    inverse_weights,
    paired_difference,
    share,
    sign_test,
)
from relearn_runtime.errors import InvalidInput

ONES = np.ones(10)


def test_a_paired_difference_by_hand():
    # 1 won, 3 lost, 6 equal: padded (1 - 3) / 12; variance (1 + 3 + 1 - 4 / 12) / 144
    difference = np.array([1, -1, -1, -1, 0, 0, 0, 0, 0, 0], dtype=float)

    found = paired_difference(difference, ONES)

    assert found.value == pytest.approx(-0.2)
    assert found.center == pytest.approx(-2 / 12)
    assert found.standard_error == pytest.approx(math.sqrt((5 - 4 / 12) / 144))
    assert found.upper_bound(0.95) == pytest.approx(-2 / 12 + 1.6448536 * math.sqrt((5 - 4 / 12) / 144))


def test_no_disagreement_still_leaves_doubt():
    assert paired_difference(np.zeros(10), ONES).upper_bound(0.95) > 0


def test_inverse_probabilities_weigh_what_they_stand_for():
    # picked with 0.5 and 0.1: weights 2 and 10; (-1 * 2 + 1 * 10) / 12
    weights = inverse_weights(np.array([0.5, 0.1]))

    found = paired_difference(np.array([-1.0, 1.0]), weights)

    assert found.value == pytest.approx(8 / 12)
    effective = 144 / 104
    assert found.center == pytest.approx((8 / 12) * effective / (effective + 2))


def test_equal_weights_change_nothing():
    difference = np.array([1, -1, -1, -1, 0, 0, 0, 0, 0, 0], dtype=float)

    assert paired_difference(difference, ONES * 7) == paired_difference(difference, ONES)


def test_imported_samples_weigh_one():
    np.testing.assert_allclose(inverse_weights(np.array([np.nan, 0.25])), [1, 4])


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.1])
def test_an_impossible_probability_is_refused(probability):
    with pytest.raises(InvalidInput, match="over 0 and at most 1"):
        inverse_weights(np.array([0.5, probability]))


def test_a_share_and_its_interval_by_hand():
    # 8 of 10: centre (8 + 2) / 14
    found = share(np.array([1.0] * 8 + [0.0] * 2), ONES)

    low, high = found.interval
    assert found.value == pytest.approx(0.8)
    assert (low + high) / 2 == pytest.approx(10 / 14)
    assert (high - low) / 2 == pytest.approx(1.959964 * math.sqrt(10 / 14 * 4 / 14 / 14))


def test_calibration_error_of_two_bins_by_hand():
    # 40 samples, two bins of 20: confidence 0.6 with 10 right, 0.9 with 20 right: (0.1 + 0.1) / 2
    confidence = np.array([0.6] * 20 + [0.9] * 20)
    correct = np.array([1.0] * 10 + [0.0] * 10 + [1.0] * 20)

    assert calibration_error(confidence, correct, np.ones(40)) == pytest.approx(0.1)


def test_calibration_error_of_a_handful_is_one_bin():
    assert calibration_error(np.array([0.5, 1.0]), np.array([1.0, 0.0]), np.ones(2)) == pytest.approx(0.25)


@pytest.mark.parametrize(("wins", "losses"), [(40, 20), (20, 40), (0, 5), (5, 0), (37, 23), (71, 49)])
def test_the_sign_test_is_scipys_binomial_test(wins, losses):
    expected = stats.binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue

    assert sign_test(wins, losses) == pytest.approx(expected)


def test_the_sign_test_of_nothing_shows_nothing():
    assert sign_test(0, 0) == 1
    assert exact_interval(0, 0) == (0, 1)


@pytest.mark.parametrize(("wins", "losses"), [(40, 20), (0, 7), (7, 0)])
def test_the_interval_is_clopper_and_pearsons(wins, losses):
    expected = stats.binomtest(wins, wins + losses).proportion_ci(0.95, method="exact")

    assert exact_interval(wins, losses) == pytest.approx((expected.low, expected.high))
