"""How far a route has come: which gateways have it in force."""

from collections.abc import Iterable
from datetime import timedelta

from relearn_serving.control.domain.reports import Acknowledgement

LIVE_FOR = timedelta(seconds=3)
"""A gateway that has not reported for longer is not waited for."""


def reached(standing: Iterable[Acknowledgement | None], revision: int) -> tuple[int, int]:
    """How many live gateways have `revision` or a later one in force, and how many have not."""
    found = list(standing)
    acknowledged = sum(1 for each in found if each is not None and each.revision >= revision)
    return acknowledged, len(found) - acknowledged


def problems(standing: Iterable[Acknowledgement | None]) -> list[str]:
    """Why gateways do not follow, without repetitions."""
    return sorted({each.problem for each in standing if each is not None and each.problem})
