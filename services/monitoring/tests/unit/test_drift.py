"""References and windows: silent on the same traffic, loud on another, whatever the reference was drawn from."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from monitoring_traffic import drawn

from relearn_monitoring import arrays
from relearn_monitoring.domain import detector, drift
from relearn_monitoring.domain.drift import MOST_CALIBRATED, Calibration, calibrate, grid, scores
from relearn_monitoring.domain.predictions import Predictions
from relearn_monitoring.domain.profile import profile_of
from relearn_monitoring.domain.reference import Reference, freeze, observe
from relearn_monitoring.domain.skew import Provisional, skew
from relearn_runtime.errors import InvalidInput


@cache
def frozen(seed: int = 0, n: int = 1000) -> tuple[Reference, Calibration]:
    reference = freeze(drawn(n, seed=seed), reference_id=f"r{seed}")
    return reference, calibrate(reference, n=grid(250), alpha=0.01, generator=np.random.default_rng(seed))


def test_clean_windows_are_rarely_over_and_never_twice_in_a_row():
    over, twice, windows = 0, 0, 0
    for seed in range(4):
        reference, calibration = frozen(seed)
        before = False
        for number in range(40):
            window = profile_of(observe(reference, drawn(250, seed=1000 + 50 * seed + number)), reference)
            now = {one.signal: one.over for one in scores(reference, window, calibration)}["frechet"]
            over, twice, windows, before = over + now, twice + (now and before), windows + 1, now

    assert over / windows < 0.05
    assert twice == 0


def test_moved_embeddings_are_over_their_threshold():
    reference, calibration = frozen()

    moved = drawn(250, seed=5, moved=1.5)

    by_signal = {
        one.signal: one for one in scores(reference, profile_of(observe(reference, moved), reference), calibration)
    }
    assert by_signal["frechet"].over
    assert not by_signal["label-mix"].over


def test_changed_label_mix_is_over_its_threshold():
    reference, calibration = frozen()
    mixed = drawn(1000, seed=6)

    one_sided = mixed[np.flatnonzero(mixed.labels == 0)[:250]]

    found = scores(reference, profile_of(observe(reference, one_sided), reference), calibration)
    assert {one.signal: one.over for one in found}["label-mix"]


def test_fresh_references_of_every_size_do_not_alarm_on_their_own_traffic():
    alarms = 0
    for seed in range(24):
        reference = freeze(drawn(300 if seed % 2 else 1000, seed=seed), reference_id="r")
        traffic = drawn(5000, seed=500 + seed)
        watched = detector.watch(
            detector.fresh(reference.limits), observe(reference, traffic).scores(reference), run=2e6
        )
        alarms += watched[1] is not None

    assert alarms == 0


def test_ranks_of_new_predictions_are_uniform():
    reference, _ = frozen()

    ranks = observe(reference, drawn(4000, seed=9)).ranks

    assert ranks.mean() == pytest.approx(0.5, abs=0.05)
    assert np.quantile(ranks, [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=0.06)


def test_limits_are_three_standard_errors_above_the_reference():
    reference, _ = frozen()
    unsure = 1 - reference.predictions.confidence

    confidence, rank = reference.limits

    assert confidence == pytest.approx(unsure.mean() + 3 * unsure.std(ddof=1) / np.sqrt(1000))
    assert rank == pytest.approx(0.5 + 3 * np.sqrt(1 / 12 / 500))


def test_reference_survives_its_bytes():
    # what is frozen from stored predictions has their precision
    stored = arrays.predictions(arrays.of_predictions(drawn(200)))
    reference = freeze(stored, reference_id="r")
    traffic = drawn(50, seed=3)

    again = arrays.reference(arrays.of_reference(reference), reference_id="r")

    assert again.limits == reference.limits
    np.testing.assert_array_equal(observe(again, traffic).ranks, observe(reference, traffic).ranks)
    one, other = (profile_of(observe(each, traffic), each) for each in (reference, again))
    assert arrays.of_profile(one) == arrays.of_profile(other)


def test_too_few_predictions_make_no_reference():
    with pytest.raises(InvalidInput, match="at least 50"):
        freeze(drawn(49), reference_id="r")


def test_predictions_of_another_shape_are_refused():
    reference, _ = frozen()

    with pytest.raises(InvalidInput, match="must be"):
        observe(reference, drawn(10, dimensions=4))


@pytest.mark.parametrize(("n", "served"), [(500, 362), (512, 512), (50, 45), (1, 1), (100_000, MOST_CALIBRATED)])
def test_calibrated_sizes_are_on_the_safe_side(n, served):
    assert grid(n) == served


def test_windows_larger_than_the_calibrated_ones_are_not_over_for_their_size():
    reference, calibration = frozen()

    large = profile_of(observe(reference, drawn(50 * calibration.n, seed=31)), reference)

    assert not {one.signal: one.over for one in scores(reference, large, calibration)}["frechet"]


def test_windows_larger_than_the_calibrated_ones_are_over_when_their_embeddings_moved():
    reference, calibration = frozen()

    large = profile_of(observe(reference, drawn(50 * calibration.n, seed=32, moved=0.7)), reference)

    assert {one.signal: one.over for one in scores(reference, large, calibration)}["frechet"]


def test_skew_is_small_where_nothing_differs_and_large_where_it_does():
    reference, _ = frozen()

    def of(held_out: Predictions) -> float:
        provisional = Provisional(
            confidence=held_out.confidence, embeddings=held_out.embeddings, labels=held_out.labels
        )
        return skew(reference, provisional)

    assert of(drawn(1000, seed=21)) < 0.1
    assert of(drawn(1000, seed=22, moved=1.5)) > 0.4
    with pytest.raises(InvalidInput, match="does not fit"):
        of(drawn(10, dimensions=4))


def test_label_distance_of_identical_gaussians_is_nothing():
    mean, root = np.zeros((1, 2)), np.eye(2)[None] * 2

    same = drift.frechet(mean=mean, covariance=root @ root, other_mean=mean, other_root=root)
    apart = drift.frechet(mean=mean + 3, covariance=root @ root, other_mean=mean, other_root=root)
    wider = drift.frechet(mean=mean, covariance=np.eye(2)[None] * 9, other_mean=mean, other_root=root)

    assert same == pytest.approx([0], abs=1e-9)
    assert apart == pytest.approx([18])
    assert wider == pytest.approx([2])  # (3 - 2)**2 in each of two directions
