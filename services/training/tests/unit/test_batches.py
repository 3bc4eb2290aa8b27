from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relearn_training.learning.batches import MAX_REPEATS, batches, shares


def drawn(*sizes: int, weights, steps: int = 50, batch_size: int = 64, seed: int = 0):
    edges = np.cumsum([0, *sizes])
    groups = [np.arange(start, stop) for start, stop in pairwise(edges)]
    generator = np.random.default_rng(seed)
    return list(batches(groups, weights=weights, batch_size=batch_size, steps=steps, generator=generator))


def test_half_of_each_batch_is_new():
    weights = shares(imported=3000, earlier=0, new=200, share_new=0.5)

    for batch in drawn(3000, 0, 200, weights=weights):
        assert len(batch) == 64
        assert (batch >= 3000).sum() == 32


def test_earlier_loop_labels_keep_half_of_what_new_ones_leave():
    assert shares(imported=3000, earlier=200, new=200, share_new=0.5) == pytest.approx((0.25, 0.25, 0.5))


def test_new_labels_never_get_less_than_their_natural_share():
    assert shares(imported=100, earlier=0, new=900, share_new=0.5)[2] == pytest.approx(0.9)


def test_a_handful_of_new_labels_is_not_repeated_without_end():
    of_new = shares(imported=3000, earlier=0, new=10, share_new=0.5)[2]

    assert of_new == pytest.approx(MAX_REPEATS * 10 / 3010)


def test_without_new_labels_everything_is_drawn_evenly():
    assert shares(imported=3000, earlier=0, new=0, share_new=0.5) == (1.0, 0.0, 0.0)


@given(imported=st.integers(0, 5000), earlier=st.integers(0, 500), new=st.integers(0, 500), wanted=st.floats(0, 1))
def test_shares_sum_to_one_and_empty_groups_have_none(imported, earlier, new, wanted):
    if imported + earlier + new == 0:
        return

    found = shares(imported=imported, earlier=earlier, new=new, share_new=wanted)

    assert sum(found) == pytest.approx(1)
    assert min(found) >= -1e-12
    for share, size in zip(found, (imported, earlier, new), strict=True):
        assert size > 0 or share == pytest.approx(0)


def test_each_sample_of_a_group_is_used_once_before_any_is_used_again():
    seen = np.concatenate(drawn(96, 0, 0, weights=(1.0, 0.0, 0.0), steps=3, batch_size=32))

    assert sorted(seen) == list(range(96))


def test_fractions_of_a_place_are_carried_over():
    found = drawn(1000, 0, 1000, weights=(0.9, 0.0, 0.1), steps=100, batch_size=8)

    assert sum((batch >= 1000).sum() for batch in found) == 80
    assert {len(batch) for batch in found} == {8}


@given(imported=st.integers(1, 5000), earlier=st.integers(0, 500), new=st.integers(0, 500), wanted=st.floats(0, 1))
def test_every_batch_is_full_and_shares_hold_over_the_run(imported, earlier, new, wanted):
    weights = shares(imported=imported, earlier=earlier, new=new, share_new=wanted)

    found = drawn(imported, earlier, new, weights=weights, steps=40, batch_size=32)

    assert {len(batch) for batch in found} == {32}
    of_new = sum((batch >= imported + earlier).sum() for batch in found)
    assert abs(of_new - weights[2] * 40 * 32) <= 1


def test_a_group_that_was_given_a_place_too_many_makes_up_for_it():
    weights = shares(imported=2236, earlier=1, new=163, share_new=0.9)

    assert {len(batch) for batch in drawn(2236, 1, 163, weights=weights, batch_size=32, steps=200)} == {32}


def test_the_same_seed_gives_the_same_batches():
    first, second = (drawn(50, 5, 9, weights=(0.5, 0.2, 0.3), seed=3) for _ in range(2))

    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="nothing to train on"):
        shares(imported=0, earlier=0, new=0, share_new=0.5)
