"""What several annotators mean: their regions, gathered into things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from relearn_labeling.domain.regions import LabelSet, Region, Whole
from relearn_labeling.domain.truth.overlaps import overlaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Regions of different answers that are of the same thing.

    Attributes:
        members: the region by the number of its answer, rising; never empty.
    """

    members: Mapping[int, Region]

    def class_in(self, answer: int) -> str | None:
        """The class that an answer gives it; None where the answer does not have it."""
        region = self.members.get(answer)
        return None if region is None else region.class_name


def things(answers: Sequence[Sequence[Region]], *, label_set: LabelSet, iou: float) -> list[Thing]:
    """The things that answers are about, in the order in which the answers name them first.

    Pairs of regions that overlap by `iou` or more join, those of one class first, then by falling overlap, unless an
    answer would have two regions in one thing: a region tells the things of its own answer apart. Class and place alone
    decide, so that the things are the same in whatever order the answers come.
    """
    regions = [(number, region) for number, answer in enumerate(answers) for region in answer]
    cluster_of = list(range(len(regions)))
    clusters = {index: {number: index} for index, (number, _) in enumerate(regions)}
    for one, other in _likely_pairs(answers, label_set=label_set, iou=iou):
        kept, gone = sorted((cluster_of[one], cluster_of[other]))
        if kept == gone or clusters[kept].keys() & clusters[gone].keys():
            continue
        for index in clusters[gone].values():
            cluster_of[index] = kept
        clusters[kept] |= clusters.pop(gone)
    return [
        Thing(members={number: regions[index][1] for number, index in sorted(cluster.items())})
        for cluster in clusters.values()
    ]


def _likely_pairs(answers: Sequence[Sequence[Region]], *, label_set: LabelSet, iou: float) -> Iterator[tuple[int, int]]:
    """Pairs of regions of two answers, the likeliest first, as places in the list of all regions."""
    starts = [0]
    for answer in answers:
        starts.append(starts[-1] + len(answer))
    ranks = _ranks(answers)
    pairs = []
    for a, b in combinations(range(len(answers)), 2):
        rows, columns, shared = overlaps(
            [region.part for region in answers[a]], [region.part for region in answers[b]], least=iou
        )
        for row, column, overlap in zip(rows.tolist(), columns.tolist(), shared.tolist(), strict=True):
            one, other = answers[a][row], answers[b][column]
            differ = one.class_name != other.class_name
            if differ and label_set.multi_label and isinstance(one.part, Whole):
                continue  # each class of the sample is a question of its own
            i, j = starts[a] + row, starts[b] + column
            pairs.append((differ, -overlap, sorted((ranks[i], ranks[j])), i, j))
    pairs.sort()
    return ((i, j) for *_, i, j in pairs)


def _ranks(answers: Sequence[Sequence[Region]]) -> list[int]:
    """Where each region stands by class and place among all of them; the order of answers does not enter."""
    keys = [(region.class_name, repr(region.part)) for answer in answers for region in answer]
    order = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [order[key] for key in keys]
