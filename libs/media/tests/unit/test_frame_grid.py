"""Frame numbers are times on an even grid."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relearn_media.frame_grid import frame_grid


def grid(times, *, last_s=0.0, rates=(), max_rate=120):
    return frame_grid(np.asarray(times, np.float64), last_s=last_s, rates=rates, max_rate=max_rate)


@given(
    rate=st.sampled_from([Fraction(10), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(1, 3)]),
    frames=st.integers(2, 2000),
    start=st.floats(0, 1000),
)
def test_a_constant_rate_keeps_every_picture_though_times_are_rounded_to_milliseconds(rate, frames, start):
    times = np.round((start + np.arange(frames) / float(rate)) * 1000) / 1000

    numbered = grid(times, rates=[rate])

    assert numbered.exact
    assert numbered.rate == rate
    assert [numbered.number(time - times[0]) for time in times] == list(range(frames))


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_a_constant_rate_is_found_where_the_file_claims_another(rate):
    numbered = grid(np.arange(500) / float(rate), rates=[Fraction(90_000), Fraction(1)])

    assert numbered.exact
    assert float(numbered.rate) == pytest.approx(float(rate), abs=1e-2)


def test_pictures_that_were_left_out_leave_their_numbers():
    numbered = grid([0.0, 0.1, 0.2, 0.5, 0.6], rates=[Fraction(25, 3), Fraction(10)])

    assert (numbered.rate, numbered.frames, numbered.exact) == (10, 7, False)


def test_uneven_pictures_are_parted_by_nearly_their_smallest_distance():
    times = np.cumsum([0.0, *([0.05] * 30), *([0.4] * 30), 1.3])

    numbered = grid(times)

    assert numbered.rate == 20
    assert numbered.frames == round(times[-1] * 20) + 1


def test_uneven_pictures_get_no_higher_rate_than_is_allowed():
    assert grid([0.0, 0.0011, 0.9, 0.9013], max_rate=60).rate == 60


def test_the_last_picture_is_held_as_long_as_it_says():
    assert grid([0.0, 0.1, 0.3, 0.35], last_s=2.0, rates=[Fraction(20)]).frames == 7 + 40


@pytest.mark.parametrize("times", [[3.0], [3.0, 3.0], [3.0, 3.0, 3.0]])
def test_pictures_at_one_time_are_one_frame_or_more_but_never_none(times):
    assert grid(times).frames >= 1
