"""How far two answers say the same: F1 of their matched regions."""

from __future__ import annotations

from collections.abc import Sequence

from relearn_labeling.domain.regions import Region
from relearn_labeling.domain.truth.overlaps import overlaps
from relearn_labeling.domain.truth.words import word_error_rate


def matched(one: Sequence[Region], other: Sequence[Region], *, iou: float) -> list[tuple[int, int]]:
    """Pairs of regions of one class that overlap by `iou` or more; each region is in one pair at most.

    Greedy, as COCO's and Pascal VOC's evaluation are: the pair that overlaps most is taken first, of equal ones the
    first in order. Where an answer's own regions lie apart, no other matching has more pairs at an `iou` of 0.5 or
    more.
    """
    rows, columns, overlap = overlaps([region.part for region in one], [region.part for region in other], least=iou)
    pairs = [
        (-float(shared), int(row), int(column))
        for row, column, shared in zip(rows, columns, overlap, strict=True)
        if one[row].class_name == other[column].class_name
    ]
    left, right = set(range(len(one))), set(range(len(other)))
    taken = []
    for _, row, column in sorted(pairs):
        if row in left and column in right:
            left.remove(row)
            right.remove(column)
            taken.append((row, column))
    return taken


def likeness(one: Sequence[Region], other: Sequence[Region], *, iou: float) -> float:
    """F1 of matched regions: 1 where two answers say the same, 0 where they share nothing; symmetric.

    A matched pair counts 1 less the word error rate of its transcripts. Two answers that find nothing say the same. For
    one class of the whole sample this is 1 or 0, for several it is Dice's coefficient of the two sets.
    """
    if one == other:
        return 1.0
    shared = sum(
        1 - word_error_rate(one[row].transcript, other[column].transcript)
        for row, column in matched(one, other, iou=iou)
    )
    return 2 * shared / (len(one) + len(other))
