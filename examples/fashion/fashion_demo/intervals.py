"""Shares and differences of shares with their 95 % intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.96  # 95 %, two-sided
DRAWS = 2000  # of a bootstrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of `n` things, or a difference of two shares of them, with its interval."""

    value: float
    lower: float
    upper: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.1%} [{100 * self.lower:.1f}, {100 * self.upper:.1f}]"

    def in_points(self) -> str:
        """The same of a difference between two shares."""
        return f"{100 * self.value:.1f} points [{100 * self.lower:.1f}, {100 * self.upper:.1f}]"


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


def lost(*, before: np.ndarray, after: np.ndarray, seed: int) -> Share:
    """What one version lost against another on the same pictures; negative where it gained.

    Args:
        before: [n] bool, right answers of the one.
        after: [n] bool, of the other, same pictures.
        seed: of the bootstrap over pairs.
    """
    return _over_pictures(lambda means: means[0] - means[1], [before, after], seed=seed)


def recovered(*, old_clean: np.ndarray, old_shifted: np.ndarray, new_shifted: np.ndarray, seed: int) -> Share:
    """Share of the lost accuracy that the new version brought back.

    (new on shifted - old on shifted) / (old on clean - old on shifted).

    Args:
        old_clean: [n] bool, right answers of the old version under the old camera.
        old_shifted: [n] bool, of the old version under the new camera, same pictures.
        new_shifted: [n] bool, of the new version under the new camera, same pictures.
        seed: of the bootstrap over pictures.
    """

    def ratio(means: np.ndarray) -> np.ndarray:
        found: np.ndarray = (means[2] - means[1]) / np.maximum(means[0] - means[1], 1e-9)
        return found

    return _over_pictures(ratio, [old_clean, old_shifted, new_shifted], seed=seed)


def _over_pictures(statistic: Callable[[np.ndarray], np.ndarray], rights: Sequence[np.ndarray], *, seed: int) -> Share:
    """A statistic of means with a bootstrap interval over the pictures, which all of `rights` share."""
    table = np.stack(rights).astype(np.float64)  # [k, n]
    n = table.shape[1]
    generator = np.random.default_rng(seed)
    draws = np.stack([table[:, generator.integers(0, n, n)].mean(axis=1) for _ in range(DRAWS)], axis=1)  # [k, draws]
    lower, upper = np.quantile(statistic(draws), [0.025, 0.975])
    return Share(value=float(statistic(table.mean(axis=1))), lower=float(lower), upper=float(upper), n=n)
