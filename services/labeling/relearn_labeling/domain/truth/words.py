"""How far two transcripts are the same."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein


def word_error_rate(one: str, other: str) -> float:
    """Words to insert, delete or replace to make one transcript of the other, over the words of the longer; 0..1.

    The classical rate divides by the reference's words. Between annotators nobody is the reference, so that the longer
    one is taken: the rate is symmetric and never above 1. Two empty transcripts differ by 0. Words are what white space
    separates, compared as they are written.
    """
    return Levenshtein.normalized_distance(one.split(), other.split())


def medoid(transcripts: Sequence[str], weights: Sequence[float]) -> int:
    """The transcript with the smallest weighted mean word error rate to the others; of equal ones the first in order.

    Args:
        transcripts: at least one.
        weights: how much each counts, [n], more than 0.
    """
    costs = [
        sum(weight * word_error_rate(one, other) for other, weight in zip(transcripts, weights, strict=True))
        for one in transcripts
    ]
    return min(range(len(transcripts)), key=lambda number: (costs[number], transcripts[number]))
