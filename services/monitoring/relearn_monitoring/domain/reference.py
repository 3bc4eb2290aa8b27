"""The reference: what a version's predictions look like while nothing is wrong.

It is frozen from the version's own live predictions. Every other prediction fits it, the others calibrate it: what is
measured against the fit must not have made it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relearn_monitoring.domain.frechet import root
from relearn_monitoring.domain.predictions import STATISTICS, FloatArray, IntArray, Predictions
from relearn_runtime.errors import InvalidInput

COMPONENTS = 16
BINS = 20
MIN_PREDICTIONS = 50
"""Fewer predictions than this make no reference at all."""

_STANDARD_ERRORS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Fitted once, never changed.

    Attributes:
        reference_id: names it in profiles, so that counts over different edges are never added.
        predictions: what it was made from, oldest first.
        center: [d] mean embedding.
        basis: [d, k] principal directions, scaled to unit variance; k = 0 without embeddings.
        class_means: [c, k] of the components, by predicted label.
        precision: [k, k] inverse of the shared covariance within labels.
        distances: [m] ascending, squared Mahalanobis distance of the calibrating half to its predicted label.
        edges: [signals, BINS - 1] interior quantiles of each signal, from the fitting half.
        shares: [signals, BINS + 1] of the fitting half per bin; the last bin counts unknown values.
        label_shares: [c] of the fitting half.
        roots: [c, k, k] square root of each label's covariance.
        limits: the mean of each detector score that still counts as unchanged: reference mean + 3 standard errors.
    """

    reference_id: str
    predictions: Predictions
    center: FloatArray
    basis: FloatArray
    class_means: FloatArray
    precision: FloatArray
    distances: FloatArray
    edges: FloatArray
    shares: FloatArray
    label_shares: FloatArray
    roots: FloatArray
    limits: tuple[float, ...]

    @property
    def classes(self) -> int:
        return len(self.label_shares)

    @property
    def components(self) -> int:
        return int(self.basis.shape[1])

    @property
    def calibrating(self) -> Predictions:
        """The half that did not fit."""
        return self.predictions[1::2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Predictions as the reference sees them.

    Attributes:
        components: [n, k].
        ranks: [n] share of the reference that is nearer to its predicted label, in (0, 1); 0.5 without embeddings.
    """

    predictions: Predictions
    components: FloatArray
    ranks: FloatArray

    def __getitem__(self, rows: slice) -> Observed:
        return Observed(predictions=self.predictions[rows], components=self.components[rows], ranks=self.ranks[rows])

    def scores(self, reference: Reference) -> FloatArray:
        """[n, s] in [0, 1]: what the e-detector watches."""
        unsure = 1 - self.predictions.confidence
        columns = [unsure, self.ranks] if reference.components else [unsure]
        return np.clip(np.stack(columns, axis=1), 0, 1)


def signals(reference: Reference) -> tuple[str, ...]:
    """Names of the histogrammed signals, in the order of `edges`."""
    return ("confidence", "rank", *STATISTICS, *(f"output-{index}" for index in range(reference.classes)))


def freeze(predictions: Predictions, *, reference_id: str) -> Reference:
    """The reference that these predictions make.

    Raises:
        InvalidInput: fewer than MIN_PREDICTIONS.
    """
    if len(predictions) < MIN_PREDICTIONS:
        raise InvalidInput(f"a reference needs at least {MIN_PREDICTIONS} predictions, got {len(predictions)}")
    fitting, calibrating = predictions[0::2], predictions[1::2]
    center, basis = _principal(fitting.embeddings)
    components = (fitting.embeddings - center) @ basis
    means, covariances, within = _by_label(components, fitting.labels, classes=fitting.probabilities.shape[1])
    precision = _inverse(within)
    distances = _distances((calibrating.embeddings - center) @ basis, calibrating.labels, means, precision)
    # Its own ranks would flatter the half that fits; ranks of others are uniform by construction.
    values = _values(fitting, (np.arange(len(fitting)) + 0.5) / len(fitting))
    edges = _quantiles(values)
    return Reference(
        reference_id=reference_id,
        predictions=predictions,
        center=center,
        basis=basis,
        class_means=means,
        precision=precision,
        distances=np.sort(distances),
        edges=edges,
        shares=counts(values, edges) / len(fitting),
        label_shares=np.bincount(fitting.labels, minlength=len(means)) / len(fitting),
        roots=root(covariances),
        limits=_limits(predictions, with_ranks=basis.shape[1] > 0),
    )


def observe(reference: Reference, predictions: Predictions) -> Observed:
    """What the reference makes of new predictions.

    Raises:
        InvalidInput: they have other classes or another embedding size.
    """
    shape = (predictions.probabilities.shape[1], predictions.embeddings.shape[1])
    if shape != (reference.classes, len(reference.center)):
        raise InvalidInput(f"(classes, embedding) must be {(reference.classes, len(reference.center))}, got {shape}")
    return Observed(
        predictions=predictions,
        components=(predictions.embeddings - reference.center) @ reference.basis,
        ranks=ranks_of(reference, predictions.embeddings, predictions.labels),
    )


def ranks_of(reference: Reference, embeddings: FloatArray, labels: IntArray) -> FloatArray:
    """[n] share of the reference that is nearer to its predicted label, in (0, 1); 0.5 without embeddings."""
    if not reference.components:
        return np.full(len(labels), 0.5)
    components = (embeddings - reference.center) @ reference.basis
    distances = _distances(components, labels, reference.class_means, reference.precision)
    return _ranks(distances, reference.distances)


def histogram(reference: Reference, observed: Observed) -> IntArray:
    """[signals, BINS + 1] counts over the reference's quantile edges."""
    return counts(_values(observed.predictions, observed.ranks), reference.edges)


def counts(values: FloatArray, edges: FloatArray) -> IntArray:
    """[signals, BINS + 1] from [n, signals] values; the last bin counts NaN."""
    bins = np.stack([np.searchsorted(row, column, side="right") for row, column in zip(edges, values.T, strict=True)])
    bins[np.isnan(values.T)] = BINS
    flat = bins + np.arange(len(edges))[:, None] * (BINS + 1)
    return np.bincount(flat.ravel(), minlength=len(edges) * (BINS + 1)).reshape(len(edges), BINS + 1)


def _values(predictions: Predictions, ranks: FloatArray) -> FloatArray:
    """[n, signals], in the order of `signals`."""
    first = np.column_stack([predictions.confidence, ranks])
    return np.concatenate([first, predictions.statistics, predictions.probabilities], axis=1)


def _quantiles(values: FloatArray) -> FloatArray:
    at = np.arange(1, BINS) / BINS
    known = [column[~np.isnan(column)] for column in values.T]
    return np.stack([np.quantile(column, at) if len(column) else np.zeros(BINS - 1) for column in known])


def _principal(embeddings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and the leading principal directions, each scaled so that its component has unit variance."""
    center = embeddings.mean(axis=0)
    _, deviations, directions = np.linalg.svd(embeddings - center, full_matrices=False)
    deviations /= np.sqrt(len(embeddings))
    kept = int((deviations[:COMPONENTS] > 1e-4 * deviations[0]).sum()) if len(deviations) and deviations[0] > 0 else 0
    return center, directions[:kept].T / deviations[:kept]


def _by_label(components: FloatArray, labels: IntArray, *, classes: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means [c, k] and covariances [c, k, k] by predicted label, shrunk to all of them, and the shared one [k, k]."""
    k = components.shape[1]
    means, within = np.zeros((classes, k)), 1e-3 * np.eye(k) * len(components)
    scatter = np.zeros((classes, k, k))
    for label in range(classes):
        own = components[labels == label]
        if len(own) < 2:  # the mean of everything is 0: a label not seen is measured from there
            continue
        means[label] = own.mean(axis=0)
        scatter[label] = (own - means[label]).T @ (own - means[label])
    within = (within + scatter.sum(axis=0)) / max(1, len(components))
    sizes = np.bincount(labels, minlength=classes)[:, None, None]
    return means, (scatter + k * within) / (sizes + k) if k else scatter, within


def _distances(components: FloatArray, labels: IntArray, means: FloatArray, precision: FloatArray) -> FloatArray:
    away = components - means[labels]
    distances: FloatArray = ((away @ precision) * away).sum(axis=1)
    return distances


def _ranks(distances: FloatArray, calibrating: FloatArray) -> FloatArray:
    """Mid-ranks in (0, 1): their mean is 1/2 when both come from one distribution."""
    below = np.searchsorted(calibrating, distances, side="left")
    upto = np.searchsorted(calibrating, distances, side="right")
    ranks: FloatArray = ((below + upto) / 2 + 0.5) / (len(calibrating) + 1)
    return ranks


def _limits(predictions: Predictions, *, with_ranks: bool) -> tuple[float, ...]:
    unsure = 1 - predictions.confidence
    confidence = float(unsure.mean() + _STANDARD_ERRORS * unsure.std(ddof=1) / np.sqrt(len(unsure)))
    if not with_ranks:
        return (min(1.0, confidence),)
    # Given the fit, a new rank is uniform up to the sampling of the calibrating half alone.
    rank = 0.5 + _STANDARD_ERRORS / np.sqrt(12 * (len(predictions) // 2))
    return min(1.0, confidence), min(1.0, float(rank))


def _inverse(matrix: FloatArray) -> FloatArray:
    """Of a positive definite [k, k] matrix; k may be 0."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
