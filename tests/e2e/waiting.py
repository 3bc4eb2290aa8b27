"""Waiting with a deadline for what another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, *, deadline_s: float = 120) -> T:
    """What the condition gives, once it holds."""
    give_up_at = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < give_up_at, f"{what} did not come in {deadline_s:.0f} s"
        time.sleep(0.1)
    return found
