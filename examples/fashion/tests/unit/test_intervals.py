import math

import numpy as np
import pytest
from fashion_demo.intervals import recovered, share


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
