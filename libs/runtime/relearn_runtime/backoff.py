"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator

_jitter = random.Random()  # noqa: S311 - spreads load, guards nothing


def delays(*, first_s: float, most_s: float) -> Iterator[float]:
    """Doubling delays without end, each between half and all of its step."""
    step = first_s
    while True:
        yield step * _jitter.uniform(0.5, 1.0)
        step = min(step * 2, most_s)
