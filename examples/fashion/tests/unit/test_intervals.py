import math

import numpy as np
import pytest
from fashion_demo.intervals import lost, recovered, share


def test_wilson_interval_of_eight_out_of_ten():
    found = share([True] * 8 + [False] * 2)

    assert found.value == pytest.approx(0.8)
    assert (found.lower, found.upper) == pytest.approx((0.4902, 0.9433), abs=1e-3)


def test_nothing_seen_says_nothing():
    found = share([])

    assert math.isnan(found.value)
    assert (found.lower, found.upper, found.n) == (0.0, 1.0, 0)


def test_half_of_the_loss_back_is_a_half():
    clean = np.array([True] * 80 + [False] * 20)
    shifted = np.array([False] * 100)
    new = np.array([True] * 40 + [False] * 60)

    found = recovered(old_clean=clean, old_shifted=shifted, new_shifted=new, seed=0)

    assert found.value == pytest.approx(0.5)
    assert found.lower < 0.5 < found.upper


def test_a_loss_picture_by_picture_is_surer_than_two_shares():
    before = np.array([True] * 900 + [False] * 100)
    after = before.copy()
    after[:10] = False  # the same pictures right, but for ten

    found = lost(before=before, after=after, seed=0)

    assert found.value == pytest.approx(0.01)
    assert 0 < found.lower < found.upper < 0.02


def test_a_gain_is_a_negative_loss():
    found = lost(before=np.array([False, False, True, True]), after=np.array([True] * 4), seed=0)

    assert found.value == pytest.approx(-0.5)


def test_a_share_is_read_as_percent():
    assert str(share([True] * 8 + [False] * 2)) == "80.0% [49.0, 94.3]"
