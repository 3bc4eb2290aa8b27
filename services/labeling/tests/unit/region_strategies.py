"""Any region that a label set may ask for, and any answer of them."""

from __future__ import annotations

from hypothesis import strategies as st

from relearn_labeling.domain.answer_check import MOST_COORDINATE
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
)

CLASSES = ("car", "van", "<b>bus</b>")
REGIONS = LabelSet(
    version=3,
    classes=CLASSES,
    kinds=frozenset(RegionKind) - {RegionKind.WHOLE},
    transcripts=True,
    attributes=(
        AttributeSpec(name="colour", values=("red", "blue")),
        AttributeSpec(name="note", classes=("car",)),
    ),
)

_places = st.floats(0, MOST_COORDINATE)
_lengths = st.floats(0, MOST_COORDINATE, exclude_min=True)
_boxes = st.builds(Box, x=_places, y=_places, width=_lengths, height=_lengths)
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@st.composite
def _tracks(draw: st.DrawFn) -> Track:
    frames = sorted(draw(st.sets(st.integers(0, 2**31 - 1), min_size=1, max_size=4)))
    return Track(keyframes=tuple(Keyframe(frame=f, box=draw(_boxes), hidden=draw(st.booleans())) for f in frames))


@st.composite
def _segments(draw: st.DrawFn) -> Segment:
    start_s, end_s = sorted(draw(st.lists(_places, min_size=2, max_size=2, unique=True)))
    return Segment(start_s=start_s, end_s=end_s)


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    start, end = sorted(draw(st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=2, unique=True)))
    return Span(start=start, end=end)


_polygons = st.builds(Polygon, points=st.lists(st.tuples(_places, _places), min_size=3, max_size=6).map(tuple))
parts: st.SearchStrategy[Part] = st.one_of(_boxes, _polygons, _tracks(), _spans(), _segments())


@st.composite
def _attributes(draw: st.DrawFn, class_name: str) -> tuple[tuple[str, str], ...]:
    said = {"colour": draw(st.sampled_from(["red", "blue"]))} if draw(st.booleans()) else {}
    if class_name == "car" and draw(st.booleans()):
        said["note"] = draw(_text)
    return tuple(sorted(said.items()))


@st.composite
def _region(draw: st.DrawFn, id: str) -> Region:
    class_name = draw(st.sampled_from(CLASSES))
    return Region(
        part=draw(parts),
        class_name=class_name,
        id=id,
        transcript=draw(_text),
        attributes=draw(_attributes(class_name)),
        origin=draw(st.sampled_from(Origin)),
        model_version_id=draw(st.sampled_from(["", "cars/model/7"])),
        score=draw(st.none() | st.floats(0, 1)),
    )


@st.composite
def answers(draw: st.DrawFn) -> tuple[Region, ...]:
    """Regions of any kind but the sample itself, as REGIONS allows them."""
    printable = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=64)
    ids = draw(st.lists(printable, unique=True, max_size=5))
    return tuple(draw(_region(id)) for id in ids)
