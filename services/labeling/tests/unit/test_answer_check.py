"""Answers that a label set asks for, and those that it doesn't."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from labeling_values import LABEL_SET, whole
from region_strategies import REGIONS, answers

from relearn_labeling.domain.answer_check import MOST_ANSWER_BYTES, MOST_REGIONS, check_regions
from relearn_labeling.domain.errors import InvalidRegion, NoRegion, NotInLabelSet, TooManyRegions
from relearn_labeling.domain.regions import (
    AttributeSpec,
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
    Whole,
)

UNIT = Box(x=0, y=0, width=1, height=1)
CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
MULTI = replace(LABEL_SET, multi_label=True)
SPEECH = LabelSet(
    version=1,
    classes=("speech", "noise"),
    kinds=frozenset({RegionKind.WHOLE, RegionKind.SEGMENT}),
    transcripts=True,
    attributes=(
        AttributeSpec(name="speaker", values=("a", "b"), classes=("speech",), required=True),
        AttributeSpec(name="note"),
    ),
)


def region(part: Part = UNIT, class_name: str = "car", **more) -> Region:
    return Region(part=part, class_name=class_name, **{"id": "r1", **more})


def track(*frames: int, box: Box = UNIT) -> Track:
    return Track(keyframes=tuple(Keyframe(frame=frame, box=box) for frame in frames))


def refusal(*regions: Region, label_set: LabelSet = REGIONS) -> InvalidRegion:
    with pytest.raises(InvalidRegion) as refused:
        check_regions(regions, label_set)
    return refused.value


@given(answers())
def test_any_regions_within_the_label_set_are_an_answer(regions: tuple[Region, ...]):
    assert check_regions(regions, REGIONS) == regions


def test_nothing_found_is_an_answer_where_no_class_of_the_sample_is_asked_for():
    assert check_regions((), REGIONS) == ()
    assert check_regions((), MULTI) == ()


def test_attributes_are_kept_by_name():
    (kept,) = check_regions((region(attributes=(("note", "x"), ("colour", "red"))),), REGIONS)

    assert kept.attributes == (("colour", "red"), ("note", "x"))


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (replace(UNIT, x=-1), "box.x"),
        (replace(UNIT, y=math.nan), "box.y"),
        (replace(UNIT, x=math.inf), "box.x"),
        (replace(UNIT, x=1e300), "box.x"),
        (replace(UNIT, width=0), "box.width"),
        (replace(UNIT, width=-3), "box.width"),
        (replace(UNIT, height=math.nan), "box.height"),
        (replace(UNIT, height=math.inf), "box.height"),
        (Polygon(points=CORNERS[:2]), "polygon.points"),
        (Polygon(points=CORNERS * 334), "polygon.points"),
        (Polygon(points=(*CORNERS, (math.nan, 0))), "polygon.points[3].x"),
        (Polygon(points=(*CORNERS, (0, -math.inf))), "polygon.points[3].y"),
        (track(), "track.keyframes"),
        (track(*range(10_001)), "track.keyframes"),
        (track(-1), "track.keyframes[0].frame"),
        (track(0, 5, 5), "track.keyframes[2].frame"),
        (track(0, box=replace(UNIT, width=math.nan)), "track.keyframes[0].box.width"),
        (Span(start=-1, end=3), "span"),
        (Span(start=3, end=3), "span"),
        (Segment(start_s=-0.5, end_s=1), "segment.start_s"),
        (Segment(start_s=1, end_s=math.inf), "segment.end_s"),
        (Segment(start_s=math.nan, end_s=1), "segment.start_s"),
        (Segment(start_s=2, end_s=1), "segment"),
    ],
)
def test_a_place_that_can_not_be_is_refused_by_region_and_field(part: Part, field: str):
    refused = refusal(region(), region(part, id="odd"))

    assert (refused.metadata["region"], refused.metadata["field"]) == ("odd", field)
    assert str(refused).startswith(f"region 'odd': {field} ")


def test_a_message_shows_the_value_and_what_it_must_be():
    assert str(refusal(region(replace(UNIT, width=-3)))) == (
        "region 'r1': box.width must be more than 0, at most 1,000,000; it is -3"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "region_id"),
        ({"id": "x" * 65}, "region_id"),
        ({"id": "a\nb"}, "region_id"),
        ({"transcript": "x" * 100_001}, "transcript"),
        ({"transcript": "a\0"}, "transcript"),
        ({"score": math.nan}, "score"),
        ({"score": 1.5}, "score"),
        ({"score": -math.inf}, "score"),
        ({"model_version_id": "x" * 201}, "model_version_id"),
        ({"attributes": (("shape", "round"),)}, "attributes"),
        ({"attributes": (("note", "x"),), "class_name": "van"}, "attributes"),
        ({"attributes": (("colour", "green"),)}, "attributes.colour"),
        ({"attributes": (("colour", "red"), ("colour", "blue"))}, "attributes.colour"),
        ({"attributes": (("note", "x" * 1001),)}, "attributes.note"),
        ({"attributes": (("note", "\0"),)}, "attributes.note"),
    ],
)
def test_what_is_said_of_a_region_must_be_asked_for_and_fit(change: dict[str, object], field: str):
    assert refusal(replace(region(), **change)).metadata["field"] == field


def test_markup_is_text_like_any_other():
    said = region(attributes=(("note", "<script>alert(1)</script>"),), transcript="<img src=x onerror=y>", id="<b>")

    assert check_regions((said,), REGIONS) == (said,)


def test_a_value_that_is_too_long_to_show_is_cut():
    refused = refusal(region(attributes=(("colour", "x" * 10_000),)))

    assert len(str(refused)) < 300
    assert len(refused.metadata["value"]) < 150


def test_a_kind_that_the_project_does_not_ask_for_is_refused():
    refused = refusal(region(track(0)), label_set=replace(REGIONS, kinds=frozenset({RegionKind.BOX})))

    assert "none of the project's region kinds: box" in str(refused)


def test_a_class_of_another_project_is_refused_with_the_label_set_it_is_missing_in():
    with pytest.raises(NotInLabelSet, match="'hat' is no class of label set 3") as refused:
        check_regions((region(class_name="hat"),), REGIONS)
    assert refused.value.metadata == {"label": "hat", "label_set_version": "3"}


def test_two_regions_of_one_name_are_refused():
    assert refusal(region(), region()).metadata == {"region": "r1", "field": "region_id", "value": "r1"}


def test_a_sample_with_exactly_one_class_has_one():
    assert check_regions((whole("boot"),), LABEL_SET) == (whole("boot"),)
    with pytest.raises(NoRegion):
        check_regions((), LABEL_SET)
    with pytest.raises(TooManyRegions):
        check_regions((whole("boot"), whole("bag")), LABEL_SET)
    assert refusal(whole("boot", id="r1"), label_set=LABEL_SET).metadata["field"] == "region_id"


def test_a_sample_with_several_classes_has_each_once():
    assert len(check_regions((whole("boot"), whole("bag")), MULTI)) == 2
    assert refusal(whole("boot"), whole("boot"), label_set=MULTI).metadata["value"] == "boot"


def test_regions_beside_the_class_of_the_sample():
    spoken = Segment(start_s=0, end_s=1.5)
    said = region(spoken, "speech", transcript="hello", attributes=(("speaker", "a"),))

    assert len(check_regions((whole("noise"), said), SPEECH)) == 2
    with pytest.raises(NoRegion):
        check_regions((said,), SPEECH)


@pytest.mark.parametrize("attributes", [(), (("note", "x"),), (("speaker", ""),)])
def test_a_required_attribute_must_be_said(attributes: tuple[tuple[str, str], ...]):
    said = region(Segment(start_s=0, end_s=1), "speech", attributes=attributes)

    assert refusal(whole("noise"), said, label_set=SPEECH).metadata["field"] == "attributes.speaker"


def test_transcripts_are_refused_where_nobody_asks_for_them():
    assert refusal(region(transcript="hi"), label_set=replace(REGIONS, transcripts=False)).metadata["value"] == "hi"


def test_an_answer_has_a_bounded_number_of_regions_and_bytes():
    many = tuple(region(id=str(i)) for i in range(MOST_REGIONS))
    check_regions(many, REGIONS)

    with pytest.raises(TooManyRegions, match="at most 5000 regions, got 5001"):
        check_regions((*many, region(id="one more")), REGIONS)
    long = tuple(region(id=str(i), transcript="ü" * 100_000) for i in range(MOST_ANSWER_BYTES // 200_000 + 1))
    assert refusal(*long).metadata["field"] == "regions"


def test_the_longest_track_and_the_fullest_picture_fit():
    check_regions((region(track(*range(10_000))),), REGIONS)
    check_regions(tuple(region(Polygon(points=CORNERS * 333), id=str(i)) for i in range(25)), REGIONS)


def test_the_sample_itself_is_refused_where_only_parts_are_asked_for():
    assert refusal(Region(part=Whole(), class_name="car")).metadata["field"] == "part"
