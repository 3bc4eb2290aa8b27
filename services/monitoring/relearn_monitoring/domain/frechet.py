"""Fréchet distance between Gaussians: how far the embeddings of one predicted label have moved."""

from __future__ import annotations

import numpy as np

from relearn_monitoring.domain.predictions import FloatArray


def root(covariance: FloatArray) -> FloatArray:
    """The symmetric square root of [..., k, k] positive semi-definite matrices."""
    values, vectors = np.linalg.eigh(covariance)
    scaled: FloatArray = vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]
    square_root: FloatArray = scaled @ np.swapaxes(vectors, -1, -2)
    return square_root


def frechet(*, mean: FloatArray, covariance: FloatArray, other_mean: FloatArray, other_root: FloatArray) -> FloatArray:
    """Squared Fréchet (2-Wasserstein) distance of N(mean, covariance) to N(other_mean, other_root ** 2).

    Args:
        mean: [..., k].
        covariance: [..., k, k], positive semi-definite; may be singular (fewer samples than dimensions).
        other_mean: [..., k].
        other_root: [..., k, k], from `root`.

    Returns:
        [...], >= 0.

    Source: Dowson and Landau (1982), "The Fréchet distance between multivariate normal distributions".
    """
    cross = np.linalg.eigvalsh(other_root @ covariance @ other_root)
    shared = np.sqrt(np.clip(cross, 0, None)).sum(axis=-1)
    spread = np.trace(covariance, axis1=-2, axis2=-1) + (other_root**2).sum(axis=(-2, -1))
    moved = ((mean - other_mean) ** 2).sum(axis=-1)
    distance: FloatArray = np.clip(moved + spread - 2 * shared, 0, None)
    return distance
