"""What an answer is made of: regions. Coordinates are in units of the media, never of a screen.

Pixels of the upright picture, frames of the video, seconds from the start, UTF-16 code units of the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

_HEAD_BYTES: Final = 24  # of a region without its place and words: tags and lengths of its fields, its origin


class RegionKind(StrEnum):
    """A kind of part that a label set may ask for."""

    WHOLE = "whole"
    BOX = "box"
    POLYGON = "polygon"
    TRACK = "track"
    SPAN = "span"
    SEGMENT = "segment"


class Origin(StrEnum):
    """How a region came to be; see RegionOrigin in the contract."""

    UNKNOWN = "unknown"
    DRAWN = "drawn"
    ACCEPTED = "accepted"
    EDITED = "edited"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The sample itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright rectangle in pixels; x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A closed outline, (x, y) in pixels; the last point joins the first."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """Where a tracked thing is in one frame; `hidden` until the next keyframe that is not."""

    frame: int
    box: Box
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One thing through a video; between two keyframes its box moves linearly."""

    keyframes: tuple[Keyframe, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of text, [start, end) in UTF-16 code units."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of audio or video, in seconds from the start."""

    start_s: float
    end_s: float


Part: TypeAlias = Whole | Box | Polygon | Track | Span | Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part of a sample, and what it is.

    Attributes:
        id: its name within the annotation; empty for the sample itself.
        transcript: what is said or written in it; empty where the label set asks for none.
        attributes: (name, value), by name.
        model_version_id: the version that suggested it; empty for one that an annotator made.
        score: how sure that version was, 0..1.
    """

    part: Part
    class_name: str
    id: str = ""
    transcript: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    origin: Origin = Origin.UNKNOWN
    model_version_id: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSpec:
    """One thing to say of a region beside its class; see the contract's message of the same name."""

    name: str
    values: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """What an answer may say."""

    version: int
    classes: tuple[str, ...]
    kinds: frozenset[RegionKind] = frozenset({RegionKind.WHOLE})
    multi_label: bool = False
    transcripts: bool = False
    attributes: tuple[AttributeSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How large a sample is, so that a region can be seen to lie within it; None for what its kind does not have."""

    width: int | None = None
    height: int | None = None
    frames: int | None = None
    seconds: float | None = None
    code_units: int | None = None


def kind_of(part: Part) -> RegionKind:
    """The kind of a part."""
    return RegionKind(type(part).__name__.lower())


def statements(regions: Iterable[Region]) -> Counter[tuple[object, ...]]:
    """What regions say, in no order: not how they are named, how they came to be, or who suggested them."""
    return Counter((region.part, region.class_name, region.transcript, region.attributes) for region in regions)


def classes_of(regions: Iterable[Region]) -> tuple[str, ...]:
    """The classes that regions name, each once, in the order of first appearance."""
    return tuple(dict.fromkeys(region.class_name for region in regions))


def size_bytes(regions: Iterable[Region]) -> int:
    """At most how many bytes regions take in an event."""
    return sum(_HEAD_BYTES + _part_bytes(region.part) + _words_bytes(region) for region in regions)


def _part_bytes(part: Part) -> int:
    match part:
        case Polygon(points=points):
            return 20 * len(points)
        case Track(keyframes=keyframes):
            return 48 * len(keyframes)
        case _:
            return 36  # a box is the largest of the others


def _words_bytes(region: Region) -> int:
    words = (region.class_name, region.id, region.transcript, region.model_version_id)
    said = sum(len(word.encode()) for word in words) + (0 if region.score is None else 9)
    return said + sum(len(f"{name}{value}".encode()) + 10 for name, value in region.attributes)
