import numpy as np
import pytest

from relearn_training.domain.objective import MIN_AUDITS, audit_weights, score, witnesses


def voices(*groups: tuple[str, int, float, int], since: int = 0):
    """Witnesses for groups of (stream, count, probability, version)."""
    streams = np.concatenate([np.full(n, stream) for stream, n, _, _ in groups])
    probabilities = np.concatenate([np.full(n, p) for _, n, p, _ in groups])
    versions = np.concatenate([np.full(n, version) for _, n, _, version in groups])
    return witnesses(streams, probabilities, versions, since=since)


def test_imported_and_audits_count_half_each_however_many_there_are():
    found = voices(("imported", 1000, np.nan, 1), ("audit", 50, 0.05, 2))

    assert found.weights[found.imported].sum() == pytest.approx(0.5)
    assert found.weights[found.audits].sum() == pytest.approx(0.5)


def test_disagreements_have_no_voice():
    found = voices(("imported", 10, np.nan, 1), ("audit", 20, 0.1, 2), ("disagreement", 30, 0.5, 2))

    assert (found.weights[30:] == 0).all()
    assert found.weights.sum() == pytest.approx(1)


def test_without_audits_imported_samples_count_alone_and_the_other_way_round():
    assert voices(("imported", 10, np.nan, 1)).weights.tolist() == pytest.approx([0.1] * 10)
    assert voices(("audit", 4, 0.1, 1)).weights.tolist() == pytest.approx([0.25] * 4)


def test_a_few_audits_are_no_witness():
    found = voices(("imported", 10, np.nan, 1), ("audit", MIN_AUDITS - 1, 0.1, 2))

    assert not found.audits.any()
    assert found.weights[found.imported].sum() == pytest.approx(1)


def test_audits_from_before_the_change_count_only_while_newer_ones_are_few():
    enough = voices(("imported", 10, np.nan, 1), ("audit", 40, 0.001, 2), ("audit", 12, 0.1, 4), since=3)
    few = voices(("imported", 10, np.nan, 1), ("audit", 40, 0.001, 2), ("audit", 3, 0.1, 4), since=3)

    assert enough.audits.sum() == 12
    assert few.audits.sum() == 43


def test_audits_weigh_by_the_inverse_of_their_probability():
    assert audit_weights(np.array([0.5, 0.25, 0.25])).tolist() == [2, 4, 4]


def test_an_audit_from_the_trickle_cannot_outvote_those_an_alert_asked_for():
    weights = audit_weights(np.array([0.1] * 9 + [0.0001]))

    assert weights.max() == pytest.approx(5 * weights[0])


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.5, np.nan])
def test_an_audit_without_a_probability_is_refused(bad):
    with pytest.raises(ValueError, match="probability"):
        voices(("audit", 20, bad, 1))


def test_nothing_to_judge_by_is_refused():
    with pytest.raises(ValueError, match="judge"):
        voices(("disagreement", 5, 0.5, 1))


def test_score_is_wilsons_interval_for_equal_weights():
    found = score(np.array([True] * 8 + [False] * 2), np.ones(10))

    assert found is not None
    assert (found.value, found.samples) == (0.8, 10)
    assert (found.lower, found.upper) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_unequal_weights_widen_the_interval():
    correct = np.array([True] * 8 + [False] * 2)
    equal, unequal = score(correct, np.ones(10)), score(correct, np.array([5.0, *[1.0] * 9]))

    assert equal is not None
    assert unequal is not None
    assert unequal.upper - unequal.lower > equal.upper - equal.lower
    assert score(correct, np.zeros(10)) is None
