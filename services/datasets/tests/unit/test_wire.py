"""Domain to protobuf and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from relearn.datasets.v1 import dataset_version_pb2
from relearn.monitoring.v1 import flag_pb2
from relearn.registry.v1 import project_pb2
from relearn.registry.v1.project_pb2 import DatasetsPolicy, LabelSet, Project
from relearn_datasets import wire
from relearn_datasets.domain.samples import Draw, Stream, Use
from relearn_media import Modality
from relearn_runtime.errors import InvalidInput


def test_every_use_has_its_number_and_every_number_its_use():
    assert set(wire.USES) == {None, *Use}
    assert sorted(wire.USES.values()) == sorted(dataset_version_pb2.Use.values())


def test_every_stream_has_its_number_and_every_number_its_stream():
    assert set(wire.STREAMS) == set(Stream)
    assert sorted(wire.STREAMS.values()) == sorted(flag_pb2.Stream.values())


def test_every_input_kind_has_its_modality_and_every_modality_its_input_kind():
    assert set(wire.MODALITIES) == set(project_pb2.InputKind.values())
    assert set(wire.MODALITIES.values()) == set(Modality)
    assert wire.policy(Project(input_kind=99)).modality is Modality.IMAGE


@pytest.mark.parametrize(
    ("kinds", "multi_label", "expected"),
    [
        ([], False, (True, True)),
        ([project_pb2.REGION_KIND_WHOLE], False, (True, True)),
        ([], True, (True, False)),
        ([project_pb2.REGION_KIND_WHOLE, project_pb2.REGION_KIND_BOX], False, (True, False)),
        ([project_pb2.REGION_KIND_SPAN], False, (False, False)),
    ],
)
def test_a_label_set_says_what_labels_are_made_of(kinds, multi_label, expected):
    label_set = LabelSet(version=1, region_kinds=kinds, multi_label=multi_label)

    found = wire.policy(Project(project_id="clothes", label_set=label_set)).label_set

    assert (found.whole, found.one_class) == expected


def test_a_stream_of_tomorrow_is_no_draw_yet():
    assert wire.draw(99, 0.5) is None
    assert wire.draw(flag_pb2.STREAM_AUDIT, 0.5) == Draw(stream=Stream.AUDIT, probability=0.5)


@pytest.mark.parametrize("probability", [None, 0.0, -0.1, 1.01, float("nan")])
def test_a_pick_has_a_probability(probability):
    with pytest.raises(InvalidInput, match="probability"):
        wire.draw(flag_pb2.STREAM_AUDIT, probability)


def test_a_policy_that_is_left_out_has_the_defaults_of_the_contract():
    found = wire.policy(Project(project_id="clothes", label_set=LabelSet(version=1, classes=["boot", "bag"])))

    assert (found.commit.labels, found.commit.after) == (50, timedelta(seconds=30))
    assert (found.shares.validation, found.shares.test) == (0.25, 0)
    assert found.label_set.classes == {"boot", "bag"}


def test_a_policy_is_what_the_project_says():
    policy = DatasetsPolicy(commit_labels=7, validation_share=0.5, test_share=0.125)
    policy.commit_after.FromMilliseconds(1500)

    found = wire.policy(Project(project_id="clothes", datasets=policy))

    assert (found.commit.labels, found.commit.after) == (7, timedelta(seconds=1.5))
    assert (found.shares.validation, found.shares.test) == (0.5, 0.125)
