import numpy as np
import pytest

from relearn_training.learning.calibration import calibration_error, log_loss, probabilities, temperature


def overconfident(n: int = 4000, factor: float = 3.0):
    """Logits that are `factor` times too large for labels drawn from the right ones."""
    generator = np.random.default_rng(0)
    right = generator.normal(size=(n, 4))
    chances = probabilities(right, 1.0)
    labels = np.array([generator.choice(4, p=row) for row in chances])
    return right * factor, labels


def test_temperature_undoes_a_known_overconfidence():
    logits, labels = overconfident()

    assert temperature(logits, labels, np.ones(len(labels))) == pytest.approx(3.0, rel=0.06)


def test_temperature_lowers_the_calibration_error_and_changes_no_answer():
    logits, labels = overconfident()
    weights = np.ones(len(labels))

    before, after = probabilities(logits, 1.0), probabilities(logits, temperature(logits, labels, weights))

    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert calibration_error(after, labels, weights) < 0.3 * calibration_error(before, labels, weights)


def test_samples_of_no_weight_do_not_move_the_temperature():
    logits, labels = overconfident(500)
    both, wrong = np.concatenate([logits, logits]), np.concatenate([labels, (labels + 1) % 4])
    weights = np.concatenate([np.ones(500), np.zeros(500)])

    assert temperature(both, wrong, weights) == pytest.approx(temperature(logits, labels, np.ones(500)))


def test_a_perfect_model_gets_the_lowest_temperature_and_stays_finite():
    logits = np.eye(3)[[0, 1, 2]] * 5

    found = temperature(logits, np.array([0, 1, 2]), np.ones(3))

    assert 0.25 <= found < 0.26
    assert np.isfinite(log_loss(logits, np.array([0, 1, 2]), np.ones(3), found))


def test_log_loss_by_hand():
    logits = np.log(np.array([[0.5, 0.5], [0.2, 0.8]]))

    assert log_loss(logits, np.array([0, 1]), np.ones(2), 1.0) == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2)
