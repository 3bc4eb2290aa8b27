"""Regions as plain JSON values and back, as our own format and the table hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from relearn.labeling.v1 import region_pb2
from relearn.labeling.v1.label_task_pb2 import Region
from relearn.labeling.v1.region_pb2 import Attribute, Box, Keyframe, Point
from relearn_formats.records import Refused
from relearn_formats.regions import box, keyframe, number, rows, segment, short, span, table, text, track, whole_number

ORIGINS: Final = {
    region_pb2.REGION_ORIGIN_DRAWN: "drawn",
    region_pb2.REGION_ORIGIN_ACCEPTED: "accepted",
    region_pb2.REGION_ORIGIN_EDITED: "edited",
    region_pb2.REGION_ORIGIN_IMPORTED: "imported",
}
_ORIGINS_BACK: Final = {name: number for number, name in ORIGINS.items()}
_TEXTS: Final = ("transcript", "model_version_id")


def plain(region: Region) -> dict[str, Any]:
    """A region as JSON values: its kind, what the kind has, its class, and what differs from nothing.

    Raises:
        Refused: it names no part of the sample.
    """
    kind = region.WhichOneof("part")
    if kind is None:
        raise Refused("NO_REGION", f"region {region.region_id!r} names no part of the sample")
    told: dict[str, Any] = {"kind": kind, "label": region.label, **_PLAIN[kind](region)}
    if region.region_id:
        told["id"] = region.region_id
    told |= {name: value for name in _TEXTS if (value := getattr(region, name))}
    if region.attributes:
        told["attributes"] = {one.name: one.value for one in region.attributes}
    if (origin := ORIGINS.get(region.origin)) is not None:
        told["origin"] = origin
    if region.HasField("score"):
        told["score"] = region.score
    return told


def from_plain(value: Any) -> Region:
    """A region from JSON values.

    Raises:
        Refused: it is none.
    """
    told = dict(table(value, what="a region"))
    kind = told.pop("kind", None)
    if kind not in _FROM_PLAIN:
        raise Refused("UNKNOWN_KIND", f"a region of no known kind: {short(kind)}")
    region = Region(
        label=text(told.pop("label", None), what="label"),
        region_id=text(told.pop("id", ""), what="id"),
        transcript=text(told.pop("transcript", ""), what="transcript"),
        model_version_id=text(told.pop("model_version_id", ""), what="model_version_id"),
        attributes=[
            Attribute(name=name, value=text(value, what=f"attribute {name}"))
            for name, value in table(told.pop("attributes", {}), what="attributes").items()
        ],
    )
    if (origin := told.pop("origin", None)) is not None:
        if origin not in _ORIGINS_BACK:
            raise Refused("UNKNOWN_ORIGIN", f"a region of no known origin: {short(origin)}")
        region.origin = _ORIGINS_BACK[origin]
    if (score := told.pop("score", None)) is not None:
        region.score = number(score)
    _FROM_PLAIN[kind](region, told)
    return region


def _plain_box(sides: Box) -> dict[str, float]:
    """Its four numbers."""
    return {"x": sides.x, "y": sides.y, "width": sides.width, "height": sides.height}


def _plain_keyframe(key: Keyframe) -> dict[str, Any]:
    return {"frame": key.frame, **_plain_box(key.box)} | ({"hidden": True} if key.hidden else {})


_PLAIN: Final[dict[str, Callable[[Region], dict[str, Any]]]] = {
    "whole": lambda region: {},
    "box": lambda region: _plain_box(region.box),
    "polygon": lambda region: {"points": [[point.x, point.y] for point in region.polygon.points]},
    "track": lambda region: {"keyframes": [_plain_keyframe(key) for key in region.track.keyframes]},
    "span": lambda region: {"start": region.span.start, "end": region.span.end},
    "segment": lambda region: {"start_s": region.segment.start_s, "end_s": region.segment.end_s},
}


def _sides(told: Mapping[str, Any]) -> Box:
    return box(*(told.get(name) for name in ("x", "y", "width", "height")))


def _fill_whole(region: Region, told: Mapping[str, Any]) -> None:
    region.whole.SetInParent()


def _fill_box(region: Region, told: Mapping[str, Any]) -> None:
    region.box.CopyFrom(_sides(told))


def _fill_polygon(region: Region, told: Mapping[str, Any]) -> None:
    points = [rows(point, what="a point") for point in rows(told.get("points"), what="points")]
    if any(len(point) != 2 for point in points):
        raise Refused("ODD_COORDINATES", "a point is [x, y]")
    region.polygon.points.extend(Point(x=number(x), y=number(y)) for x, y in points)
    if len(points) < 3:
        raise Refused("TOO_FEW_POINTS", f"an outline needs 3 points, got {len(points)}")


def _fill_track(region: Region, told: Mapping[str, Any]) -> None:
    keys = [table(key, what="a keyframe") for key in rows(told.get("keyframes"), what="keyframes")]
    made = (keyframe(key.get("frame"), _sides(key), hidden=key.get("hidden") is True) for key in keys)
    region.track.CopyFrom(track(made))


def _fill_span(region: Region, told: Mapping[str, Any]) -> None:
    region.span.CopyFrom(span(whole_number(told.get("start")), whole_number(told.get("end"))))


def _fill_segment(region: Region, told: Mapping[str, Any]) -> None:
    region.segment.CopyFrom(segment(told.get("start_s"), told.get("end_s")))


_FROM_PLAIN: Final[dict[str, Callable[[Region, Mapping[str, Any]], None]]] = {
    "whole": _fill_whole,
    "box": _fill_box,
    "polygon": _fill_polygon,
    "track": _fill_track,
    "span": _fill_span,
    "segment": _fill_segment,
}
