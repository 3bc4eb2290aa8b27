"""The mergeable profile of one window: counts and fixed-point sums, so that merging is integer addition.

Whatever the order in which predictions come and however they are cut into batches, the same predictions make the same
profile, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from relearn_monitoring.domain.predictions import FloatArray, IntArray, Predictions
from relearn_monitoring.domain.reference import BINS, Observed, Reference, histogram
from relearn_runtime.errors import InvalidInput

CONFIDENCE_BINS = 50
_SCALE = 4096  # of one component; a product of two is scaled by its square
_CLIP = 64.0  # standard deviations: with _SCALE, 2**26 predictions fit an int64 sum of products
_MOST_AT_ONCE = 1 << 16  # sums of this many products are exact in float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a window keeps of its predictions.

    Attributes:
        reference_id: whose edges and basis were used; empty before the reference is frozen.
        n: predictions.
        bins: [signals, BINS + 1] over the reference's quantile edges; no signals before it is frozen.
        confidence: [CONFIDENCE_BINS] over equal parts of [0, 1].
        confidence_sum: of the confidences, in units of 1 / 4096.
        labels: [c] predicted.
        sums: [c, k] of the components by predicted label, in units of 1 / 4096.
        products: [c, k (k + 1) / 2] of pairs of components (upper triangle, by rows), in units of 1 / 4096 ** 2.
    """

    reference_id: str
    n: int
    bins: IntArray
    confidence: IntArray
    confidence_sum: int
    labels: IntArray
    sums: IntArray
    products: IntArray

    @property
    def mean_confidence(self) -> float:
        """Of the predictions, 0..1; 0 of none."""
        return self.confidence_sum / _SCALE / self.n if self.n else 0.0


def empty(reference: Reference | None, *, classes: int) -> Profile:
    """A profile of nothing."""
    k = reference.components if reference else 0
    return Profile(
        reference_id=reference.reference_id if reference else "",
        n=0,
        bins=np.zeros((len(reference.edges) if reference else 0, BINS + 1), dtype=np.int64),
        confidence=np.zeros(CONFIDENCE_BINS, dtype=np.int64),
        confidence_sum=0,
        labels=np.zeros(classes, dtype=np.int64),
        sums=np.zeros((classes, k), dtype=np.int64),
        products=np.zeros((classes, k * (k + 1) // 2), dtype=np.int64),
    )


def merge(one: Profile, other: Profile) -> Profile:
    """Both together: exact, associative, commutative.

    Raises:
        InvalidInput: they were counted against different references.
    """
    if one.reference_id != other.reference_id or one.labels.shape != other.labels.shape:
        raise InvalidInput(f"profiles of different references: {one.reference_id!r}, {other.reference_id!r}")
    added = {f.name: getattr(one, f.name) + getattr(other, f.name) for f in fields(Profile) if f.name != "reference_id"}
    return Profile(reference_id=one.reference_id, **added)


def profile_of(observed: Observed, reference: Reference) -> Profile:
    """The profile of these predictions."""
    plain = profile_before(observed.predictions)
    quantised = np.rint(np.clip(observed.components, -_CLIP, _CLIP) * _SCALE)
    rows, columns = np.triu_indices(reference.components)
    member = np.zeros((reference.classes, plain.n))
    member[observed.predictions.labels, np.arange(plain.n)] = 1
    return Profile(
        reference_id=reference.reference_id,
        n=plain.n,
        bins=histogram(reference, observed),
        confidence=plain.confidence,
        confidence_sum=plain.confidence_sum,
        labels=plain.labels,
        # float64 products of integers: exact below 2**53, and many times faster than int64 ones
        sums=(member @ quantised).astype(np.int64),
        products=(member @ (quantised[:, rows] * quantised[:, columns])).astype(np.int64),
    )


def profile_before(predictions: Predictions) -> Profile:
    """The profile of predictions that have no frozen reference yet.

    Raises:
        InvalidInput: more predictions than may be added up at once.
    """
    if len(predictions) > _MOST_AT_ONCE:
        raise InvalidInput(f"at most {_MOST_AT_ONCE} predictions at once, got {len(predictions)}")
    confidence = predictions.confidence
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    blank = empty(None, classes=predictions.probabilities.shape[1])
    return Profile(
        reference_id="",
        n=len(predictions),
        bins=blank.bins,
        confidence=np.bincount(bins, minlength=CONFIDENCE_BINS),
        confidence_sum=int(np.rint(confidence * _SCALE).astype(np.int64).sum()),
        labels=np.bincount(predictions.labels, minlength=len(blank.labels)),
        sums=blank.sums,
        products=blank.products,
    )


def gaussians(profile: Profile) -> tuple[FloatArray, FloatArray]:
    """Means [c, k] and covariances [c, k, k] of the components by predicted label; zeros where a label has none."""
    classes, k = profile.sums.shape
    n = np.maximum(profile.labels, 1)[:, None]
    means = profile.sums / _SCALE / n
    rows, columns = np.triu_indices(k)
    second = np.zeros((classes, k, k))
    second[:, rows, columns] = profile.products / _SCALE**2 / n
    second[:, columns, rows] = second[:, rows, columns]
    return means, second - means[:, :, None] * means[:, None, :]
