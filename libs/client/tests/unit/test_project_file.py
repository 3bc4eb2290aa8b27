"""Project files: what is accepted, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from relearn.registry.v1 import project_pb2 as pb
from relearn_client import InvalidInput, project_file

SMALL = {"project_id": "fruit", "input_kind": "image", "label_set": {"classes": ["apple", "pear"]}}


def problems(content: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        project_file.parse(content)
    assert caught.value.reason == "INVALID_PROJECT"
    return caught.value.metadata


def test_a_small_file_is_a_project(tmp_path: Path):
    file = tmp_path / "fruit.yaml"
    file.write_text(yaml.safe_dump(SMALL))

    project = project_file.read(file)

    assert (project.project_id, project.input_kind) == ("fruit", pb.INPUT_KIND_IMAGE)
    assert list(project.label_set.classes) == ["apple", "pear"]


@pytest.mark.parametrize(
    ("policy", "value", "field", "expected"),
    [
        ("promotion", {"approval": "manual"}, "approval", pb.PromotionPolicy.APPROVAL_MANUAL),
        ("promotion", {"requirement": "not-worse"}, "requirement", pb.PromotionPolicy.REQUIREMENT_NOT_WORSE),
        ("promotion", {"requirement": "Better"}, "requirement", pb.PromotionPolicy.REQUIREMENT_BETTER),
        ("promotion", {"first_margin": 0}, "first_margin", 0.0),
        ("training", {"families": ["plain-cnn"]}, "families", ["plain-cnn"]),
        ("rollout", {"canary_percent": [10, 100]}, "canary_percent", [10, 100]),
    ],
)
def test_names_are_short_and_values_are_kept(policy, value, field, expected):
    project = project_file.parse({**SMALL, policy: value})

    assert getattr(getattr(project, policy), field) == expected


def test_a_label_set_names_kinds_and_attributes():
    attributes = [{"name": "state", "values": ["new", "worn"], "required": True}, {"name": "note", "classes": ["pear"]}]
    label_set = {"classes": ["apple", "pear"], "region_kinds": ["box", "polygon"], "attributes": attributes}

    project = project_file.parse({**SMALL, "label_set": label_set, "labeling": {"truth": "dawid-skene"}})

    assert list(project.label_set.region_kinds) == [pb.REGION_KIND_BOX, pb.REGION_KIND_POLYGON]
    assert list(project.label_set.attributes[0].values) == ["new", "worn"]
    assert project.labeling.truth == pb.TRUTH_DAWID_SKENE
    assert project_file.shown(project)["label_set"] == label_set


def test_the_metric_has_a_short_name():
    assert project_file.parse({**SMALL, "metric": "accuracy"}).metric == pb.METRIC_ACCURACY


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("24h", 86400), ("2d", 172800), ("1.5h", 5400), ("250ms", 0.25)]
)
def test_durations_have_units(text: str, seconds: float):
    project = project_file.parse({**SMALL, "labeling": {"lease": text}})

    assert project.labeling.lease.ToTimedelta().total_seconds() == seconds


@pytest.mark.parametrize("wrong", [30, "30", "1h30m", "soon", "-5s", True, None, ["5s"]])
def test_what_is_no_duration_is_refused(wrong: object):
    assert list(problems({**SMALL, "labeling": {"lease": wrong}})) == ["labeling.lease"]


def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_known_one():
    found = problems({**SMALL, "training": {"epoch": 3}, "labelling": {}})

    assert found["training.epoch"] == "is unknown; did you mean epochs?"
    assert found["labelling"] == "is unknown; did you mean labeling?"


@pytest.mark.parametrize(
    ("content", "path", "message"),
    [
        ({"training": {"epochs": "ten"}}, "training.epochs", "must be a whole number, got 'ten'"),
        ({"training": {"epochs": 2.5}}, "training.epochs", "must be a whole number, got 2.5"),
        ({"training": {"epochs": True}}, "training.epochs", "must be a whole number, got yes/no"),
        ({"training": {"epochs": 2**40}}, "training.epochs", f"is out of range: {2**40}"),
        ({"monitoring": {"margin": 10**400}}, "monitoring.margin", "is out of range"),
        ({"labeling": {"lease": "9" * 400 + "d"}}, "labeling.lease", "is out of range"),
        ({"labeling": {"lease": "99999999999d"}}, "labeling.lease", "is out of range"),
        ({"training": {"new_share": "half"}}, "training.new_share", "must be a number, got 'half'"),
        ({"training": {"families": "plain-cnn"}}, "training.families", "must be a list, got 'plain-cnn'"),
        ({"training": 3}, "training", "must be a mapping of fields, got 3"),
        ({"input_kind": "sound"}, "input_kind", "must be one of image, text, audio, video, got 'sound'"),
        ({"input_kind": 1}, "input_kind", "must be one of image, text, audio, video, got 1"),
        ({"promotion": {"approval": "x"}}, "promotion.approval", "must be one of automatic, manual, got 'x'"),
        ({"project_id": 7}, "project_id", "must be text, got 7: put it in quotes"),
        ({"label_set": {"classes": ["a", False]}}, "label_set.classes[1]", "must be text, got yes/no: put it in quotes"),  # noqa: E501
        ({"label_set": {"multi_label": "yes"}}, "label_set.multi_label", "must be true or false, got 'yes'"),
        ({"label_set": {"region_kinds": ["box", "bix"]}}, "label_set.region_kinds[1]", "must be one of whole, box, polygon, track, span, segment, got 'bix'"),  # noqa: E501
        ({"label_set": {"attributes": [{"name": "a"}, {"nam": "b"}]}}, "label_set.attributes[1].nam", "is unknown; did you mean name?"),  # noqa: E501
        ({"label_set": {"attributes": ["colour"]}}, "label_set.attributes[0]", "must be a mapping of fields, got 'colour'"),  # noqa: E501
        ({"label_set": {"attributes": [{"values": [1]}]}}, "label_set.attributes[0].values[0]", "must be text, got 1: put it in quotes"),  # noqa: E501
        ({"label_set": {"version": 2}}, "label_set.version", "is set by the registry; leave it out"),
        ({"revision": 2}, "revision", "is set by the registry; leave it out"),
        ({"monitoring": {"margin": None}}, "monitoring.margin", "has no value; leave it out to get its default"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_the_path_of_its_field(content, path, message):
    assert problems({**SMALL, **content})[path] == message


def test_all_problems_are_told_at_once():
    with pytest.raises(InvalidInput) as caught:
        project_file.parse({**SMALL, "training": {"epoch": 1, "trials": "x"}})

    lines = str(caught.value).splitlines()
    assert lines[1:] == [
        "  training.epoch: is unknown; did you mean epochs?",
        "  training.trials: must be a whole number, got 'x'",
    ]


@pytest.mark.parametrize("content", [None, [], "fruit", 3])
def test_a_file_that_is_no_mapping_is_refused(content: object):
    assert "" in problems(content)


def test_a_project_needs_a_name():
    assert "project_id" in problems({"input_kind": "image"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "INVALID_PROJECT"),
        ("a: 1\na: 2", "INVALID_PROJECT"),
        (b"\xff\xfe\x00\x9f", "INVALID_PROJECT"),
        (None, "NO_FILE"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, text: str | bytes | None, reason: str):
    file = tmp_path / "p.yaml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(InvalidInput, match=r"p\.yaml") as caught:
        project_file.read(file)

    assert caught.value.reason == reason


@given(
    st.fixed_dictionaries(
        {"project_id": st.just("fruit")},
        optional={
            "metric": st.just("accuracy"),
            "labeling": st.fixed_dictionaries(
                {}, optional={"overlap_audit": st.integers(0, 99), "lease": st.sampled_from(["1s", "90s", "2m", "1d"])}
            ),
            "rollout": st.fixed_dictionaries(
                {}, optional={"canary_percent": st.lists(st.integers(1, 100), min_size=1)}
            ),
        },
    )
)
def test_what_is_shown_of_a_project_makes_the_same_project(content):
    project = project_file.parse(content)

    assert project_file.parse(project_file.shown(project)) == project


def test_what_a_newer_registry_says_is_shown_as_unknown():
    assert project_file.shown(pb.Project(project_id="fruit", metric=77))["metric"] == "unknown"
