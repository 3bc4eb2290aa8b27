"""Parts of a sample, made from what a file says; whatever it says is checked here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.region_pb2 import Attribute, Box, Keyframe, Point, Polygon, Segment, Span, Track
from relearn_formats.records import Refused


def whole(label: str, **more: Any) -> Region:
    """The sample itself."""
    return Region(whole=Whole(), label=label, **more)


def box(x: Any, y: Any, width: Any, height: Any) -> Box:
    """A box from what a file says.

    Raises:
        Refused: no numbers, or nothing in it.
    """
    sides = Box(x=number(x), y=number(y), width=number(width), height=number(height))
    if sides.width <= 0 or sides.height <= 0:
        raise Refused("EMPTY_BOX", f"a box of {sides.width:g} x {sides.height:g} pixels holds nothing")
    return sides


def polygon(points: Iterable[tuple[Any, Any]]) -> Polygon:
    """An outline from what a file says; a last point that repeats the first is left out.

    Raises:
        Refused: no numbers, or fewer than three points.
    """
    places = [Point(x=number(x), y=number(y)) for x, y in points]
    if len(places) > 3 and places[0] == places[-1]:
        places.pop()
    if len(places) < 3:
        raise Refused("TOO_FEW_POINTS", f"an outline needs 3 points, got {len(places)}")
    return Polygon(points=places)


def snapped(sides: Box, width: float, height: float) -> Box:
    """A box whose edges, where rounding put them up to half a pixel outside of the picture, are at its edge."""
    left, right = _snap(sides.x, width), _snap(sides.x + sides.width, width)
    upper, lower = _snap(sides.y, height), _snap(sides.y + sides.height, height)
    return box(left, upper, right - left, lower - upper)


def _snap(value: float, most: float) -> float:
    if -0.5 <= value < 0:
        return 0.0
    return most if most < value <= most + 0.5 else value


def pairs(flat: Iterable[Any]) -> list[tuple[Any, Any]]:
    """x1, y1, x2, y2, ... as places.

    Raises:
        Refused: an odd number of values.
    """
    values = list(flat)
    if len(values) % 2:
        raise Refused("ODD_COORDINATES", f"x without its y: {len(values)} coordinates")
    return list(zip(values[::2], values[1::2], strict=True))


def segment(start_s: Any, end_s: Any) -> Segment:
    """A stretch of time.

    Raises:
        Refused: no numbers, or it ends before it begins.
    """
    made = Segment(start_s=number(start_s), end_s=number(end_s))
    if not 0 <= made.start_s < made.end_s:
        raise Refused("EMPTY_SEGMENT", f"from {made.start_s:g} s to {made.end_s:g} s is no stretch of time")
    return made


def span(start: int, end: int) -> Span:
    """A stretch of text, in UTF-16 code units.

    Raises:
        Refused: nothing in it.
    """
    if not 0 <= start < end < 2**31:
        raise Refused("EMPTY_SPAN", f"from {start} to {end} is no stretch of text")
    return Span(start=start, end=end)


def number(value: Any) -> float:
    """A finite number.

    Raises:
        Refused: it is none.
    """
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise Refused("NO_NUMBER", f"{short(value)} is no number")
    return found


def whole_number(value: Any) -> int:
    """A whole number that a frame or an offset may have.

    Raises:
        Refused: it is none.
    """
    found = number(value)
    if not found.is_integer() or abs(found) >= 2**31:
        raise Refused("NO_NUMBER", f"{short(value)} is no whole number")
    return int(found)


def size(value: Any) -> int | None:
    """How many pixels or frames, None where it is not told.

    Raises:
        Refused: no whole number above 0.
    """
    if value is None:
        return None
    if (found := whole_number(value)) <= 0:
        raise Refused("NO_NUMBER", f"{short(value)} is no size")
    return found


def text(value: Any, *, what: str) -> str:
    """A text.

    Raises:
        Refused: something else.
    """
    if not isinstance(value, str):
        raise Refused("NO_TEXT", f"{what} is no text: {short(value)}")
    return value


def table(value: Any, *, what: str) -> Mapping[str, Any]:
    """An object with names.

    Raises:
        Refused: something else.
    """
    if not isinstance(value, Mapping):
        raise Refused("NO_OBJECT", f"{what} is no object with names: {short(value)}")
    return value


def rows(value: Any, *, what: str) -> list[Any]:
    """A list.

    Raises:
        Refused: something else.
    """
    if not isinstance(value, list):
        raise Refused("NO_LIST", f"{what} is no list: {short(value)}")
    return value


def attributes(values: Mapping[str, str]) -> list[Attribute]:
    """Attributes by name."""
    return [Attribute(name=name, value=value) for name, value in values.items()]


def corners(outline: Polygon) -> tuple[float, float, float, float]:
    """Left, upper, right and lower edge of an outline."""
    xs, ys = [point.x for point in outline.points], [point.y for point in outline.points]
    return min(xs), min(ys), max(xs), max(ys)


def keyframe(frame: Any, place: Box, *, hidden: bool) -> Keyframe:
    """A keyframe.

    Raises:
        Refused: no frame.
    """
    found = whole_number(frame)
    if found < 0:
        raise Refused("OUTSIDE_MEDIA", f"frame {found} is before the first")
    return Keyframe(frame=found, box=place, hidden=hidden)


def track(keyframes: Iterable[Keyframe]) -> Track:
    """A track, its keyframes in order.

    Raises:
        Refused: none, or two of one frame.
    """
    found = sorted(keyframes, key=lambda key: key.frame)
    if not found:
        raise Refused("EMPTY_TRACK", "a track without a keyframe")
    if any(first.frame == second.frame for first, second in pairwise(found)):
        raise Refused("REPEATED_FRAME", "a track with two boxes in one frame")
    return Track(keyframes=found)


def short(value: Any) -> str:
    """A value for a message."""
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."
