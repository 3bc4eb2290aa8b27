"""How frames of a video are numbered: on an even grid, so that a frame number is a time and the other way round."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]

_ROUNDING_S = 0.0011  # two times in whole milliseconds
_JITTER = 0.2  # frames
_NTSC = Fraction(1000, 1001)  # what 30 means in American television


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameGrid:
    """Frame i of a video is the picture that it shows i / rate seconds after its first one.

    Attributes:
        rate: frames a second.
        frames: how many there are.
        exact: whether every picture of the file has a frame number of its own, and every number a picture.
    """

    rate: Fraction
    frames: int
    exact: bool

    def number(self, since_first_s: float) -> int:
        """The frame number of a picture that is shown this long after the first, in seconds; may be past the end."""
        return round(since_first_s * float(self.rate))


def frame_grid(times: Times, *, last_s: float, rates: Iterable[Fraction], max_rate: int) -> FrameGrid:
    """The numbering of a video whose pictures are shown at these times.

    Args:
        times: [n >= 1] seconds, ascending.
        last_s: how long the last picture is shown; 0 when the file does not say.
        rates: what the file claims, the most believable first.
        max_rate: of a video whose pictures have no even distance; a constant rate is kept, however high.

    A video of constant rate keeps all its pictures, though their times jitter by up to a fifth of a frame. Otherwise a
    claimed rate is taken on which all pictures fall, with gaps, else one that parts all but the closest 5 % of them:
    where two meet, the later one is shown; where none falls, the one before stays.
    """
    since = times - times[0]
    candidates = [rate for rate in (*rates, *_fitting(since)) if rate > 0]
    steady = [rate for rate in candidates if np.array_equal(_numbers(since, rate), np.arange(len(times)))]
    to_the_clock = (rate for rate in steady if _error(since, rate) <= _ROUNDING_S * float(rate))
    nearly = (rate for rate in steady if _error(since, rate) <= _JITTER)
    if (even := next(to_the_clock, None) or next(nearly, None)) is not None:
        return FrameGrid(rate=even, frames=len(times), exact=True)
    gaps = [rate for rate in candidates if rate <= max_rate and _parts(since, rate) and _error(since, rate) <= _JITTER]
    rate = next(iter(gaps), None) or _typical(since, max_rate)
    last = int(_numbers(since[-1:], rate)[0])
    return FrameGrid(rate=rate, frames=last + max(1, round(last_s * float(rate))), exact=False)


def _numbers(since: Times, rate: Fraction) -> npt.NDArray[np.int64]:
    return np.rint(since * float(rate)).astype(np.int64)


def _error(since: Times, rate: Fraction) -> float:
    """How far any picture is from its place on the grid, in frames."""
    places = since * float(rate)
    return float(np.abs(places - np.rint(places)).max())


def _parts(since: Times, rate: Fraction) -> bool:
    return bool((np.diff(_numbers(since, rate)) > 0).all())


def _fitting(since: Times) -> list[Fraction]:
    """Rates that would explain the times: whole ones first, then those of television, then whatever fits."""
    if len(since) < 2 or since[-1] <= 0:
        return [Fraction(1)]
    fit = (len(since) - 1) / float(since[-1])
    whole = Fraction(max(1, round(fit)))
    return [whole, whole * _NTSC, Fraction(fit).limit_denominator(1001)]


def _typical(since: Times, max_rate: int) -> Fraction:
    distances = np.diff(since)
    distances = distances[distances > 0]
    if not len(distances):
        return Fraction(1)
    rate = min(1.0 / float(np.percentile(distances, 5)), float(max_rate))
    rate = round(rate, 2)  # what timestamps in milliseconds can tell
    return Fraction(math.ceil(rate)) if rate > 1 else Fraction(1, math.floor(1 / rate))
