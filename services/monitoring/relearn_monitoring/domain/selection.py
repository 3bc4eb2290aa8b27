"""Which inputs are worth a label, to learn from.

After an alert: find what has shifted (a domain classifier, reference against now), then one typical input per cluster
of it, and fill up at random. Without an alert: one undecided input per cluster. Within a cluster the pick is random,
so that each pick has a probability that can be stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relearn_monitoring.domain.predictions import BoolArray, FloatArray, IntArray
from relearn_runtime.errors import InvalidInput

SHIFTED = 0.5
"""Probability above which an input counts as shifted."""

_RIDGE = 1.0
_NEWTON_STEPS = 12
_LLOYD_STEPS = 10
_SAME_INPUT = 0.02  # of the median distance to the mean: nearer than this is the same input once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One pick.

    Attributes:
        index: among the candidates.
        probability: of being picked, given the candidates and their clusters.
        shifted: probability that it does not come from the reference; None without an alert.
        cluster: how many candidates it stands for.
    """

    index: int
    probability: float
    shifted: float | None
    cluster: int


def shifted(reference: FloatArray, current: FloatArray, *, generator: np.random.Generator) -> FloatArray:
    """Probability of each current embedding to come from elsewhere than the reference.

    A ridge logistic regression with both sides weighted alike; each half of the candidates is scored by the model that
    the other half trained, so that it cannot recognise what it has seen.

    Args:
        reference: [m, d], m >= 2.
        current: [n, d].

    Returns:
        [n] in [0, 1]; 0.5 everywhere without embeddings or with fewer than four candidates.

    Source: Rabanser, Günnemann, Lipton (2019), "Failing Loudly" (its domain classifier).
    """
    if reference.ndim != 2 or current.ndim != 2 or reference.shape[1] != current.shape[1]:
        raise InvalidInput(f"embeddings must be [m, d] and [n, d], got {reference.shape} and {current.shape}")
    if not current.shape[1] or len(current) < 4 or len(reference) < 2:
        return np.full(len(current), 0.5)
    scale = reference.std(axis=0) + 1e-6
    before, now = (reference - reference.mean(axis=0)) / scale, (current - reference.mean(axis=0)) / scale
    first = generator.permutation(len(now)) % 2 == 0
    probabilities = np.empty(len(now))
    for fold in (first, ~first):
        weights = _logistic(before, now[fold])
        probabilities[~fold] = _sigmoid(_with_bias(now[~fold]) @ weights)
    return probabilities


def after_alert(
    probability_shifted: FloatArray, embeddings: FloatArray, *, k: int, generator: np.random.Generator
) -> list[Choice]:
    """k picks: one typical input for each of k clusters of what has shifted; the rest at random from what has not.

    Args:
        probability_shifted: [n] from `shifted`.
        embeddings: [n, d] of distinct inputs.
    """
    moved = np.flatnonzero(probability_shifted > SHIFTED)
    typical = _one_per_cluster(embeddings, moved, k=k, generator=generator, weights=None)
    chosen = [
        Choice(index=index, probability=p, shifted=float(probability_shifted[index]), cluster=size)
        for index, p, size in typical
    ]
    others = np.setdiff1d(np.arange(len(embeddings)), moved)
    fill = min(k - len(chosen), len(others))
    for index in generator.choice(others, size=fill, replace=False).tolist() if fill > 0 else []:
        found = float(probability_shifted[index])
        chosen.append(Choice(index=index, probability=fill / len(others), shifted=found, cluster=1))
    return chosen


