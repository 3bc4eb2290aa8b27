"""Alerts: confirmed early when harm is plain, refuted only when all audits are in, over when they are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from relearn_monitoring.domain.alerts import Alert, Kind, Outcome, State, harmed, is_back, resolve, settle
from relearn_monitoring.domain.quality import Audit
from relearn_runtime.errors import WrongState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OPEN = Alert(
    alert_id="a",
    project_id="clothes",
    model_version_id="clothes/model/1",
    kind=Kind.SHIFT,
    state=State.OPEN,
    detector="e-detector/confidence+rank",
    value=2e6,
    threshold=2e6,
    predictions=500,
    prediction_id="p",
    window_id="",
    label_id="",
    predicted_at=NOW,
    reason="unlike the reference",
    project_revision=1,
    opened_at=NOW,
    updated_at=NOW,
    limit=0.78,
    reference_quality=0.85,
    audits_wanted=50,
    selected_wanted=200,
)


def outcomes(*correct: bool | None) -> list[Outcome]:
    return [
        Outcome(audit=None if right is None else Audit(probability=0.2, correct=right), label_id=f"label-{index}")
        for index, right in enumerate(correct)
    ]


def test_plain_harm_is_confirmed_after_a_handful_of_audits():
    needed = next(n for n in range(50) if settle(OPEN, outcomes(*[False] * n), now=NOW).state is State.CONFIRMED)

    assert 3 <= needed <= 6


def test_early_successes_never_refute():
    settled = settle(OPEN, outcomes(*[True] * 49), now=NOW)

    assert settled.state is State.OPEN
    assert settled.quality is not None
    assert settled.quality.audits == 49


def test_all_audits_without_harm_refute():
    settled = settle(OPEN, outcomes(*[True] * 42, *[False] * 8), now=NOW)

    assert settled.state is State.REFUTED
    assert "accuracy 0.84" in settled.reason


def test_moderate_harm_is_confirmed_by_the_last_look():
    # 30 of 50 where 39 are good enough: too mild for the early look when mistakes come evenly
    settled = settle(OPEN, outcomes(*[True, True, True, False, False] * 10), now=NOW)

    assert settled.state is State.CONFIRMED


def test_disputed_audits_count_as_settled_but_say_nothing():
    settled = settle(OPEN, outcomes(*[True] * 40, *[None] * 10), now=NOW)

    assert settled.state is State.REFUTED
    assert settled.quality is not None
    assert settled.quality.audits == 40


def test_healthy_version_is_rarely_confirmed():
    confirmed = 0
    for seed in range(400):
        right = (np.random.default_rng(seed).random(50) < 0.78).tolist()
        states = [settle(OPEN, outcomes(*right[:n]), now=NOW).state for n in (5, 10, 20, 30, 40, 50)]
        confirmed += State.CONFIRMED in states

    assert confirmed / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize("state", [State.CONFIRMED, State.REFUTED, State.RESOLVED])
def test_only_an_open_alert_is_settled(state):
    with pytest.raises(WrongState, match="not open"):
        settle(replace(OPEN, state=state), outcomes(True), now=NOW)


@pytest.mark.parametrize("state", [State.REFUTED, State.RESOLVED])
def test_what_is_over_is_not_resolved_again(state):
    with pytest.raises(WrongState, match="over before"):
        resolve(replace(OPEN, state=state), why="left", now=NOW)


def test_harm_is_seen_in_a_run_of_mistakes_and_not_in_good_audits():
    good = (np.random.default_rng(0).random(500) < 0.85).astype(float)

    assert harmed(good, limit=0.78, run=2000) is None
    assert harmed(np.concatenate([good, np.zeros(10)]), limit=0.78, run=2000) is not None
    assert harmed(np.array([]), limit=0.78, run=2000) is None


def test_quality_that_is_back_is_seen_after_a_stretch_of_right_answers():
    bad, good = np.zeros(30), np.ones(60)

    assert not is_back(bad, limit=0.78)
    assert is_back(np.concatenate([bad, good]), limit=0.78)
    assert not is_back(np.array([]), limit=0.78)
