"""Gate step 1: who is thrown out before shadow, and who is not."""

import numpy as np
import pytest

from relearn_registry.domain.judgements import Verdict
from relearn_registry.domain.step_one import Limits, ValidationPredictions, judge_challenger, judge_first

LIMITS = Limits(first_margin=0.1, max_loss=0.05, max_class_loss=0.15)


def predictions(predicted, labels=None, *, stream="imported", probability=None, first=0, confidence=0.8):
    n = len(predicted)
    labels = labels if labels is not None else ["coat"] * n
    return ValidationPredictions(
        sample_ids=np.array([f"s{first + i:05d}" for i in range(n)]),
        streams=np.array([stream] * n),
        probability=np.full(n, np.nan if probability is None else probability),
        labels=np.array(labels),
        predicted=np.array(predicted),
        confidence=np.full(n, confidence),
    )


def both(one, other):
    fields = ("sample_ids", "streams", "probability", "labels", "predicted", "confidence")
    return ValidationPredictions(**{f: np.concatenate([getattr(one, f), getattr(other, f)]) for f in fields})


def right(n_right, n):
    """Predictions of "coat" samples, n_right of them right."""
    return ["coat"] * n_right + ["shirt"] * (n - n_right)


def measured(finding, name):
    return next(m for m in finding.measurements if m.name == name)


def test_a_first_version_passes_over_majority_class_and_margin():
    labels = ["coat"] * 60 + ["shirt"] * 40
    version = predictions(["coat"] * 75 + ["shirt"] * 25, labels)  # 60 + 25 right; majority 0.6

    finding = judge_first(version, limits=LIMITS)

    assert finding.verdict is Verdict.PASSED
    assert measured(finding, "accuracy/imported").value == pytest.approx(0.85)
    over = measured(finding, "accuracy/over_majority")
    assert (over.value, over.limit) == (pytest.approx(0.25), 0.1)


def test_a_first_version_that_says_the_majority_class_always_is_rejected():
    version = predictions(["coat"] * 100, ["coat"] * 60 + ["shirt"] * 40)

    finding = judge_first(version, limits=LIMITS)

    assert finding.verdict is Verdict.REJECTED
    assert "0.600" in finding.reason
    assert "0.700" in finding.reason


def test_a_first_version_without_validation_is_rejected():
    assert judge_first(predictions([]), limits=LIMITS).verdict is Verdict.REJECTED


def test_a_challenger_two_points_worse_is_let_through():
    finding = judge_challenger(predictions(right(810, 1000)), predictions(right(830, 1000)), limits=LIMITS)

    assert finding.verdict is Verdict.PASSED
    difference = measured(finding, "difference/imported")
    assert difference.value == pytest.approx(-0.02)
    assert difference.lower < difference.value < difference.upper
    assert measured(finding, "difference/imported/upper_bound").limit == -0.05


def test_a_challenger_clearly_worse_is_rejected_with_the_numbers():
    finding = judge_challenger(predictions(right(700, 1000)), predictions(right(830, 1000)), limits=LIMITS)

    assert finding.verdict is Verdict.REJECTED
    assert "difference/imported is -0.130 on 1000 samples" in finding.reason


def test_a_few_samples_do_not_reject():
    """Eight points worse on 25 samples may be chance."""
    finding = judge_challenger(predictions(right(21, 25)), predictions(right(23, 25)), limits=LIMITS)

    assert finding.verdict is Verdict.PASSED


def test_audits_are_judged_by_themselves():
    imported = {"new": predictions(right(900, 1000)), "old": predictions(right(800, 1000))}
    audits = {
        "new": predictions(right(10, 60), stream="audit", probability=0.1, first=5000),
        "old": predictions(right(50, 60), stream="audit", probability=0.1, first=5000),
    }

    finding = judge_challenger(
        both(imported["new"], audits["new"]), both(imported["old"], audits["old"]), limits=LIMITS
    )

    assert finding.verdict is Verdict.REJECTED
    assert "difference/audit" in finding.reason
    assert "difference/imported is" not in finding.reason


def test_one_class_that_collapses_rejects_though_the_mean_is_fine():
    labels = ["coat"] * 100 + ["shirt"] * 900
    old = predictions(["coat"] * 90 + ["shirt"] * 10 + ["shirt"] * 800 + ["coat"] * 100, labels)
    new = predictions(["coat"] * 30 + ["shirt"] * 70 + ["shirt"] * 860 + ["coat"] * 40, labels)

    finding = judge_challenger(new, old, limits=LIMITS)

    assert measured(finding, "difference/imported").value == pytest.approx(0)
    assert finding.verdict is Verdict.REJECTED
    assert "difference/imported/class/coat" in finding.reason


def test_class_bounds_widen_with_the_number_of_classes():
    def bound(classes):
        labels = [f"c{i % classes}" for i in range(1000)]
        new = predictions(["x"] * 100 + labels[100:], labels)
        finding = judge_challenger(new, predictions(labels, labels), limits=LIMITS)
        found = measured(finding, "difference/imported/class/c0")
        upper = measured(finding, "difference/imported/class/c0/upper_bound").value
        return (upper - (found.lower + found.upper) / 2) / (found.upper - found.lower)

    assert bound(10) > bound(2)


def test_truth_is_the_challengers_and_samples_are_the_champions():
    """The champion's file still has the old label; the sample it never answered does not count."""
    new = predictions(["coat"] * 4, ["coat"] * 4)
    old = predictions(["shirt", "coat", "coat"], ["shirt", "coat", "coat"])

    finding = judge_challenger(new, old, limits=LIMITS)

    assert measured(finding, "difference/imported").samples == 3
    assert measured(finding, "accuracy/imported/champion").value == pytest.approx(2 / 3)


def test_nothing_in_common_is_no_reason_to_reject():
    finding = judge_challenger(predictions(["coat"]), predictions(["coat"], first=10), limits=LIMITS)

    assert finding.verdict is Verdict.PASSED
    assert finding.reason == "no validation sample to compare on"


def test_calibration_is_stored_and_decides_nothing():
    overconfident = predictions(right(500, 1000), ["coat"] * 500 + ["coat"] * 500, confidence=1.0)
    labels = ["coat"] * 1000

    finding = judge_challenger(overconfident, predictions(right(500, 1000), labels), limits=LIMITS)

    error = measured(finding, "calibration_error/imported")
    assert error.value == pytest.approx(0.5)
    assert error.value > error.limit
    assert finding.verdict is Verdict.PASSED