def everyday(
    probabilities: FloatArray, embeddings: FloatArray, *, k: int, generator: np.random.Generator
) -> list[Choice]:
    """k picks: one for each of k clusters of the undecided half, the likelier the smaller its margin."""
    margins = margin(probabilities)
    undecided = np.argsort(margins, kind="stable")[: max(k, len(margins) // 2)]
    picks = _one_per_cluster(embeddings, undecided, k=k, generator=generator, weights=1 - margins)
    return [Choice(index=index, probability=p, shifted=None, cluster=size) for index, p, size in picks]


def margin(probabilities: FloatArray) -> FloatArray:
    """[n] gap between the two most likely classes, in [0, 1]; near 0 the model is undecided.

    Source: Settles (2009), "Active Learning Literature Survey", section 3.1, margin sampling.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise InvalidInput(f"probabilities must be [n, c >= 2], got {probabilities.shape}")
    second, best = np.partition(probabilities, -2, axis=1)[:, -2:].T
    gap: FloatArray = best - second
    return gap


def distinct(embeddings: FloatArray, sha256: list[str]) -> IntArray:
    """Indices of the candidates that are no repetition, by bytes or nearly by embedding, of an earlier one.

    Needs 8 n squared bytes a few times over: 0.1 GB for 2,000 candidates.
    """
    first = np.unique(np.array(sha256), return_index=True)[1]
    first.sort()
    own = embeddings[first]
    if not own.shape[1] or len(own) < 2:
        return first
    reach = _SAME_INPUT * float(np.median(np.linalg.norm(own - own.mean(axis=0), axis=1)))
    apart = _squared_distances(own, own)
    earlier = np.tril(apart < reach**2, k=-1).any(axis=1)
    kept: IntArray = first[~earlier]
    return kept


def _one_per_cluster(
    embeddings: FloatArray,
    members: IntArray,
    *,
    k: int,
    generator: np.random.Generator,
    weights: FloatArray | None,
) -> list[tuple[int, float, int]]:
    """(index, probability, cluster size) of one member for each of k clusters; typicality is the default weight."""
    if k <= 0 or not len(members):
        return []
    points = embeddings[members]
    clusters = _clusters(points, k=min(k, len(members)), generator=generator)
    picks = []
    for cluster in np.unique(clusters).tolist():
        inside = clusters == cluster
        own = _typicality(points[inside]) if weights is None else weights[members[inside]] + 1e-3
        shares = own / own.sum()
        pick = int(generator.choice(len(shares), p=shares))
        picks.append((int(members[inside][pick]), float(shares[pick]), int(inside.sum())))
    return picks


def _typicality(points: FloatArray) -> FloatArray:
    """[n] > 0: inverse mean distance to the others of the cluster.

    Source: Hacohen, Dekel, Weinshall (2022), "Active learning on a budget" (TypiClust: typicality).
    """
    distances = np.sqrt(_squared_distances(points, points)).sum(axis=1) / max(1, len(points) - 1)
    typical: FloatArray = 1 / (distances + 1e-3 * (distances.mean() + 1e-9) + 1e-12)
    return typical


def _clusters(points: FloatArray, *, k: int, generator: np.random.Generator) -> IntArray:
    """[n] cluster of each point, by Lloyd's algorithm from k-means++ centres; clusters may be empty."""
    centres = points[[int(generator.integers(len(points)))]]
    nearest = _squared_distances(points, centres)[:, 0]
    for _ in range(1, k):
        total = nearest.sum()
        shares = nearest / total if total > 0 else None
        centre = points[[int(generator.choice(len(points), p=shares))]]
        centres = np.concatenate([centres, centre])
        nearest = np.minimum(nearest, _squared_distances(points, centre)[:, 0])
    for _ in range(_LLOYD_STEPS):
        clusters = _squared_distances(points, centres).argmin(axis=1)
        member: BoolArray = clusters == np.arange(k)[:, None]
        sizes = member.sum(axis=1, keepdims=True)
        centres = np.where(sizes > 0, member @ points / np.maximum(sizes, 1), centres)
    nearest_centre: IntArray = _squared_distances(points, centres).argmin(axis=1)
    return nearest_centre


def _squared_distances(one: FloatArray, other: FloatArray) -> FloatArray:
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    clipped: FloatArray = np.maximum(squared, 0)
    return clipped


def _logistic(before: FloatArray, now: FloatArray) -> FloatArray:
    """[d + 1] weights of the ridge logistic regression, both sides weighing the same; Newton's method."""
    features = _with_bias(np.concatenate([before, now]))
    truth = np.concatenate([np.zeros(len(before)), np.ones(len(now))])
    balance = np.where(truth == 1, 0.5 / max(1, len(now)), 0.5 / len(before)) * len(truth)
    penalty = _RIDGE * np.eye(features.shape[1])
    penalty[-1, -1] = 1e-6
    weights = np.zeros(features.shape[1])
    for _ in range(_NEWTON_STEPS):
        guess = _sigmoid(features @ weights)
        slope = features.T @ (balance * (guess - truth)) + penalty @ weights
        curve = (features * (balance * guess * (1 - guess))[:, None]).T @ features + penalty
        step = np.linalg.solve(curve, slope)
        weights -= step * min(1.0, 5 / (np.abs(step).max() + 1e-12))
    return weights


def _with_bias(features: FloatArray) -> FloatArray:
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


def _sigmoid(values: FloatArray) -> FloatArray:
    squashed: FloatArray = 1 / (1 + np.exp(-np.clip(values, -30, 30)))
    return squashed
