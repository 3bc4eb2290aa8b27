"""Short ways to regions and votes that tests of truth begin with."""

from __future__ import annotations

import random
from collections.abc import Sequence

from relearn_labeling.domain.regions import (
    Box,
    Keyframe,
    LabelSet,
    Part,
    Polygon,
    Region,
    RegionKind,
    Segment,
    Span,
    Track,
)
from relearn_labeling.domain.truth.skills import Unit

BOXES = LabelSet(version=1, classes=("cat", "dog"), kinds=frozenset({RegionKind.BOX}))


def region(part: Part, class_name: str = "cat", **more: str) -> Region:
    return Region(part=part, class_name=class_name, **more)


def box(x: float, y: float = 0, width: float = 10, height: float = 10) -> Box:
    return Box(x=x, y=y, width=width, height=height)


def polygon(*points: tuple[float, float]) -> Polygon:
    return Polygon(points=points)


def span(start: int, end: int) -> Span:
    return Span(start=start, end=end)


def segment(start_s: float, end_s: float) -> Segment:
    return Segment(start_s=start_s, end_s=end_s)


def track(*places: tuple[int, float] | tuple[int, float, bool]) -> Track:
    """A track of boxes of 10 by 10: (frame, x) or (frame, x, hidden)."""
    return Track(
        keyframes=tuple(
            Keyframe(frame=place[0], box=box(place[1]), hidden=len(place) == 3 and bool(place[2])) for place in places
        )
    )


def units(*rows: str, annotators: str = "abcdefgh") -> list[Unit]:
    """Units of one-letter values: row "xy" means that annotator a says x and b says y; a space: says nothing."""
    return [
        Unit(votes=tuple((who, value) for who, value in zip(annotators, row, strict=False) if value != " "))
        for row in rows
    ]


def simulated(
    accuracies: Sequence[float], *, values: str, units: int, answers: int, seed: int
) -> tuple[list[Unit], list[str]]:
    """Units answered by `answers` random annotators who err at random, and the truths."""
    draw = random.Random(seed)
    made, truths = [], []
    for _ in range(units):
        truth = draw.choice(values)
        who = draw.sample(range(len(accuracies)), answers)
        votes = [
            (f"annotator-{a}", truth if draw.random() < accuracies[a] else draw.choice(values.replace(truth, "")))
            for a in who
        ]
        made.append(Unit(votes=tuple(votes)))
        truths.append(truth)
    return made, truths
