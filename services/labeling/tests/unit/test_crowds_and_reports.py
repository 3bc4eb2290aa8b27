"""When annotators are learned anew, and what a report looks at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from labeling_values import NOW
from truth_values import units

from relearn_labeling.domain.crowds import is_due, learn
from relearn_labeling.domain.reports import begins, bucket_length
from relearn_labeling.domain.tasks import Truth
from relearn_runtime.errors import InvalidInput

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answers", "learned_from", "age", "due"),
    [
        (0, 0, MINUTE, False),
        (1, 0, MINUTE, True),
        (10_000, 10_000, MINUTE, False),
        (10_199, 10_000, MINUTE, False),
        (10_200, 10_000, MINUTE, True),
        (10_000, 10_000, 15 * MINUTE, True),
    ],
)
def test_annotators_are_learned_anew_with_more_answers_or_after_a_while(answers, learned_from, age, due):
    assert is_due(answers=answers, learned_from=learned_from, age=age) is due


def test_with_too_many_values_for_confusions_votes_are_weighed():
    values = [chr(0x4E00 + number) for number in range(101)]
    rows = units(*[values[number] * 3 for number in range(10)])

    crowd = learn(rows, values=values, truth=Truth.DAWID_SKENE, before=None)

    assert crowd.skill("a").confusion is None
    assert learn(rows, values=values[:100], truth=Truth.DAWID_SKENE, before=crowd).skill("a").confusion is not None


def test_a_report_begins_as_asked_or_at_a_midnight_thirty_days_ago():
    assert begins(None, NOW) == datetime(2026, 10, 24, tzinfo=UTC)
    assert begins(NOW, NOW) == NOW
    with pytest.raises(InvalidInput, match="future"):
        begins(NOW + MINUTE, NOW)


@pytest.mark.parametrize(("days", "hours"), [(0, 1), (2.5, 1), (2.6, 6), (30, 24), (60, 24), (61, 168), (10**4, 8760)])
def test_buckets_are_sixty_at_most(days: float, hours: int):
    assert bucket_length(NOW - timedelta(days=days), NOW) == timedelta(hours=hours)
