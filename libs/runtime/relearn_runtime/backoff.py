"""How long to wait before trying again, and when to stop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

ATTEMPTS = 5
_IN_PLACE_S = 10.0
_jitter = random.Random()  # noqa: S311 - spreads load, guards nothing


def delays(*, first_s: float, most_s: float) -> Iterator[float]:
    """Doubling delays without end, each between half and all of its step."""
    step = first_s
    while True:
        yield step * _jitter.uniform(0.5, 1.0)
        step = min(step * 2, most_s)


class Tries:
    """Attempts at one thing, with a pause after each that failed.

    Attributes:
        number: of the attempt in hand, from 1.
    """

    def __init__(self, *, first_s: float, most_s: float) -> None:
        self.number = 1
        self._delays = delays(first_s=first_s, most_s=most_s)
        self._started = time.monotonic()

    def spent(self, most: int = ATTEMPTS) -> bool:
        """Whether it was tried often enough in place, or for long enough where each attempt takes its time."""
        return self.number >= most or time.monotonic() - self._started > _IN_PLACE_S

    async def pause(self) -> None:
        """Waits; the next attempt may begin."""
        await asyncio.sleep(next(self._delays))
        self.number += 1
