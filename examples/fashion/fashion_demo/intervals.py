"""Shares with their 95 % intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.96  # 95 %, two-sided


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of `n` things, with its interval."""

    value: float
    lower: float
    upper: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.lower:.3f}, {self.upper:.3f}]"


def share(right: Sequence[bool] | np.ndarray) -> Share:
    """Share of true values with Wilson's interval; nothing at all gives [0, 1] around NaN.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    n = len(right)
    if n == 0:
        return Share(value=math.nan, lower=0.0, upper=1.0, n=0)
    p = float(np.mean(right))
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Share(value=p, lower=max(0.0, middle - half), upper=min(1.0, middle + half), n=n)


def recovered(*, old_clean: np.ndarray, old_shifted: np.ndarray, new_shifted: np.ndarray, seed: int) -> Share:
    """Share of the lost accuracy that the new version brought back.

    (new on shifted - old on shifted) / (old on clean - old on shifted), with a bootstrap interval
    over the pictures.

    Args:
        old_clean: [n] bool, right answers of the old version under the old camera.
        old_shifted: [n] bool, of the old version under the new camera, same pictures.
        new_shifted: [n] bool, of the new version under the new camera, same pictures.
        seed: of the bootstrap.
    """
    n = len(old_clean)
    rights = np.stack([old_clean, old_shifted, new_shifted]).astype(np.float64)

    def ratio(means: np.ndarray) -> np.ndarray:
        lost = np.maximum(means[0] - means[1], 1e-9)
        found: np.ndarray = (means[2] - means[1]) / lost
        return found

    generator = np.random.default_rng(seed)
    draws = np.stack([rights[:, generator.integers(0, n, n)].mean(axis=1) for _ in range(1000)], axis=1)
    lower, upper = np.quantile(ratio(draws), [0.025, 0.975])
    value = float(ratio(rights.mean(axis=1)))
    return Share(value=value, lower=float(lower), upper=float(upper), n=n)
