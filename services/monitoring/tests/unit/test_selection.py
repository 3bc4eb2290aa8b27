"""Selection: finds what has shifted, takes no input twice, and says honest probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from relearn_monitoring.domain.selection import after_alert, distinct, everyday, margin, shifted
from relearn_runtime.errors import InvalidInput


def embeddings(n: int, *, at: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 8)) + at


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_margin_is_the_gap_between_the_two_most_likely_classes():
    np.testing.assert_allclose(margin(np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])), [0.5, 0.0])


def test_margin_of_one_class_is_refused():
    with pytest.raises(InvalidInput, match="c >= 2"):
        margin(np.ones((3, 1)))


def test_domain_classifier_finds_the_shifted_half():
    current = np.concatenate([embeddings(200, seed=2), embeddings(200, at=1.5, seed=3)])

    found = shifted(embeddings(500), current, generator=generator())

    assert (found[200:] > 0.5).mean() > 0.9
    assert (found[:200] > 0.5).mean() < 0.25


def test_domain_classifier_sees_nothing_where_nothing_moved():
    found = shifted(embeddings(500), embeddings(300, seed=4), generator=generator())

    assert 0.3 < (found > 0.5).mean() < 0.7
    assert (found > 0.9).mean() < 0.05


def test_without_embeddings_nothing_can_be_told():
    assert shifted(np.zeros((9, 0)), np.zeros((5, 0)), generator=generator()).tolist() == [0.5] * 5


def test_embeddings_of_another_size_are_refused():
    with pytest.raises(InvalidInput, match="embeddings must be"):
        shifted(np.zeros((9, 4)), np.zeros((5, 3)), generator=generator())


def test_picks_come_from_what_shifted_and_are_filled_at_random():
    found = np.array([0.9] * 10 + [0.1] * 90)

    choices = after_alert(found, embeddings(100), k=30, generator=generator())

    assert len({choice.index for choice in choices}) == 30
    assert {choice.index for choice in choices if choice.index < 10} == set(range(10))
    assert {choice.probability for choice in choices if choice.index >= 10} == {20 / 90}


def test_stated_probability_is_how_often_a_member_is_picked():
    # one cluster is enough to count: the clusters of a draw depend on its generator
    points, found = embeddings(6), np.full(6, 0.9)
    picked, stated = np.zeros(6), {}
    for seed in range(4000):
        (choice,) = after_alert(found, points, k=1, generator=generator(seed))
        picked[choice.index] += 1
        stated[choice.index] = choice.probability

    assert sum(stated.values()) == pytest.approx(1)
    for index, probability in stated.items():
        assert picked[index] / 4000 == pytest.approx(probability, abs=0.03)


def test_asking_for_more_than_there_is_gives_all():
    choices = after_alert(np.full(5, 0.9), embeddings(5), k=50, generator=generator())

    assert {choice.index for choice in choices} == set(range(5))


def test_everyday_picks_are_undecided_and_spread():
    sure = np.tile([0.9, 0.05, 0.05], (60, 1))
    undecided = np.tile([0.5, 0.45, 0.05], (60, 1))
    points = embeddings(120)

    choices = everyday(np.concatenate([sure, undecided]), points, k=10, generator=generator())

    assert len(choices) == 10
    assert all(choice.index >= 60 for choice in choices)
    assert all(0 < choice.probability <= 1 for choice in choices)


def test_the_same_bytes_and_nearly_the_same_embedding_count_once():
    points = embeddings(5)
    near = points[[0]] + 1e-4

    kept = distinct(np.concatenate([points, points[[1]], near]), ["a", "b", "c", "d", "e", "b", "f"])

    assert kept.tolist() == [0, 1, 2, 3, 4]
