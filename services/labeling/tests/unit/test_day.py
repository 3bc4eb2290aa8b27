"""The cap of answers in a UTC day."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from relearn_labeling.domain.day import check_answer, check_lease, utc_day
from relearn_labeling.domain.errors import AnswersPerDay


def test_the_day_is_that_of_utc():
    assert utc_day(datetime(2026, 11, 23, 23, 30, tzinfo=timezone(timedelta(hours=-2)))) == date(2026, 11, 24)


def test_a_lease_reserves_an_answer_of_the_day():
    check_lease(answers=8, live_leases=1, cap=10, project_id="clothes")

    with pytest.raises(AnswersPerDay, match="8 of 10 answers of this UTC day, 2 more are under lease"):
        check_lease(answers=8, live_leases=2, cap=10, project_id="clothes")


def test_an_answer_is_refused_once_the_cap_is_reached():
    check_answer(answers=9, cap=10, project_id="clothes")

    with pytest.raises(AnswersPerDay):
        check_answer(answers=10, cap=10, project_id="clothes")
