"""Regions and label sets to protobuf and back; pure. Rows hold regions as such messages, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from relearn.labeling.v1 import label_task_pb2 as task_pb
from relearn.labeling.v1 import region_pb2 as pb
from relearn.registry.v1 import project_pb2
from relearn_labeling.domain.errors import NoRegion
from relearn_labeling.domain.regions import (
    AttributeSpec,
    Box,
    Keyframe,
    LabelSet,
    Origin,
    Part,
    Polygon,
    Region,
    RegionKind,
    Segment,
    Span,
    Track,
    Whole,
)

KINDS: Final = {
    project_pb2.REGION_KIND_WHOLE: RegionKind.WHOLE,
    project_pb2.REGION_KIND_BOX: RegionKind.BOX,
    project_pb2.REGION_KIND_POLYGON: RegionKind.POLYGON,
    project_pb2.REGION_KIND_TRACK: RegionKind.TRACK,
    project_pb2.REGION_KIND_SPAN: RegionKind.SPAN,
    project_pb2.REGION_KIND_SEGMENT: RegionKind.SEGMENT,
}
ORIGINS: Final = {
    Origin.UNKNOWN: pb.REGION_ORIGIN_UNSPECIFIED,
    Origin.DRAWN: pb.REGION_ORIGIN_DRAWN,
    Origin.ACCEPTED: pb.REGION_ORIGIN_ACCEPTED,
    Origin.EDITED: pb.REGION_ORIGIN_EDITED,
    Origin.IMPORTED: pb.REGION_ORIGIN_IMPORTED,
}
_ORIGINS_BACK: Final = {number: origin for origin, number in ORIGINS.items()}
_last: tuple[tuple[Region, ...], bytes] = ((), b"")


def label_set(message: project_pb2.LabelSet) -> LabelSet:
    """What an answer may say. A project applied before there were kinds asks for the whole sample."""
    kinds = [KINDS[number] for number in message.region_kinds if number in KINDS]
    return LabelSet(
        version=message.version,
        classes=tuple(message.classes),
        kinds=frozenset(kinds if message.region_kinds else [RegionKind.WHOLE]),
        multi_label=message.multi_label,
        transcripts=message.transcripts,
        attributes=tuple(
            AttributeSpec(
                name=spec.name, values=tuple(spec.values), classes=tuple(spec.classes), required=spec.required
            )
            for spec in message.attributes
        ),
    )


def regions(messages: Iterable[task_pb.Region]) -> tuple[Region, ...]:
    """Regions as they came, whatever they say.

    Raises:
        NoRegion: one that names no part of the sample.
    """
    return tuple(_region(message, number) for number, message in enumerate(messages))


def messages(regions: tuple[Region, ...]) -> Sequence[task_pb.Region]:
    """Regions for the wire."""
    return task_pb.Annotation.FromString(content(regions)).regions


def content(regions: tuple[Region, ...]) -> bytes:
    """Regions for a row: read for as long as the contract's messages are.

    An answer is a row and an event, and often a label, too: the last content is kept for whoever asks next.
    """
    global _last  # regions never change, and so neither does what they become
    known, told = _last
    if known is not regions:
        told = task_pb.Annotation(regions=map(_message, regions)).SerializeToString(deterministic=True)
        _last = regions, told
    return told


def of_content(content: bytes) -> tuple[Region, ...]:
    """The regions of a row."""
    return regions(task_pb.Annotation.FromString(content).regions)


def _region(message: task_pb.Region, number: int) -> Region:
    return Region(
        part=_part(message, number),
        class_name=message.label,
        id=message.region_id,
        transcript=message.transcript,
        attributes=tuple((attribute.name, attribute.value) for attribute in message.attributes),
        origin=_ORIGINS_BACK.get(message.origin, Origin.UNKNOWN),
        model_version_id=message.model_version_id,
        score=message.score if message.HasField("score") else None,
    )


def _part(message: task_pb.Region, number: int) -> Part:
    match message.WhichOneof("part"):
        case "whole":
            return Whole()
        case "box":
            return _box(message.box)
        case "polygon":
            return Polygon(points=tuple((point.x, point.y) for point in message.polygon.points))
        case "track":
            return Track(keyframes=tuple(_keyframe(keyframe) for keyframe in message.track.keyframes))
        case "span":
            return Span(start=message.span.start, end=message.span.end)
        case "segment":
            return Segment(start_s=message.segment.start_s, end_s=message.segment.end_s)
        case _:
            raise NoRegion(f"region number {number} names no part of the sample: set whole, box, ...")


def _box(message: pb.Box) -> Box:
    return Box(x=message.x, y=message.y, width=message.width, height=message.height)


def _keyframe(message: pb.Keyframe) -> Keyframe:
    return Keyframe(frame=message.frame, box=_box(message.box), hidden=message.hidden)


def _message(region: Region) -> task_pb.Region:
    message = task_pb.Region(
        label=region.class_name,
        region_id=region.id,
        transcript=region.transcript,
        attributes=[pb.Attribute(name=name, value=value) for name, value in region.attributes],
        origin=ORIGINS[region.origin],
        model_version_id=region.model_version_id,
        score=region.score,
    )
    match region.part:
        case Whole():
            message.whole.SetInParent()
        case Box():
            message.box.CopyFrom(_box_message(region.part))
        case Polygon(points=points):
            message.polygon.points.extend(pb.Point(x=x, y=y) for x, y in points)
        case Track(keyframes=keyframes):
            message.track.keyframes.extend(
                pb.Keyframe(frame=keyframe.frame, box=_box_message(keyframe.box), hidden=keyframe.hidden)
                for keyframe in keyframes
            )
        case Span(start=start, end=end):
            message.span.CopyFrom(pb.Span(start=start, end=end))
        case Segment(start_s=start_s, end_s=end_s):
            message.segment.CopyFrom(pb.Segment(start_s=start_s, end_s=end_s))
    return message


def _box_message(box: Box) -> pb.Box:
    return pb.Box(x=box.x, y=box.y, width=box.width, height=box.height)
