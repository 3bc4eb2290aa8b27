"""One region of what several annotators drew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from relearn_labeling.domain.regions import Box, Origin, Part, Region, Segment, Span
from relearn_labeling.domain.truth.overlaps import overlaps
from relearn_labeling.domain.truth.words import medoid

T = TypeVar("T")

_ROUNDING = 1e-9  # of sums of weights


def merged(regions: Sequence[Region], weights: Sequence[float]) -> Region:
    """The region that stands for all of them.

    Boxes, spans and segments: the weighted median of each edge, which one careless annotator of three can't move.
    Polygons and tracks: the one that overlaps the others most, since corners of two outlines do not correspond. The
    transcript is the one nearest to the others; an attribute has the value of the largest weight. What one region only
    can be (its origin, the suggestion it came from) stays where all agree on it.

    Args:
        regions: of one thing and one class, at least one.
        weights: how much each annotator counts, [n], more than 0.
    """
    first = regions[0]
    if all(region == first for region in regions):
        return first
    return replace(
        first,
        part=merged_part([region.part for region in regions], weights),
        transcript=_transcript(regions, weights),
        attributes=_attributes(regions, weights),
        origin=_common([region.origin for region in regions], Origin.UNKNOWN),
        model_version_id=_common([region.model_version_id for region in regions], ""),
        score=_common([region.score for region in regions], None),
    )


def merged_part(parts: Sequence[Part], weights: Sequence[float]) -> Part:
    """The part in the middle; all are of one kind."""
    first = parts[0]
    if all(part == first for part in parts):
        return first
    match first:
        case Box():
            edges = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in parts if isinstance(box, Box)]
            left, upper, right, lower = (_middle(edge, weights) for edge in zip(*edges, strict=True))
            return Box(x=left, y=upper, width=right - left, height=lower - upper)
        case Segment():
            times = [(segment.start_s, segment.end_s) for segment in parts if isinstance(segment, Segment)]
            start_s, end_s = (_middle(edge, weights) for edge in zip(*times, strict=True))
            return Segment(start_s=start_s, end_s=end_s)
        case Span():
            places = [(span.start, span.end) for span in parts if isinstance(span, Span)]
            # a place that somebody gave: between two of them may lie the middle of a surrogate pair
            start, end = (_lower(edge, weights) for edge in zip(*places, strict=True))
            return Span(start=int(start), end=int(end))
    return _most_central(parts, weights)


def _lower(values: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted median; of a tie the lower of the two in the middle."""
    half, passed = sum(weights) / 2, 0.0
    ranked = sorted(zip(values, weights, strict=True))
    for value, weight in ranked:
        passed += weight
        if passed >= half * (1 - _ROUNDING):
            return value
    return ranked[-1][0]


def _middle(values: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted median; of a tie the mean of the two in the middle."""
    return (_lower(values, weights) - _lower([-value for value in values], weights)) / 2


def _most_central(parts: Sequence[Part], weights: Sequence[float]) -> Part:
    rows, columns, shared = overlaps(parts, parts, least=np.finfo(np.float64).tiny)
    nearness = np.bincount(rows, weights=shared * np.asarray(weights)[columns], minlength=len(parts))
    return max(zip(nearness.round(9), map(repr, parts), parts, strict=True), key=lambda one: one[:2])[2]


def _transcript(regions: Sequence[Region], weights: Sequence[float]) -> str:
    said = [region.transcript for region in regions]
    return said[0] if len(set(said)) == 1 else said[medoid(said, weights)]


def _attributes(regions: Sequence[Region], weights: Sequence[float]) -> tuple[tuple[str, str], ...]:
    """By name: the value of the largest weight among who gave one; of a tie the first in order of the values."""
    if all(region.attributes == regions[0].attributes for region in regions):
        return regions[0].attributes
    votes: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for region, weight in zip(regions, weights, strict=True):
        for name, value in region.attributes:
            votes[name][value] += weight
    whole = sum(weights)
    kept = {
        name: min(values, key=lambda value, of=values: (-of[value], value))  # type: ignore[misc]
        for name, values in votes.items()
        if 2 * sum(values.values()) >= whole
    }
    return tuple(sorted(kept.items()))


def _common(values: Sequence[T], otherwise: T) -> T:
    return values[0] if all(value == values[0] for value in values) else otherwise
