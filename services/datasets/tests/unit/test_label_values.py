"""What a label says, in one form."""

from __future__ import annotations

import random

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from relearn.labeling.v1 import region_pb2
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.region_pb2 import Attribute, Box, Keyframe, Point, Polygon, Segment, Span, Track
from relearn_datasets.domain.errors import UnsupportedLabel
from relearn_datasets.domain.values import LabelValue, one_class
from relearn_datasets.label_values import label_regions, label_value

BOX = Box(x=1, y=2, width=3, height=4)
PARTS: dict[str, Message] = {
    "whole": Whole(),
    "box": BOX,
    "polygon": Polygon(points=[Point(x=1, y=2), Point(x=3, y=2), Point(x=3, y=5)]),
    "track": Track(keyframes=[Keyframe(frame=1, box=BOX), Keyframe(frame=9, box=BOX, hidden=True)]),
    "span": Span(start=3, end=9),
    "segment": Segment(start_s=0, end_s=2.5),
}


def region(kind: str, label: str = "boot", **more) -> Region:
    return Region(label=label, **{kind: PARTS[kind]}, **more)


def whole(label: str, **more) -> Region:
    return region("whole", label, **more)


def test_every_part_of_the_contract_is_known():
    assert set(PARTS) == {field.name for field in Region.DESCRIPTOR.oneofs_by_name["part"].fields}


def test_one_class_for_the_whole_sample_is_the_class_and_nothing_more():
    said = whole("boot", region_id="r", origin=region_pb2.REGION_ORIGIN_DRAWN, score=0.5, model_version_id="m")

    assert label_value([said]) == one_class("boot")
    assert list(label_regions(one_class("boot")).regions) == [whole("boot")]


@pytest.mark.parametrize("more", [{"transcript": "a boot"}, {"attributes": [Attribute(name="worn", value="yes")]}])
def test_what_else_is_said_of_the_whole_sample_is_kept_beside_its_class(more):
    value = label_value([whole("boot", **more)])

    assert value.class_name == "boot"
    assert list(label_regions(value).regions) == [whole("boot", **more)]


@pytest.mark.parametrize("kind", sorted(set(PARTS) - {"whole"}))
def test_a_part_of_a_sample_is_kept_as_it_is(kind):
    value = label_value([region(kind)])

    assert value.class_name is None
    assert list(label_regions(value).regions) == [region(kind)]


def test_several_classes_and_none_are_labels():
    several, none = label_value([whole("boot"), whole("bag")]), label_value([])

    assert several.class_name is none.class_name is None
    assert {one.label for one in label_regions(several).regions} == {"boot", "bag"}
    assert none == LabelValue(class_name=None, regions=b"")
    assert list(label_regions(none).regions) == []
    assert label_regions(None) is None


REGIONS = st.lists(
    st.builds(
        region,
        st.sampled_from(sorted(PARTS)),
        st.sampled_from(["boot", "bag"]),
        transcript=st.sampled_from(["", "said"]),
        attributes=st.dictionaries(st.sampled_from("abc"), st.text(max_size=3)).map(
            lambda found: [Attribute(name=name, value=value) for name, value in found.items()]
        ),
    ),
    max_size=5,
)


@given(REGIONS, st.randoms(use_true_random=False))
def test_order_and_how_a_label_came_to_be_do_not_matter(regions, draw):
    other = [Region.FromString(one.SerializeToString()) for one in draw.sample(regions, len(regions))]
    for number, one in enumerate(other):
        attributes = list(one.attributes)
        draw.shuffle(attributes)
        del one.attributes[:]
        one.attributes.extend(attributes)
        one.region_id, one.origin, one.model_version_id = str(number), region_pb2.REGION_ORIGIN_EDITED, "m"
        one.score = draw.random()

    assert label_value(other) == label_value(regions)
    assert label_value(label_regions(label_value(regions)).regions) == label_value(regions)


@given(REGIONS.filter(bool), st.integers())
def test_whatever_is_said_matters(regions, seed):
    other = [Region.FromString(one.SerializeToString()) for one in regions]
    random.Random(seed).choice(other).transcript += "!"

    assert label_value(other) != label_value(regions)
    assert label_value([*regions, regions[0]]) != label_value(regions)


def test_zero_has_no_sign():
    box, other = Box(x=0.0, y=1, width=1, height=1), Box(x=-0.0, y=1, width=1, height=1)
    track, tracked = (Track(keyframes=[Keyframe(frame=0, box=one)]) for one in (box, other))

    assert label_value([Region(label="a", box=other)]) == label_value([Region(label="a", box=box)])
    assert label_value([Region(label="a", track=tracked)]) == label_value([Region(label="a", track=track)])


def test_a_part_of_tomorrow_is_refused():
    with pytest.raises(UnsupportedLabel):
        label_value([Region(label="boot")])
