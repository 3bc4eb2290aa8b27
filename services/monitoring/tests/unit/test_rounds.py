"""Rounds of selection: early, growing, never without a choice while more is coming."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from monitoring_policies import POLICY

from relearn_monitoring.domain.budget import Ledger, Purse, Stream, reserve
from relearn_monitoring.domain.rounds import after_alert, everyday
from relearn_monitoring.domain.watches import Monitored

TODAY = date(2026, 11, 23)
SHARED = replace(POLICY, labels_per_day=1000, audit_share=0.1, reserve_share=0.8)  # 100 a day to learn from
PROJECT = Monitored(
    project_id="clothes",
    predictions=0,
    refused_inputs=0,
    route_revision=1,
    shards=1,
    day=TODAY,
    today=0,
    yesterday=2000,
    first_day=TODAY,
)


@pytest.mark.parametrize(
    ("wanted", "found", "labels"),
    [
        (200, 19, 0),  # of 9, clusters say nothing
        (200, 27, 13),
        (200, 50, 25),
        (200, 900, 30),
        (25, 900, 25),
        (3, 6, 3),  # the last few
        (3, 5, 0),
    ],
)
def test_a_round_takes_half_of_what_was_found(wanted, found, labels):
    assert after_alert(wanted=wanted, under_way=0, found=found, overdue=False) == labels


def test_what_is_overdue_is_taken_from_whatever_there_is():
    assert after_alert(wanted=30, under_way=0, found=0, overdue=True) == 30
    assert after_alert(wanted=300, under_way=0, found=0, overdue=True) == 30


@pytest.mark.parametrize(("under_way", "labels"), [(0, 30), (12, 18), (21, 0), (30, 0), (300, 0)])
def test_what_is_under_way_leaves_room_for_so_many(under_way, labels):
    assert after_alert(wanted=200, under_way=under_way, found=900, overdue=False) == labels
    assert after_alert(wanted=200, under_way=under_way, found=0, overdue=True) == labels


def test_two_hundred_are_selected_in_a_few_seconds_of_traffic():
    wanted, found, rounds = 200, 27, 0
    while wanted and rounds < 10:
        labels = after_alert(wanted=wanted, under_way=0, found=found, overdue=False)
        wanted, found, rounds = wanted - labels, found - labels + 50, rounds + 1

    assert (wanted, rounds) == (0, 8)


def test_everyday_labels_are_earned_as_the_day_goes_on():
    ledger = Ledger(day=TODAY)

    assert everyday(SHARED, PROJECT, ledger) == 0
    assert everyday(SHARED, replace(PROJECT, today=200), ledger) == 10
    assert everyday(SHARED, replace(PROJECT, today=1900), ledger) == 20
    bought = reserve(ledger, stream=Stream.SELECTED, purse=Purse.DAILY, labels=10)
    assert everyday(SHARED, replace(PROJECT, today=200), bought) == 0
    assert everyday(SHARED, replace(PROJECT, today=9000, yesterday=None), bought) == 0
