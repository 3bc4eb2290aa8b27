"""A fixed linear map from a model's features to the few numbers that travel with every prediction. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_DIMENSIONS = 64
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """embedding = (features - centre) @ components.

    Attributes:
        centre: [f] float32.
        components: [f, d] float32, d <= 64, orthonormal columns.
    """

    centre: Floats
    components: Floats


def fit_projection(features: Floats) -> Projection:
    """The principal components of [n, f] features, as many as f and 64 allow; n >= 1.

    Signs are fixed (the largest entry of a component is positive), so that equal features give equal maps.
    """
    if features.ndim != 2 or len(features) == 0:
        raise ValueError(f"features must be [n >= 1, f], got {features.shape}")
    exact = features.astype(np.float64)
    centre = exact.mean(axis=0)
    centred = exact - centre
    _, vectors = np.linalg.eigh(centred.T @ centred)
    kept = vectors[:, ::-1][:, :MAX_DIMENSIONS]
    signs = np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    return Projection(
        centre=centre.astype(np.float32), components=np.ascontiguousarray((kept * signs).astype(np.float32))
    )
