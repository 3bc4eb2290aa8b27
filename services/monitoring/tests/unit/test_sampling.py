"""Draws: uniform, the same for a replay, and at the rate the day's labels allow."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from monitoring_policies import POLICY

from relearn_monitoring.domain.sampling import alert_audit_rate, audit_rate, draw, expected_left, share_of_day_left


def test_draws_are_uniform_and_repeatable():
    draws = np.array([draw("audit", f"prediction-{index}") for index in range(5000)])

    assert draw("audit", "prediction-7") == draws[7]
    assert np.histogram(draws, bins=10, range=(0, 1))[0] == pytest.approx(np.full(10, 500), abs=100)


def test_purposes_are_drawn_independently():
    one = np.array([draw("audit", f"{index}") for index in range(3000)])
    other = np.array([draw("disagreement", f"{index}") for index in range(3000)])

    assert abs(np.corrcoef(one, other)[0, 1]) < 0.06


@pytest.mark.parametrize(("hour", "share"), [(0, 1.0), (12, 0.5), (18, 0.25)])
def test_share_of_the_day_runs_out_at_midnight(hour, share):
    assert share_of_day_left(datetime(2026, 11, 23, hour, tzinfo=UTC)) == pytest.approx(share)


def test_audit_rate_spreads_the_labels_left_over_the_predictions_expected():
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert audit_rate(10, expected=expected_left(POLICY, noon, yesterday=None, today=0)) == pytest.approx(10 / 50_000)
    assert audit_rate(10, expected=expected_left(POLICY, noon, yesterday=2000, today=0)) == pytest.approx(10 / 1000)
    assert audit_rate(0, expected=1000) == 0.0
    assert audit_rate(10, expected=0.5) == 1.0


def test_a_day_busier_than_yesterday_does_not_spend_its_audits_early():
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert expected_left(POLICY, noon, yesterday=10, today=3000) == pytest.approx(3000)
    assert expected_left(POLICY, noon, yesterday=9000, today=3000) == pytest.approx(4500)
    assert expected_left(POLICY, noon.replace(hour=0), yesterday=0, today=10) < 20_000


def test_alert_audits_come_from_about_half_a_window():
    assert alert_audit_rate(POLICY) == pytest.approx(0.2)
