"""Predictions of one model version as columns, which is what every statistic here reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from relearn_runtime.errors import InvalidInput

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

STATISTICS = ("brightness", "contrast", "sharpness", "size", "pixels")
"""Input statistics, in the order of `Predictions.statistics`; the last two are natural logarithms."""

MAX_EMBEDDING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions of one model version, oldest first.

    Attributes:
        probabilities: [n, c], calibrated, each row sums to 1.
        embeddings: [n, d], d = 0 for a model that exports none.
        statistics: [n, len(STATISTICS)], NaN where nothing is known of the input.
    """

    probabilities: FloatArray
    embeddings: FloatArray
    statistics: FloatArray

    def __post_init__(self) -> None:
        n = len(self.probabilities)
        if self.probabilities.ndim != 2 or self.probabilities.shape[1] < 2:
            raise InvalidInput(f"probabilities must be [n, c >= 2], got {self.probabilities.shape}")
        if self.embeddings.ndim != 2 or len(self.embeddings) != n or self.embeddings.shape[1] > MAX_EMBEDDING:
            raise InvalidInput(f"embeddings must be [{n}, d <= {MAX_EMBEDDING}], got {self.embeddings.shape}")
        if self.statistics.shape != (n, len(STATISTICS)):
            raise InvalidInput(f"statistics must be [{n}, {len(STATISTICS)}], got {self.statistics.shape}")
        sums = self.probabilities.sum(axis=1)
        if not (np.isfinite(sums).all() and (self.probabilities >= 0).all() and np.allclose(sums, 1, atol=1e-2)):
            raise InvalidInput("rows of probabilities must be non-negative and sum to 1")
        if not np.isfinite(self.embeddings).all():
            raise InvalidInput("embeddings must be finite")

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> Predictions:
        return Predictions(
            probabilities=self.probabilities[rows], embeddings=self.embeddings[rows], statistics=self.statistics[rows]
        )

    @property
    def labels(self) -> IntArray:
        """[n] index of the most likely class; of the first one on a tie."""
        likeliest: IntArray = self.probabilities.argmax(axis=1).astype(np.int64)
        return likeliest

    @property
    def confidence(self) -> FloatArray:
        """[n] probability of the most likely class."""
        highest: FloatArray = self.probabilities.max(axis=1)
        return highest


def concatenated(parts: Sequence[Predictions]) -> Predictions:
    """All of them, in order; at least one part.

    Raises:
        InvalidInput: the parts have different classes or embedding sizes.
    """
    shapes = {(part.probabilities.shape[1], part.embeddings.shape[1]) for part in parts}
    if len(shapes) != 1:
        raise InvalidInput(f"predictions of one version must have one shape, got (classes, embedding) {sorted(shapes)}")
    return Predictions(
        probabilities=np.concatenate([part.probabilities for part in parts]),
        embeddings=np.concatenate([part.embeddings for part in parts]),
        statistics=np.concatenate([part.statistics for part in parts]),
    )
