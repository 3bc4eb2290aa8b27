from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from relearn_training.domain.policy import (
    DatasetVersion,
    NotNow,
    Policy,
    Situation,
    Start,
    Trigger,
    Wait,
    decide,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = Policy(
    min_train_labels=200,
    min_validation_labels=50,
    new_labels=1000,
    new_labels_after_alert=200,
    cool_down=timedelta(hours=1),
    paused=False,
    trainable=True,
    revision=3,
)
ENOUGH = DatasetVersion(id="p/data/1", number=1, train=3000, validation=1000)
NEVER_STUDIED = Situation(
    newest=ENOUGH,
    studied=None,
    failed_on=0,
    failure="",
    study_running=False,
    study_ended_at=None,
    champion="",
    alert_id="",
    confirmed_at=None,
    rolled_back_at=None,
)
SERVING = replace(NEVER_STUDIED, studied=ENOUGH, champion="p/model/1", study_ended_at=NOW - timedelta(hours=2))


def with_new(situation: Situation, labels: int) -> Situation:
    return replace(situation, newest=replace(ENOUGH, id="p/data/2", number=2, train=3000 + labels))


def alerted(situation: Situation, *, minutes_ago: float = 5) -> Situation:
    return replace(situation, alert_id="alert", confirmed_at=NOW - timedelta(minutes=minutes_ago))


def waits(situation: Situation, policy: Policy = POLICY) -> Wait:
    decision = decide(situation, policy, now=NOW)
    assert isinstance(decision, Wait)
    return decision


def test_enough_labels_start_the_first_study():
    decision = decide(NEVER_STUDIED, POLICY, now=NOW)

    assert decision == Start(
        trigger=Trigger.INITIAL, detail="3000 train and 1000 validation labels are enough for the first study"
    )


@pytest.mark.parametrize(("train", "validation"), [(199, 1000), (3000, 49)])
def test_too_few_labels_of_either_use_start_nothing(train, validation):
    few = replace(NEVER_STUDIED, newest=replace(ENOUGH, train=train, validation=validation))

    assert waits(few).reason is NotNow.TOO_FEW_LABELS


def test_without_a_version_nothing_starts():
    assert waits(replace(NEVER_STUDIED, newest=None)).reason is NotNow.TOO_FEW_LABELS


def test_new_train_labels_start_an_update_and_only_their_number_counts():
    assert waits(with_new(SERVING, 999)).reason is NotNow.TOO_FEW_NEW_LABELS
    assert waits(with_new(SERVING, 143)).detail == "143 of 1000 new train labels since the last study"
    assert decide(with_new(SERVING, 1000), POLICY, now=NOW) == Start(
        trigger=Trigger.NEW_LABELS, detail="1000 of 1000 new train labels since the last study"
    )


def test_new_validation_labels_start_nothing():
    audited = replace(SERVING, newest=replace(ENOUGH, id="p/data/2", number=2, validation=9000))

    assert waits(alerted(audited)).detail == "0 of 200 new train labels after a confirmed alert"


def test_a_confirmed_alert_alone_starts_nothing():
    assert waits(alerted(SERVING)).detail == "0 of 200 new train labels after a confirmed alert"


def test_a_confirmed_alert_never_raises_the_number():
    modest = replace(POLICY, new_labels=100)

    assert isinstance(decide(with_new(SERVING, 100), modest, now=NOW), Start)
    assert isinstance(decide(alerted(with_new(SERVING, 100)), modest, now=NOW), Start)


def test_a_confirmed_alert_lowers_the_number_and_ends_the_cool_down():
    cooling = replace(with_new(SERVING, 200), study_ended_at=NOW - timedelta(minutes=1))

    decision = decide(alerted(cooling), POLICY, now=NOW)

    assert isinstance(decision, Start)
    assert (decision.trigger, decision.alert_id) == (Trigger.CONFIRMED_ALERT, "alert")


def test_a_cool_down_says_when_to_look_again():
    ended = NOW - timedelta(minutes=20)

    wait = waits(replace(with_new(SERVING, 1000), study_ended_at=ended))

    assert wait.reason is NotNow.COOL_DOWN
    assert wait.until == ended + POLICY.cool_down


def test_too_few_labels_come_before_the_cool_down_among_the_reasons():
    cooling = replace(with_new(SERVING, 10), study_ended_at=NOW)

    assert waits(cooling).reason is NotNow.TOO_FEW_NEW_LABELS


def test_a_rollback_cools_down_even_under_an_older_confirmed_alert():
    rolled_back = replace(alerted(with_new(SERVING, 500)), rolled_back_at=NOW - timedelta(minutes=1))

    assert waits(rolled_back).reason is NotNow.COOL_DOWN


def test_an_alert_confirmed_after_a_rollback_ends_its_cool_down():
    rolled_back = replace(with_new(SERVING, 500), rolled_back_at=NOW - timedelta(minutes=30))

    assert isinstance(decide(alerted(rolled_back), POLICY, now=NOW), Start)


def test_one_study_at_a_time_and_none_while_paused():
    running = replace(NEVER_STUDIED, study_running=True)

    assert waits(running).reason is NotNow.STUDY_RUNNING
    assert not waits(running).needs_person
    paused = waits(running, replace(POLICY, paused=True))
    assert (paused.reason, paused.needs_person) == (NotNow.PAUSED, True)


def test_a_version_whose_study_failed_is_not_tried_again_by_itself_but_the_next_one_is():
    failed = replace(NEVER_STUDIED, failed_on=1, failure="no disk", study_ended_at=NOW - timedelta(hours=2))

    assert "failed (no disk)" in waits(failed).detail
    assert waits(failed).needs_person
    assert isinstance(decide(with_new(failed, 0), POLICY, now=NOW), Start)


def test_while_nothing_serves_imported_labels_count_as_new():
    rejected = replace(SERVING, champion="", newest=replace(ENOUGH, number=2, train=3200))

    decision = decide(rejected, POLICY, now=NOW)

    assert isinstance(decision, Start)
    assert decision.detail == "200 of 200 new train labels since the last study"


def test_what_no_model_is_trained_on_is_said_whatever_else_holds():
    wait = waits(NEVER_STUDIED, replace(POLICY, trainable=False, paused=True))

    assert (wait.reason, wait.needs_person, wait.progress) == (NotNow.UNSUPPORTED, False, None)
    assert "this project is labeled and versioned only" in wait.detail
