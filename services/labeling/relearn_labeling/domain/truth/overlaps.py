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
Pairs: TypeAlias = tuple[IntArray, IntArray, FloatArray]

_ROWS_AT_ONCE = 256
_MOST_PARTNERS = 50
_MOST_EXACT = 50_000
_MOST_FRAMES = 2000
"""Frames that two tracks are compared in: more are looked at evenly, so that a frame of 2^31 costs nothing."""


def overlaps(one: Sequence[Part], other: Sequence[Part], *, least: float) -> Pairs:
    """The pairs of parts that overlap by `least` or more: of each part of `one` with at most 50 of `other`.

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
    lefts, rights, overlap = [], [], []
    for start in range(0, len(ours), _ROWS_AT_ONCE):
        here = bounds[start : start + _ROWS_AT_ONCE, None]
        if kind is Polygon or kind is Track:
            left, right = _touching(here, bounds_there)
            measured = _exactly([ours[start + i] for i in left], [theirs[j] for j in right])
        else:
            every = _of_bounds(here, bounds_there)
            left, right = np.nonzero(every >= least)
            measured = every[left, right]
        best = _best_of_each(left, measured, least=least)
        lefts.append(rows[start + left[best]])
        rights.append(columns[right[best]])
        overlap.append(measured[best])
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(overlap)


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


def _of_bounds(one: FloatArray, other: FloatArray) -> FloatArray:
    """Of upright rectangles [..., 4] (left, upper, right, lower) that broadcast against each other."""
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = sides.clip(0).prod(axis=-1)
    united = sum((bounds[..., 2:] - bounds[..., :2]).prod(axis=-1) for bounds in (one, other)) - shared
    measured: FloatArray = np.divide(shared, united, out=np.zeros(shared.shape), where=united > 0).clip(0, 1)
    return measured


def _touching(one: FloatArray, other: FloatArray) -> tuple[IntArray, IntArray]:
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    left, right = np.nonzero((sides >= 0).all(axis=-1))
    return left, right


def _best_of_each(row: IntArray, measured: FloatArray, *, least: float) -> IntArray:
    """Places of the pairs with enough overlap, the `_MOST_PARTNERS` best of each row."""
    order = np.lexsort((-measured, row))
    order = order[measured[order] >= least]
    starts = np.searchsorted(row[order], row[order], side="left")
    return order[np.arange(len(order)) - starts < _MOST_PARTNERS]


def _exactly(one: Sequence[Part], other: Sequence[Part]) -> FloatArray:
    """[p] of polygons or tracks, pair by pair; parts that are the same overlap wholly, also without an area."""
    tracks = [(a, b) for a, b in zip(one, other, strict=True) if isinstance(a, Track) and isinstance(b, Track)]
    if len(tracks) == len(one):
        return np.array([_of_tracks(a, b) for a, b in tracks], np.float64)
    if len(one) > _MOST_EXACT:
        return _of_bounds(np.array(list(map(_bounds, one))), np.array(list(map(_bounds, other))))
    here, there = _outlines(one), _outlines(other)
    shared = shapely.area(shapely.intersection(here, there))
    united = shapely.area(here) + shapely.area(there) - shared
    measured: FloatArray = np.divide(shared, united, out=np.zeros(len(one)), where=united > 0).clip(0, 1)
    measured[[a == b for a, b in zip(one, other, strict=True)]] = 1.0
    return measured


def _outlines(polygons: Sequence[Part]) -> npt.NDArray[np.object_]:
    """Each once as a geometry; an outline that crosses itself covers what lies inside any of its loops."""
    made = {id(part): shapely.Polygon(part.points) for part in polygons if isinstance(part, Polygon)}
    outlines = np.array([made[id(part)] for part in polygons], object)
    crossing = ~shapely.is_valid(outlines)
    outlines[crossing] = shapely.make_valid(outlines[crossing])
    return outlines


def _of_tracks(one: Track, other: Track) -> float:
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
