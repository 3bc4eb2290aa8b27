"""The ledger: no label is bought twice, none leaks, and the reserve is for alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitoring_policies import POLICY

from relearn_monitoring.domain import budget
from relearn_monitoring.domain.budget import Ledger, Purse, Stream
from relearn_monitoring.domain.policy import detector_run, harm_run, window_alpha
from relearn_runtime.errors import WrongState

EMPTY = Ledger(day=date(2026, 11, 23))


def test_the_day_is_divided_into_audits_selected_and_reserve():
    left = {
        (stream, purse): budget.left(EMPTY, POLICY, stream=stream, purse=purse) for stream in Stream for purse in Purse
    }

    assert left[Stream.AUDIT, Purse.DAILY] == 10
    assert left[Stream.SELECTED, Purse.DAILY] == 10
    assert left[Stream.DISAGREEMENT, Purse.DAILY] == 0
    assert {left[stream, Purse.RESERVE] for stream in Stream} == {80}


def test_the_reserve_is_shared_by_all_streams():
    ledger = budget.reserve(EMPTY, stream=Stream.SELECTED, purse=Purse.RESERVE, labels=75)

    assert budget.left(ledger, POLICY, stream=Stream.DISAGREEMENT, purse=Purse.RESERVE) == 5
    assert budget.left(ledger, POLICY, stream=Stream.AUDIT, purse=Purse.DAILY) == 10


def test_a_smaller_budget_in_mid_day_leaves_nothing_rather_than_less():
    ledger = budget.reserve(EMPTY, stream=Stream.AUDIT, purse=Purse.DAILY, labels=8)

    smaller = replace(POLICY, labels_per_day=5)

    assert budget.left(ledger, smaller, stream=Stream.AUDIT, purse=Purse.DAILY) == 0
    assert budget.left(ledger, smaller, stream=Stream.SELECTED, purse=Purse.RESERVE) == 0


def test_what_was_not_reserved_is_neither_spent_nor_given_back():
    with pytest.raises(WrongState, match="no audit label is reserved"):
        budget.spend(EMPTY, stream=Stream.AUDIT, purse=Purse.DAILY)
    with pytest.raises(WrongState, match="no audit label is reserved"):
        budget.give_back(EMPTY, stream=Stream.AUDIT, purse=Purse.DAILY)


MOVES = st.lists(
    st.tuples(st.sampled_from(["reserve", "spend", "give_back"]), st.sampled_from(Stream), st.sampled_from(Purse)),
    max_size=200,
)


@given(MOVES)
def test_whatever_happens_no_more_is_bought_than_the_day_allows(moves):
    ledger, reserved, spent, returned = EMPTY, 0, 0, 0
    for move, stream, purse in moves:
        if move == "reserve":
            if budget.left(ledger, POLICY, stream=stream, purse=purse):
                ledger, reserved = budget.reserve(ledger, stream=stream, purse=purse, labels=1), reserved + 1
            continue
        try:
            ledger = getattr(budget, move)(ledger, stream=stream, purse=purse)
        except WrongState:
            continue
        spent, returned = spent + (move == "spend"), returned + (move == "give_back")

    used = sum(ledger.used(purse=purse) for purse in Purse)
    assert used == reserved - returned <= POLICY.labels_per_day
    assert sum(entry.spent for entry in ledger.entries.values()) == spent


def test_every_threshold_follows_from_the_false_alarm_budget():
    patient = replace(POLICY, predictions_per_false_alarm=4_000_000)

    assert detector_run(POLICY, shards=1) == 2_000_000
    assert detector_run(patient, shards=1) == 8_000_000
    assert detector_run(POLICY, shards=3) == 6_000_000
    assert window_alpha(POLICY, predictions=500) == pytest.approx(0.01118, abs=1e-5)
    assert window_alpha(patient, predictions=500) == pytest.approx(0.00559, abs=1e-5)
    assert harm_run(patient) == 1600
    assert harm_run(POLICY) == 1000  # 400, were it not for the floor
