"""Quality from audits: by hand, against published values, and honest about its own probability of error."""

from __future__ import annotations

import numpy as np
import pytest

from relearn_monitoring.domain.quality import Audit, evidence_of_harm, p_value_of_harm, quality, wilson
from relearn_runtime.errors import InvalidInput


def audits(*outcomes: tuple[float, bool]) -> list[Audit]:
    return [Audit(probability=probability, correct=correct) for probability, correct in outcomes]


def test_each_audit_stands_for_one_over_its_probability():
    found = quality(audits((0.1, True), (0.5, False)))

    assert found is not None
    assert found.accuracy == pytest.approx(10 / 12)
    assert found.audits == 2


def test_interval_is_wilsons_when_all_probabilities_are_equal():
    found = quality(audits(*[(0.02, index < 45) for index in range(50)]))

    assert found is not None
    assert (found.accuracy, found.lower, found.upper) == pytest.approx((0.9, 0.786398, 0.956524), abs=1e-5)


def test_unequal_probabilities_widen_the_interval():
    equal = quality(audits(*[(0.1, index % 2 == 0) for index in range(40)]))
    unequal = quality(audits(*[(0.1 if index % 4 < 2 else 1.0, index % 2 == 0) for index in range(40)]))

    assert equal is not None
    assert unequal is not None
    assert unequal.upper - unequal.lower > equal.upper - equal.lower


def test_nothing_audited_is_nothing_known():
    assert quality([]) is None


@pytest.mark.parametrize("probability", [0.0, 1.1, -0.2])
def test_a_probability_that_is_none_is_refused(probability):
    with pytest.raises(InvalidInput, match="probability"):
        quality(audits((probability, True)))


def test_wilson_stays_inside_the_unit_interval():
    assert wilson(1.0, 10) == pytest.approx((0.722467, 1.0), abs=1e-5)
    assert wilson(0.0, 10)[0] == pytest.approx(0.0, abs=1e-12)


def test_evidence_grows_with_mistakes_and_never_shrinks():
    assert evidence_of_harm([], limit=0.8) == 1.0
    assert evidence_of_harm([False], limit=0.8) > 1.5
    assert evidence_of_harm([False] * 6, limit=0.8) > 40
    assert evidence_of_harm([False] * 6 + [True] * 50, limit=0.8) == evidence_of_harm([False] * 6, limit=0.8)


def test_good_version_is_rarely_called_harmed_however_often_one_looks():
    streams, bound = 1500, 1 / 40
    called = sum(
        evidence_of_harm((np.random.default_rng(seed).random(100) < 0.8).tolist(), limit=0.8) >= 1 / bound
        for seed in range(streams)
    )

    noise = 3 * (bound * (1 - bound) / streams) ** 0.5
    assert called / streams <= bound + noise


def test_exact_test_is_the_binomial_tail():
    assert p_value_of_harm([False, False], limit=0.9) == pytest.approx(0.01)
    assert p_value_of_harm([True, False], limit=0.9) == pytest.approx(0.19)
    assert p_value_of_harm([], limit=0.9) == 1.0
