"""The caps of answers in a UTC day."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from relearn_labeling.domain.budgets import (
    MOST_AT_ONCE,
    Used,
    answers_left,
    check_answer,
    check_lease,
    takes_turns,
    utc_day,
)
from relearn_labeling.domain.errors import AnswersPerAnnotator, AnswersPerDay
from relearn_labeling.domain.tasks import Policy

TEN = Policy(answers_per_day=10)
TEN_OF_THREE_EACH = Policy(answers_per_day=10, answers_per_annotator=3)


def used(answers: int = 0, live_leases: int = 0, own_answers: int = 0, own_leases: int = 0) -> Used:
    return Used(answers=answers, live_leases=live_leases, own_answers=own_answers, own_leases=own_leases)


def test_the_day_is_that_of_utc():
    assert utc_day(datetime(2026, 11, 23, 23, 30, tzinfo=timezone(timedelta(hours=-2)))) == date(2026, 11, 24)


def test_a_lease_reserves_an_answer_of_the_day():
    check_lease(used(8, 1), TEN, project_id="clothes")

    with pytest.raises(AnswersPerDay, match="8 of 10 answers of this UTC day, 2 more are under lease"):
        check_lease(used(8, 2), TEN, project_id="clothes")


def test_a_lease_reserves_an_answer_of_the_annotators_day():
    check_lease(used(5, 2, own_answers=1, own_leases=1), TEN_OF_THREE_EACH, project_id="clothes")

    with pytest.raises(AnswersPerAnnotator, match="you have given 2 and hold 1 of the 3 answers"):
        check_lease(used(5, 2, own_answers=2, own_leases=1), TEN_OF_THREE_EACH, project_id="clothes")


def test_an_answer_is_refused_once_a_cap_is_reached():
    check_answer(used(9, own_answers=2), TEN_OF_THREE_EACH, project_id="clothes")

    with pytest.raises(AnswersPerDay):
        check_answer(used(10), TEN_OF_THREE_EACH, project_id="clothes")
    with pytest.raises(AnswersPerAnnotator):
        check_answer(used(5, own_answers=3), TEN_OF_THREE_EACH, project_id="clothes")


@pytest.mark.parametrize(
    ("known", "policy", "left"),
    [
        (used(2, 3, own_answers=1, own_leases=1), TEN, 6),
        (used(2, 3, own_answers=1, own_leases=1), TEN_OF_THREE_EACH, 2),
        (used(12, 3, own_answers=1, own_leases=1), TEN, 0),
    ],
)
def test_what_an_annotator_may_still_answer_counts_what_is_in_hand(known: Used, policy: Policy, left: int):
    assert answers_left(known, policy) == left


def test_many_count_at_once_only_while_more_is_left_than_they_could_exceed_together():
    policy = Policy(answers_per_day=1000)

    assert not takes_turns(used(1000 - MOST_AT_ONCE), policy)
    assert takes_turns(used(990 - MOST_AT_ONCE, live_leases=11), policy)
