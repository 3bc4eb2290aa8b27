"""Shadow comparison: when disagreements are asked about, and why not."""

from __future__ import annotations

from dataclasses import replace

from monitoring_policies import POLICY

from relearn_monitoring.domain.shadow import (
    Comparison,
    StopReason,
    as_the_gate_counts,
    counted,
    due,
    reported,
    stop_reason,
    to_ask,
    wants_more,
)

NEW = Comparison(project_id="clothes", champion="clothes/model/1", challenger="clothes/model/2", wanted=60)


def test_nothing_is_asked_before_there_are_pairs_enough():
    early = counted(NEW, pairs=999, disagreements=300)

    assert to_ask(early, POLICY, budget_left=500) == 0
    assert to_ask(counted(early, pairs=1, disagreements=0), POLICY, budget_left=500) == 60


def test_versions_that_differ_too_rarely_are_not_asked_about():
    rare = counted(NEW, pairs=1000, disagreements=19)

    assert to_ask(rare, POLICY, budget_left=500) == 0
    assert stop_reason(rare, POLICY, budget_left=500) is StopReason.TOO_FEW
    assert stop_reason(counted(NEW, pairs=1000, disagreements=20), POLICY, budget_left=500) is StopReason.NONE


def test_differing_later_takes_the_reason_back():
    more = counted(NEW, pairs=2000, disagreements=50)

    assert stop_reason(more, POLICY, budget_left=500) is StopReason.NONE
    assert to_ask(more, POLICY, budget_left=500) == 60


def test_budget_limits_what_is_asked_and_says_so():
    ready = counted(NEW, pairs=1000, disagreements=300)

    assert to_ask(ready, POLICY, budget_left=25) == 25
    partly = replace(ready, picked=25, asked=25)
    assert to_ask(partly, POLICY, budget_left=0) == 0
    assert stop_reason(partly, POLICY, budget_left=0) is StopReason.BUDGET


def test_enough_is_said_when_all_wanted_are_flagged():
    picked = replace(counted(NEW, pairs=1000, disagreements=300), picked=60)

    assert stop_reason(replace(picked, asked=59), POLICY, budget_left=0) is StopReason.NONE
    assert stop_reason(replace(picked, asked=60), POLICY, budget_left=0) is StopReason.ENOUGH


def test_each_look_is_counted_once():
    once = wants_more(NEW, looks=1, per_look=60, by="judged")

    assert once.wanted == 120
    assert wants_more(once, looks=1, per_look=60, by="judged") == once


def test_a_gate_that_asks_for_more_per_look_gets_more():
    once = wants_more(NEW, looks=1, per_look=60, by="judged")

    assert as_the_gate_counts(NEW, per_look=80).wanted == 80
    assert as_the_gate_counts(once, per_look=80).wanted == 160
    assert as_the_gate_counts(once, per_look=40).wanted == 120


def test_reports_come_with_changes_and_every_few_hundred_pairs():
    some = counted(NEW, pairs=150, disagreements=10)

    assert not due(NEW, some)
    assert due(some, counted(some, pairs=60, disagreements=0))
    assert due(some, replace(some, stop_reason=StopReason.TOO_FEW))
    told = reported(counted(some, pairs=60, disagreements=0))
    assert (told.revision, told.reported_pairs) == (1, 210)
