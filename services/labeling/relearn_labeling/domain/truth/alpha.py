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

import numpy as np
import numpy.typing as npt

from relearn_labeling.domain.regions import Region
from relearn_labeling.domain.truth.matching import matched
from relearn_labeling.domain.truth.words import word_error_rate

IntArray = npt.NDArray[np.int64]
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


def nominal_alpha(unit: IntArray, value: IntArray, votes: IntArray, *, names: Sequence[str]) -> Alpha:
    """Alpha of values without an order, from counts.

    Args:
        unit: [n], number of a sample, any integers.
        value: [n], place of a class in `names`.
        votes: [n], answers to this sample that give this class, more than 0; each (unit, value) once.
    """
    _, unit = np.unique(unit, return_inverse=True)
    answers = np.bincount(unit, weights=votes, minlength=1)
    paired = answers[unit] > 1
    unit, value, votes = unit[paired], value[paired], votes[paired].astype(np.float64)
    if len(np.unique(unit)) < _FEWEST_UNITS:
        return Alpha(overall=None, classes={})
    each = answers[unit]  # answers to the sample of each entry
    n = float(votes.sum())
    of_class = np.bincount(value, weights=votes, minlength=len(names))
    apart = np.bincount(value, weights=votes * (each - votes) / (each - 1), minlength=len(names))  # pairs, both ways
    overall = _alpha(float(apart.sum()) / n, float((of_class * (n - of_class)).sum()) / (n * (n - 1)))
    by_class = {
        name: _alpha(2 * float(apart[place]) / n, 2 * float(of_class[place] * (n - of_class[place])) / (n * (n - 1)))
        for place, name in enumerate(names)
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
