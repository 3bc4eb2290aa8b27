"""Whether an answer is one that the label set asks for. What people send is measured before it is believed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from relearn_labeling.domain.errors import InvalidRegion, NoRegion, NotInLabelSet, TooManyRegions
from relearn_labeling.domain.regions import (
    AttributeSpec,
    Box,
    LabelSet,
    Part,
    Polygon,
    Region,
    RegionKind,
    Segment,
    Span,
    Track,
    Whole,
    kind_of,
    size_bytes,
)

MOST_REGIONS: Final = 5_000
MOST_ANSWER_BYTES: Final = 560 * 1024
"""Of the regions of one answer: an event holds them beside the flags of their task (`MOST_FLAG_BYTES`)."""
MOST_COORDINATE: Final = 1_000_000
"""Pixels or seconds beyond which nothing is a place in a sample."""
_MOST_POINTS = 1_000
_MOST_KEYFRAMES = 10_000
_MOST_TRANSCRIPT = 100_000
_MOST_FREE_TEXT = 1_000
_MOST_ID = 64
_MOST_MODEL_ID = 200
_MOST_SHOWN = 100


def check_regions(regions: Sequence[Region], label_set: LabelSet) -> tuple[Region, ...]:
    """The regions as they are kept: attributes by name.

    Text is kept as it was written and means nothing here; whoever shows it shows text.

    Raises:
        TooManyRegions: more than 5,000, or several classes of a sample that gets one.
        NoRegion: a sample that gets a class has none.
        NotInLabelSet: a class that the label set lacks.
        InvalidRegion: a region can't be, or isn't asked for; the metadata name it, the field and its value.
    """
    if len(regions) > MOST_REGIONS:
        raise TooManyRegions(f"an annotation has at most {MOST_REGIONS} regions, got {len(regions)}")
    for number, region in enumerate(regions):
        _check_region(region, number, label_set)
    _check_together(regions, label_set)
    if (size := size_bytes(regions)) > MOST_ANSWER_BYTES:
        message = f"an annotation has at most {MOST_ANSWER_BYTES} bytes, got {size}: fewer points or less text"
        raise InvalidRegion(message, field="regions", value=str(size))
    return tuple(
        replace(region, attributes=tuple(sorted(region.attributes))) if len(region.attributes) > 1 else region
        for region in regions
    )


def _check_region(region: Region, number: int, label_set: LabelSet) -> None:
    if (kind := kind_of(region.part)) not in label_set.kinds:
        asked = ", ".join(sorted(label_set.kinds))
        raise _invalid(region, number, "part", kind.value, f"is none of the project's region kinds: {asked}")
    if region.class_name not in label_set.classes:
        message = f"{_named(region, number)}: {_shown(region.class_name)} is no class of label set {label_set.version}"
        raise NotInLabelSet(message, label=_short(region.class_name), label_set_version=str(label_set.version))
    _check_id(region, number)
    for field, value, problem in _problems(region.part):
        raise _invalid(region, number, field, value, problem)
    if region.transcript and not label_set.transcripts:
        raise _invalid(region, number, "transcript", region.transcript, "isn't asked for in this project")
    _check_text(region, number, "transcript", region.transcript, _MOST_TRANSCRIPT)
    _check_attributes(region, number, label_set)
    if region.score is not None and not 0 <= region.score <= 1:
        raise _invalid(region, number, "score", region.score, "must be 0 to 1")
    _check_text(region, number, "model_version_id", region.model_version_id, _MOST_MODEL_ID)


def _check_id(region: Region, number: int) -> None:
    if isinstance(region.part, Whole):
        if region.id:
            raise _invalid(region, number, "region_id", region.id, "must be empty for the sample itself")
    elif not 1 <= len(region.id) <= _MOST_ID or not region.id.isprintable():
        raise _invalid(region, number, "region_id", region.id, f"must be 1 to {_MOST_ID} printable characters")


def _check_together(regions: Sequence[Region], label_set: LabelSet) -> None:
    whole = [region.class_name for region in regions if isinstance(region.part, Whole)]
    if label_set.multi_label:
        for name, times in Counter(whole).items():
            if times > 1:
                message = f"the sample has class {name!r} {times} times"
                raise InvalidRegion(message, region="whole", field="label", value=name)
    elif RegionKind.WHOLE in label_set.kinds:
        if not whole:
            raise NoRegion("the annotation needs the whole sample with its class")
        if len(whole) > 1:
            raise TooManyRegions(f"the whole sample gets exactly one class, got {len(whole)}")
    named: set[str] = set()
    for number, region in enumerate(regions):
        if region.id and region.id in named:
            raise _invalid(region, number, "region_id", region.id, "is there twice")
        named.add(region.id)


def _problems(part: Part) -> Iterator[tuple[str, object, str]]:
    """What can't be of a place: (field, value, what it must be)."""
    match part:
        case Box():
            yield from _box_problems(part, "box")
        case Polygon(points=points):
            if not 3 <= len(points) <= _MOST_POINTS:
                yield "polygon.points", len(points), f"must be 3 to {_MOST_POINTS}"
                return
            for i, (x, y) in enumerate(points):
                yield from _coordinate_problems(f"polygon.points[{i}].x", x)
                yield from _coordinate_problems(f"polygon.points[{i}].y", y)
        case Track():
            yield from _track_problems(part)
        case Span(start=start, end=end):
            if not 0 <= start < end:
                yield "span", f"{start}..{end}", "must start at 0 or later and end after its start"
        case Segment(start_s=start_s, end_s=end_s):
            yield from _coordinate_problems("segment.start_s", start_s)
            yield from _coordinate_problems("segment.end_s", end_s)
            if not start_s < end_s:
                yield "segment", f"{start_s:g}..{end_s:g}", "must end after its start"


