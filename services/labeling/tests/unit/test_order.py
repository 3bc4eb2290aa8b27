"""Which task goes first, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from labeling_values import NOW, POLICY, answered, flag, request, task

from relearn_labeling.domain.flags import flag_task
from relearn_labeling.domain.order import LONGEST_WAIT, Rank, blind_why, cost_s, due_at, rank_of, value_of, why
from relearn_labeling.domain.tasks import LabelTask, Source, Stream


def place(task: LabelTask):
    return (rank_of(task), due_at(task))


def test_alert_audits_and_disagreements_go_first_then_selected_then_everyday_audits():
    disagreement, alert = task(flag(1, Stream.DISAGREEMENT)), task(flag(1, Stream.AUDIT, alert="alert-1"))
    selected, audit = task(flag(1, Stream.SELECTED, alert="alert-1")), task(flag(1, Stream.AUDIT))

    assert rank_of(disagreement) is rank_of(alert) is Rank.SETTLES
    assert sorted([audit, selected, alert], key=place) == [alert, selected, audit]


def test_a_task_may_wait_for_the_seconds_that_its_label_costs_by_its_value():
    selected = replace(task(replace(flag(1), confidence=0.25)), answer_s=5.0, overlap=2)

    assert (value_of(selected), cost_s(selected)) == (0.75, 10.0)
    assert due_at(selected) - NOW == timedelta(seconds=360 * 10 / 0.75)


def test_the_less_sure_the_model_was_the_sooner_its_turn_comes():
    sure, unsure = (task(replace(flag(1), confidence=confidence)) for confidence in (0.9, 0.4))

    assert due_at(unsure) < due_at(sure)


def test_reasons_add_up_and_answers_that_are_there_cost_nothing():
    twice = task(replace(flag(1), confidence=0.5), replace(flag(2), confidence=0.5))
    begun = answered(task(flag(1, Stream.AUDIT)), ann="boot")

    assert value_of(twice) == 0.75
    assert (cost_s(task(flag(1, Stream.AUDIT))), cost_s(begun)) == (30.0, 20.0)


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_nothing_waits_longer_than_a_week(value: float):
    worthless = task(request(value=value))

    assert due_at(worthless) - NOW <= LONGEST_WAIT
    assert place(worthless) < place(replace(task(), created_at=NOW + LONGEST_WAIT))


def test_the_most_urgent_reason_is_told_with_value_and_cost():
    both = task(flag(1, Stream.AUDIT), flag(2, Stream.DISAGREEMENT))

    assert why(both) == (
        "disagreement: an open alert or a rollout waits for it; the model said boot with 0.41 (and 1 more reason); "
        "value 1.00 for about 30 s of labeling"
    )


def test_a_reason_that_was_told_its_outcome_counts_no_more():
    accepted = answered(task(flag(1)), ann="boot")

    reopened, _ = flag_task(accepted, flag(2, Stream.AUDIT), label_set_version=1, policy=POLICY, now=NOW)

    assert value_of(reopened) == value_of(task(flag(2, Stream.AUDIT)))


def test_a_draw_is_worth_what_it_says():
    drawn = task(request(source=Source.DRAW, value=0.9))

    assert value_of(drawn) == pytest.approx(0.9)
    assert blind_why(drawn) == blind_why(task(flag(1)))  # nothing tells a draw from what the monitor selected


def test_an_annotator_is_not_told_what_the_model_answered():
    assert "boot" not in blind_why(task())
