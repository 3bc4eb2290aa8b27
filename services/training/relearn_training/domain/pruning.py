"""Which trials are hopeless before they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Share of the epochs at which trials of one study are compared, and how far behind the best a trial may be there.
# All follow the same schedule, so equal shares are comparable; validation noise is worth 2 to 4 points.
MARGINS: Mapping[float, float] = {0.5: 0.12, 0.75: 0.08}
COMPARED_AT: Sequence[float] = tuple(MARGINS)


def hopeless(*, share: float, objective: float, others: Sequence[float]) -> bool:
    """Whether a trial that has `objective` after `share` of its epochs should be stopped.

    Args:
        share: how much of the trial is done, in (0, 1]; matched to the nearest comparison point.
        others: objectives of the study's other trials at the same point; without any, nothing is hopeless.
    """
    if not others:
        return False
    point = min(MARGINS, key=lambda at: abs(at - share))
    return objective < max(others) - MARGINS[point]
