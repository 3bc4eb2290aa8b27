"""How far two parts of a sample are of the same thing: intersection over union, 0..1.

Boxes and polygons by area, spans and segments by length, tracks by the mean over frames in which either is visible.
The sample itself overlaps itself wholly; parts of two kinds never overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from relearn_labeling.domain.regions import Box, Part, Polygon, Segment, Span, Track, Whole

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Outlines: TypeAlias = npt.NDArray[np.object_]
Pairs: TypeAlias = tuple[IntArray, IntArray, FloatArray]

_ROWS_AT_ONCE = 256
_MANY_PAIRS = 2_500
_MOST_PARTNERS = 20
_MOST_EXACT = 50_000
_MOST_FRAMES = 2000
"""Frames that two tracks are compared in: more are looked at evenly, so that a frame of 2^31 costs nothing."""


def overlaps(one: Sequence[Part], other: Sequence[Part], *, least: float) -> Pairs:
    """The pairs of parts that overlap by `least` or more: of each part of `one` with at most 20 of `other`.

    What people draw overlaps with a handful; the bound is there so that two answers of 5,000 regions in one place cost
    seconds, not minutes. For the same reason polygons are compared by their bounding boxes where more than 50,000 pairs
    of 256 polygons touch.

    Args:
        least: in (0, 1].

    Returns:
        Index into `one`, index into `other`, and overlap in [least, 1], of each pair; all [p], in no stated order.
    """
    kinds = {type(part) for part in one} & {type(part) for part in other}
    found = [
        _of_kind(kind, one, other, least=least) for kind in (Whole, Box, Polygon, Track, Span, Segment) if kind in kinds
    ]
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    rows, columns, measured = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return rows, columns, measured


def _of_kind(kind: type[Part], one: Sequence[Part], other: Sequence[Part], *, least: float) -> Pairs:
    rows = np.array([number for number, part in enumerate(one) if isinstance(part, kind)], np.int64)
    columns = np.array([number for number, part in enumerate(other) if isinstance(part, kind)], np.int64)
    ours, theirs = [one[number] for number in rows], [other[number] for number in columns]
    bounds, bounds_there = np.array(list(map(_bounds, ours))), np.array(list(map(_bounds, theirs)))
    outlines, outlines_there = _outlines(ours), _outlines(theirs)
    found = []
    for start in range(0, len(ours), _ROWS_AT_ONCE):
        left, right = _touching(bounds[start : start + _ROWS_AT_ONCE], bounds_there)
        left += start
        if kind is Track:
            measured = _of_tracks([ours[i] for i in left], [theirs[j] for j in right])
        elif kind is Polygon and len(left) <= _MOST_EXACT:
            measured = _of_areas(outlines[left], outlines_there[right])
            same = [ours[i] == theirs[j] for i, j in zip(left, right, strict=True)]
            measured[same] = 1.0  # also without an area, and whatever was rounded
        else:
            measured = _of_bounds(bounds[left], bounds_there[right])
        best = _best_of_each(left, measured, least=least)
        found.append((rows[left[best]], columns[right[best]], measured[best]))
    rows, columns, measured = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return rows, columns, measured


def _bounds(part: Part) -> tuple[float, float, float, float]:
    """Left, upper, right, lower; of a span or segment a strip one high, of a track the box around all its places."""
    match part:
        case Box():
            return part.x, part.y, part.x + part.width, part.y + part.height
        case Polygon():
            xs, ys = zip(*part.points, strict=True)
            return min(xs), min(ys), max(xs), max(ys)
        case Span():
            return part.start, 0, part.end, 1
        case Segment():
            return part.start_s, 0, part.end_s, 1
        case Track():
            lefts, uppers, rights, lowers = zip(*(_bounds(keyframe.box) for keyframe in part.keyframes), strict=True)
            return min(lefts), min(uppers), max(rights), max(lowers)
        case Whole():
            return 0, 0, 1, 1


def _touching(one: FloatArray, other: FloatArray) -> tuple[IntArray, IntArray]:
    """The pairs of upright rectangles [n, 4] and [m, 4] that touch; in a tree where there are many."""
    if len(one) * len(other) > _MANY_PAIRS:
        left, right = shapely.STRtree(shapely.box(*other.T)).query(shapely.box(*one.T)).astype(np.int64)
        return left, right
    low, high = np.maximum(one[:, None, :2], other[:, :2]), np.minimum(one[:, None, 2:], other[:, 2:])
    left, right = np.nonzero((low <= high).all(axis=-1))
    return left, right


def _of_bounds(one: FloatArray, other: FloatArray) -> FloatArray:
    """[p] of upright rectangles [p, 4] (left, upper, right, lower), pair by pair."""
    width, height = (np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])).clip(0).T
    shared = width * height
    united = _area(one) + _area(other) - shared
    measured: FloatArray = np.divide(shared, united, out=np.zeros(len(one)), where=united > 0).clip(0, 1)
    return measured


def _area(bounds: FloatArray) -> FloatArray:
    area: FloatArray = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    return area


def _best_of_each(row: IntArray, measured: FloatArray, *, least: float) -> IntArray:
    """Places of the pairs with enough overlap, the `_MOST_PARTNERS` best of each row."""
    order = np.lexsort((-measured, row))
    order = order[measured[order] >= least]
    starts = np.searchsorted(row[order], row[order], side="left")
    return order[np.arange(len(order)) - starts < _MOST_PARTNERS]


def _of_areas(one: Outlines, other: Outlines) -> FloatArray:
    """[p] of outlines, pair by pair."""
    shared = shapely.area(shapely.intersection(one, other))
    united = shapely.area(one) + shapely.area(other) - shared
    measured: FloatArray = np.divide(shared, united, out=np.zeros(len(one)), where=united > 0).clip(0, 1)
    return measured


def _outlines(parts: Sequence[Part]) -> Outlines:
    """Polygons as geometries; one that crosses itself covers what lies inside any of its loops. None of other parts."""
    polygons = [part.points for part in parts if isinstance(part, Polygon)]
    if not polygons:
        return np.empty(0, object)
    corners = np.concatenate([np.array(points, np.float64) for points in polygons])
    ring = np.repeat(np.arange(len(polygons)), [len(points) for points in polygons])
    outlines: Outlines = shapely.polygons(shapely.linearrings(corners, indices=ring))
    crossing = ~shapely.is_valid(outlines)
    outlines[crossing] = shapely.make_valid(outlines[crossing])
    return outlines


def _of_tracks(one: Sequence[Part], other: Sequence[Part]) -> FloatArray:
    """[p] of tracks, pair by pair."""
    pairs = zip(one, other, strict=True)
    return np.array([_of_track(a, b) for a, b in pairs if isinstance(a, Track) and isinstance(b, Track)], np.float64)


def _of_track(one: Track, other: Track) -> float:
    """Mean over the frames from the first to the last keyframe of either, where at least one is visible."""
    first = min(one.keyframes[0].frame, other.keyframes[0].frame)
    last = max(one.keyframes[-1].frame, other.keyframes[-1].frame)
    frames = np.unique(np.linspace(first, last, min(_MOST_FRAMES, last - first + 1)).round())
    (here, seen), (there, seen_there) = _places(one, frames), _places(other, frames)
    either = seen | seen_there
    if not either.any():
        return float(one == other)
    return float((_of_bounds(here, there) * (seen & seen_there))[either].mean())


def _places(track: Track, frames: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Edges [f, 4] (left, upper, right, lower) in each frame, and whether it is visible there [f]."""
    at = np.array([keyframe.frame for keyframe in track.keyframes], np.float64)
    edges = np.array([_bounds(keyframe.box) for keyframe in track.keyframes], np.float64)
    places = np.stack([np.interp(frames, at, edge) for edge in edges.T], axis=1)
    governing = np.searchsorted(at, frames, side="right") - 1
    hidden = np.array([keyframe.hidden for keyframe in track.keyframes], bool)
    return places, (governing >= 0) & ~hidden[governing.clip(0)]