def _track_problems(track: Track) -> Iterator[tuple[str, object, str]]:
    if not 1 <= len(track.keyframes) <= _MOST_KEYFRAMES:
        yield "track.keyframes", len(track.keyframes), f"must be 1 to {_MOST_KEYFRAMES}"
        return
    before = -1
    for i, keyframe in enumerate(track.keyframes):
        field = f"track.keyframes[{i}]"
        if keyframe.frame <= before:
            yield f"{field}.frame", keyframe.frame, "must be 0 or more, and rise from keyframe to keyframe"
        before = keyframe.frame
        yield from _box_problems(keyframe.box, f"{field}.box")


def _box_problems(box: Box, field: str) -> Iterator[tuple[str, object, str]]:
    yield from _coordinate_problems(f"{field}.x", box.x)
    yield from _coordinate_problems(f"{field}.y", box.y)
    for name, length in (("width", box.width), ("height", box.height)):
        if not 0 < length <= MOST_COORDINATE:  # false for NaN, too
            yield f"{field}.{name}", length, f"must be more than 0, at most {MOST_COORDINATE:,}"


def _coordinate_problems(field: str, value: float) -> Iterator[tuple[str, object, str]]:
    if not 0 <= value <= MOST_COORDINATE or not math.isfinite(value):
        yield field, value, f"must be 0 to {MOST_COORDINATE:,}"


def _check_attributes(region: Region, number: int, label_set: LabelSet) -> None:
    specs = {spec.name: spec for spec in label_set.attributes}
    said: set[str] = set()
    for name, value in region.attributes:
        spec = specs.get(name)
        if spec is None or not _is_for(spec, region):
            raise _invalid(region, number, "attributes", name, f"is no attribute of class {region.class_name!r}")
        if name in said:
            raise _invalid(region, number, f"attributes.{name}", value, "is there twice")
        said.add(name)
        if spec.values and value not in spec.values:
            raise _invalid(region, number, f"attributes.{name}", value, f"must be one of {', '.join(spec.values)}")
        _check_text(region, number, f"attributes.{name}", value, _MOST_FREE_TEXT)
    for spec in label_set.attributes:
        if spec.required and _is_for(spec, region) and not dict(region.attributes).get(spec.name):
            raise _invalid(region, number, f"attributes.{spec.name}", "", "is required")


def _is_for(spec: AttributeSpec, region: Region) -> bool:
    return not spec.classes or region.class_name in spec.classes


def _check_text(region: Region, number: int, field: str, text: str, most: int) -> None:
    if len(text) > most:
        raise _invalid(region, number, field, f"{len(text)} characters", f"must have at most {most:,}")
    if "\x00" in text:
        raise _invalid(region, number, field, text, "must not have the character NUL")


def _invalid(region: Region, number: int, field: str, value: object, problem: str) -> InvalidRegion:
    message = f"{_named(region, number)}: {field} {problem}; it is {_shown(value)}"
    return InvalidRegion(message, region=region.id[:_MOST_ID] or str(number), field=field, value=_short(str(value)))


def _named(region: Region, number: int) -> str:
    return f"region {_shown(region.id)}" if region.id else f"region number {number}"


def _shown(value: object) -> str:
    """A value within a message: short, text in quotes."""
    return f"{value:g}" if isinstance(value, float) else _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
