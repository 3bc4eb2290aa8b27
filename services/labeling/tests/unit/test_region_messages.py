"""Regions to protobuf and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from labeling_values import whole
from region_strategies import REGIONS, answers

from relearn.labeling.v1 import label_task_pb2 as task_pb
from relearn.labeling.v1 import region_pb2 as pb
from relearn.registry.v1 import project_pb2
from relearn_labeling import region_messages
from relearn_labeling.domain.errors import NoRegion
from relearn_labeling.domain.regions import AttributeSpec, LabelSet, Origin, Region, RegionKind, size_bytes


@given(answers())
def test_any_regions_survive_the_wire_and_the_store_and_are_no_larger_than_said(regions: tuple[Region, ...]):
    assert region_messages.regions(region_messages.messages(regions)) == regions
    assert region_messages.of_content(region_messages.content(regions)) == regions
    assert len(region_messages.content(regions)) <= size_bytes(regions)


def test_the_sample_itself_survives_and_so_does_nothing():
    assert region_messages.of_content(region_messages.content((whole("boot"),))) == (whole("boot"),)
    assert region_messages.of_content(region_messages.content(())) == ()


def test_tables_are_total_in_both_directions():
    assert set(region_messages.KINDS) == set(project_pb2.RegionKind.values()) - {project_pb2.REGION_KIND_UNSPECIFIED}
    assert set(region_messages.KINDS.values()) == set(RegionKind)
    assert set(region_messages.ORIGINS) == set(Origin)
    assert set(region_messages.ORIGINS.values()) == set(pb.RegionOrigin.values())


def test_a_region_without_a_part_is_refused_and_an_origin_of_tomorrow_is_not():
    with pytest.raises(NoRegion, match="region number 1"):
        region_messages.regions([task_pb.Region(whole=task_pb.Whole()), task_pb.Region(label="boot")])
    (known,) = region_messages.regions([task_pb.Region(whole=task_pb.Whole(), origin=99)])
    assert known.origin is Origin.UNKNOWN


def test_a_label_set_comes_whole_and_asks_for_the_sample_where_it_names_no_kind():
    message = project_pb2.LabelSet(version=2, classes=["a"], region_kinds=[project_pb2.REGION_KIND_BOX, 99])
    message.attributes.add(name="colour", values=["red"], classes=["a"], required=True)

    assert region_messages.label_set(message) == LabelSet(
        version=2,
        classes=("a",),
        kinds=frozenset({RegionKind.BOX}),
        attributes=(AttributeSpec(name="colour", values=("red",), classes=("a",), required=True),),
    )
    assert region_messages.label_set(project_pb2.LabelSet(classes=["a", "b"])).kinds == {RegionKind.WHOLE}
    assert REGIONS.kinds | {RegionKind.WHOLE} == set(RegionKind)
