"""The e-detector: right by hand, silent while nothing changes, quick when something does."""

from __future__ import annotations

import numpy as np
import pytest

from relearn_monitoring.domain.detector import BETS, fresh, watch
from relearn_runtime.errors import InvalidInput


def test_first_score_multiplies_one_by_each_bet():
    after, alarm = watch(fresh((0.2,)), np.array([[1.0]]), run=1e9)

    expected = [1 + bet * (1 - 0.2) / (1 + bet * 0.2) for bet in BETS]
    assert alarm is None
    assert after.values == pytest.approx(expected)
    assert after.value == pytest.approx(np.mean(expected))


def test_second_score_adds_one_before_it_multiplies():
    first, _ = watch(fresh((0.5,)), np.array([[0.0]]), run=1e9)

    second, _ = watch(first, np.array([[1.0]]), run=1e9)

    by_hand = [(1 * (1 - bet * 0.5 / (1 + bet * 0.5)) + 1) * (1 + bet * 0.5 / (1 + bet * 0.5)) for bet in BETS]
    assert second.values == pytest.approx(by_hand)


def test_state_does_not_depend_on_how_scores_are_cut_into_batches():
    scores = np.random.default_rng(0).uniform(size=(300, 2)) * 0.4

    whole, _ = watch(fresh((0.3, 0.3)), scores, run=1e12)
    pieces = fresh((0.3, 0.3))
    for start in range(0, 300, 7):
        pieces, _ = watch(pieces, scores[start : start + 7], run=1e12)

    assert pieces == whole


def test_no_false_alarm_in_two_million_scores_whose_mean_is_at_the_limit():
    alarms = 0
    for seed in range(20):
        scores = np.random.default_rng(seed).beta(1, 4, size=(10_000, 2))
        alarms += watch(fresh((0.2, 0.2)), scores, run=2e6)[1] is not None

    assert alarms == 0


def test_average_run_length_is_at_least_the_promise():
    lengths = []
    for seed in range(150):
        scores = np.random.default_rng(seed).binomial(1, 0.2, size=(4000, 1)).astype(float)
        alarm = watch(fresh((0.2,)), scores, run=200)[1]
        lengths.append(4000 if alarm is None else alarm.index + 1)

    assert np.mean(lengths) > 200


def test_full_shift_is_seen_within_fifty_scores():
    generator = np.random.default_rng(1)
    quiet, shifted = generator.beta(1, 4, size=(2000, 2)), generator.beta(4, 2, size=(200, 2))

    detector, nothing = watch(fresh((0.22, 0.22)), quiet, run=2e6)
    _, alarm = watch(detector, shifted, run=2e6)

    assert nothing is None
    assert alarm is not None
    assert alarm.index < 50


@pytest.mark.parametrize("scores", [np.array([[1.2]]), np.array([[-0.1]]), np.array([[np.nan]]), np.zeros((2, 2))])
def test_scores_outside_the_unit_interval_or_of_another_number_are_refused(scores):
    with pytest.raises(InvalidInput):
        watch(fresh((0.2,)), scores, run=10)


def test_a_limit_that_is_no_mean_of_such_scores_is_refused():
    with pytest.raises(InvalidInput, match="limits"):
        fresh((1.2,))
