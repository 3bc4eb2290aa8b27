"""Krippendorff's alpha: how far annotators agree beyond what chance would give: 1 wholly, 0 not at all, less is worse.

    alpha = 1 - D_o / D_e

D_o is the mean distance of two answers to one sample (each sample weighs as many answers as it has), D_e that of any
two answers of those samples, whatever they are of. Only samples with two answers or more count. Nominal values differ
by 0 or 1; region answers by 1 - F1 of their matched regions, so that for one class of the whole sample both are the
same.

Sources: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"; distances of structured answers, with the
    same
D_e: Braylan, Alonso and Lease (2022), "Measuring Annotator Agreement Generally across Complex Structured, Multi-object,
and Free-text Annotation Tasks". (Krippendorff's own alpha_u unitises one continuum and has no boxes.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from relearn_labeling.domain.regions import Region
from relearn_labeling.domain.truth.matching import matched
from relearn_labeling.domain.truth.words import word_error_rate

Regions = Sequence[Region]

_FEWEST_UNITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """How far annotators agree.

    Attributes:
        overall: over all classes; None with fewer than two samples, or where all answers are the same.
        classes: of each class against all others; those that can't be told are left out.
    """

    overall: float | None
    classes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What of one class is needed of the samples with two answers or more, each answer a single class.

    Attributes:
        votes: answers that give it.
        apart: over the samples, with n of m answers giving it: the sum of n (m - n) / (m - 1).
    """

    votes: float
    apart: float


def nominal_alpha(tallies: Mapping[str, Tally], *, samples: int) -> Alpha:
    """Alpha of values without an order, from sums by class.

    Args:
        samples: with two answers or more.
    """
    n = sum(tally.votes for tally in tallies.values())
    if samples < _FEWEST_UNITS:
        return Alpha(overall=None, classes={})
    overall = _alpha(
        sum(tally.apart for tally in tallies.values()) / n,
        sum(tally.votes * (n - tally.votes) for tally in tallies.values()) / (n * (n - 1)),
    )
    by_class = {
        name: _alpha(2 * tally.apart / n, 2 * tally.votes * (n - tally.votes) / (n * (n - 1)))
        for name, tally in sorted(tallies.items())
    }
    return Alpha(overall=overall, classes={name: alpha for name, alpha in by_class.items() if alpha is not None})


def region_alpha(units: Sequence[Sequence[Regions]], *, iou: float, most_pairs: int = 2000) -> Alpha:
    """Alpha of answers made of regions; a class's own is over the regions of that class alone.

    Args:
        units: the answers to each sample.
        most_pairs: of answers that D_e is measured on; of more, evenly spread ones, each answer as often as any other.
    """
    paired = [answers for answers in units if len(answers) > 1]
    if len(paired) < _FEWEST_UNITS:
        return Alpha(overall=None, classes={})
    every = [answer for answers in paired for answer in answers]
    observed, expected = _Distances(), _Distances()
    for answers in paired:
        for one, other in combinations(answers, 2):
            observed.add(one, other, weight=2 / (len(answers) - 1) / len(every), iou=iou)
    pairs = list(_pairs(len(every), most=most_pairs))
    for one_at, other_at in pairs:
        expected.add(every[one_at], every[other_at], weight=1 / len(pairs), iou=iou)
    by_class = {name: _alpha(observed.classes[name], expected.classes[name]) for name in sorted(expected.classes)}
    return Alpha(
        overall=_alpha(observed.overall, expected.overall),
        classes={name: alpha for name, alpha in by_class.items() if alpha is not None},
    )


class _Distances:
    """A weighted sum of distances, over all classes and of each."""

    def __init__(self) -> None:
        self.overall = 0.0
        self.classes: defaultdict[str, float] = defaultdict(float)

    def add(self, one: Regions, other: Regions, *, weight: float, iou: float) -> None:
        """Adds the distance of a pair of answers; classes that neither names are at distance 0."""
        if not one and not other:
            return
        here = Counter(region.class_name for region in one)
        there = Counter(region.class_name for region in other)
        shared: defaultdict[str, float] = defaultdict(float)  # of regions are matched only within a class
        for row, column in matched(one, other, iou=iou):
            likeness = 1 - word_error_rate(one[row].transcript, other[column].transcript)
            shared[one[row].class_name] += likeness
        self.overall += weight * (1 - 2 * sum(shared.values()) / (len(one) + len(other)))
        for name in here.keys() | there.keys():
            self.classes[name] += weight * (1 - 2 * shared[name] / (here[name] + there[name]))


def _pairs(n: int, *, most: int) -> Iterator[tuple[int, int]]:
    """All pairs of `n` things, or about `most` of them: each thing with those at a few distances in the list."""
    if n * (n - 1) // 2 <= most:
        yield from combinations(range(n), 2)
        return
    distances = max(1, most // n)
    firsts = range(0, n, max(1, n // most))
    for number in range(distances):
        distance = 1 + (2 * number + 1) * (n - 1) // (2 * distances)
        for first in firsts:
            yield first, (first + distance) % n


def _alpha(observed: float, expected: float) -> float | None:
    return None if expected <= 0 else 1 - observed / expected
