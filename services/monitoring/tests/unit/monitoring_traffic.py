"""Traffic to watch."""

from __future__ import annotations

import numpy as np

from relearn_monitoring.domain.predictions import Predictions


def drawn(n: int, *, seed: int = 0, classes: int = 3, dimensions: int = 8, moved: float = 0.0) -> Predictions:
    """Predictions of clustered embeddings; the same seed gives the same ones. `moved` shifts all embeddings."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=n)
    centres = np.random.default_rng(99).normal(size=(classes, dimensions)) * 3
    sure = generator.beta(8, 1.5, size=n)
    highest = 1 / classes + sure * (1 - 1 / classes)
    probabilities = np.repeat(((1 - highest) / (classes - 1))[:, None], classes, axis=1)
    probabilities[np.arange(n), labels] = highest
    return Predictions(
        probabilities=probabilities,
        embeddings=centres[labels] + generator.normal(size=(n, dimensions)) + moved,
        statistics=generator.normal(size=(n, 5)),
    )
