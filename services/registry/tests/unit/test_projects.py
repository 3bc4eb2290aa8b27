"""What a project may be: every number, every path, and what a change does."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relearn.registry.v1 import project_pb2 as pb
from relearn_registry.domain.label_sets import LabelSet
from relearn_registry.domain.project_rules import LISTS, PATHS, RULES, Choice, Number
from relearn_registry.domain.projects import (
    InvalidProject,
    LabelSetFixed,
    ProjectState,
    Proposal,
    ReasonMissing,
    apply,
    moved_to,
)
from relearn_registry.wire import projects as wire

CLOTHES = LabelSet(classes=("coat", "shirt"))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROTO = Path(__file__).parents[4] / "proto/relearn/registry/v1/project.proto"
POLICIES = ("datasets", "labeling", "training", "promotion", "rollout", "monitoring")


def proposal(**values):
    paths = {path.replace("__", "."): value for path, value in values.items()}
    return Proposal(project_id="fashion", input_kind="IMAGE", label_set=CLOTHES, values=paths)


def problems_of(wanted):
    with pytest.raises(InvalidProject) as refused:
        apply(None, wanted, now=NOW)
    return refused.value.metadata


def leaf_paths(descriptor, prefix=""):
    for field in descriptor.fields:
        nested = field.message_type
        if nested is not None and nested.full_name.startswith("relearn."):
            yield from leaf_paths(nested, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"


def test_every_field_of_every_policy_has_a_rule():
    fields = pb.Project.DESCRIPTOR.fields_by_name
    named = {path for policy in POLICIES for path in leaf_paths(fields[policy].message_type, f"{policy}.")}

    assert named | {"metric"} == PATHS


def test_defaults_are_those_that_the_contract_names():
    units = {"s": 1, "min": 60, "h": 3600}
    said: dict[tuple[str, str], float] = {}
    message, comment = "", ""
    for line in PROTO.read_text().splitlines():
        if opened := re.match(r"message (\w+)", line):
            message, comment = opened[1], ""
        elif line.strip().startswith("//"):
            comment += line.strip()[2:]
        elif field := re.match(r"\s+(?:optional )?[\w.]+ (\w+) = \d+;", line):
            default = re.search(r"Default (\d+(?:\.\d+)?)(?: (s|min|h))?\.?(?:\s|$)", comment)
            if default:
                number = float(default[1].rstrip("."))
                said[message, field[1]] = number * units.get(default[2], 1)
            comment = ""

    owners = {policy: pb.Project.DESCRIPTOR.fields_by_name[policy].message_type.name for policy in POLICIES}
    ours = {
        (owners[rule.path.split(".")[0]], rule.path.split(".")[1]): rule.default
        for rule in RULES
        if isinstance(rule, Number) and rule.default is not None
    }
    assert said == ours


def test_an_empty_policy_is_applied_with_its_defaults_shown():
    applied = apply(None, proposal(), now=NOW)

    shown = wire.project(applied)
    assert applied.revision == 1
    assert shown.training.trials == 4
    assert shown.promotion.requirement == pb.PromotionPolicy.REQUIREMENT_BETTER
    assert shown.labeling.lease.seconds == 120
    assert list(shown.rollout.canary_percent) == [1, 5, 25, 50, 100]
    assert not shown.training.HasField("image_size")
    assert wire.applied_project(shown) == applied


def test_a_project_survives_the_wire_with_every_field_set():
    message = wire.project(apply(None, proposal(), now=NOW))
    message.training.image_size.CopyFrom(pb.ImageSize(height=28, width=28, channels=1))
    message.promotion.approval = pb.PromotionPolicy.APPROVAL_MANUAL
    message.datasets.commit_after.FromNanoseconds(1_500_000_000)
    message.state = pb.Project.STATE_PAUSED

    assert wire.project(wire.applied_project(message)) == message


def test_all_problems_come_at_once_each_with_its_path():
    wanted = Proposal(
        project_id="Fashion!",
        input_kind="left out",
        label_set=LabelSet(classes=("coat", " ", "coat", "x" * 101, "a\0b", "a\nb")),
        values={
            "training.trials": 0,
            "labeling.lease": 0.5,
            "promotion.requirement": "number 9",
            "rollout.canary_percent": (5, 5, 90),
            "training.families": ("plain-cnn", "alexnet"),
            "datasets.validation_share": 0.6,
            "datasets.test_share": 0.5,
            "training.image_size.height": 28,
            "training.image_size.width": 28,
            "monitoring.margin": float("nan"),
        },
    )

    found = problems_of(wanted)

    assert set(found) == {
        "project_id",
        "input_kind",
        "label_set.classes[1]",
        "label_set.classes[2]",
        "label_set.classes[3]",
        "label_set.classes[4]",
        "label_set.classes[5]",
        "training.trials",
        "labeling.lease",
        "promotion.requirement",
        "rollout.canary_percent",
        "rollout.canary_percent[1]",
        "training.families[1]",
        "datasets.test_share",
        "training.image_size.channels",
        "monitoring.margin",
    }
    assert found["training.trials"] == "must be 1 to 100, is 0"


def test_of_many_problems_the_first_are_told_and_the_others_counted():
    wanted = Proposal(project_id="fashion", input_kind="IMAGE", label_set=LabelSet(classes=("coat",) * 201), values={})

    with pytest.raises(InvalidProject, match=r"and 180 more$") as refused:
        apply(None, wanted, now=NOW)

    assert list(refused.value.metadata) == [f"label_set.classes[{i}]" for i in range(1, 21)]


def test_the_message_lists_every_path():
    with pytest.raises(InvalidProject, match=r"training\.epochs: .*; training\.trials: "):
        apply(None, proposal(training__trials=101, training__epochs=0), now=NOW)


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, Number)], ids=lambda rule: rule.path)
def test_a_number_outside_of_its_range_is_refused_at_its_path(rule):
    whole = isinstance(rule.low, int)
    below, above = rule.low - (1 if whole else 0.001), rule.high + (1 if whole else 0.001)

    for value in (below, above):
        wanted = proposal()
        wanted.values[rule.path] = value
        assert rule.path in problems_of(wanted)


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, Choice)], ids=lambda rule: rule.path)
def test_a_word_that_nobody_knows_is_refused_at_its_path(rule):
    wanted = proposal()
    wanted.values[rule.path] = "number 77"

    assert set(problems_of(wanted)) == {rule.path}


def test_too_few_classes_are_refused():
    wanted = Proposal(project_id="one", input_kind="IMAGE", label_set=LabelSet(classes=("only",)), values={})

    assert set(problems_of(wanted)) == {"label_set.classes"}


def test_the_same_content_again_changes_nothing():
    first = apply(None, proposal(training__trials=2), now=NOW)

    again = apply(first, proposal(training__trials=2, training__epochs=20), now=NOW + timedelta(days=1))

    assert again is first


def test_a_change_raises_the_revision_and_keeps_the_beginning():
    first = apply(None, proposal(), now=NOW)

    second = apply(first, proposal(training__trials=2), now=NOW + timedelta(days=1))

    assert (second.revision, second.created_at, second.updated_at) == (2, NOW, NOW + timedelta(days=1))


def test_other_classes_are_refused_for_an_existing_project():
    first = apply(None, proposal(), now=NOW)
    other = replace(proposal(), label_set=LabelSet(classes=("shirt", "coat")))

    with pytest.raises(LabelSetFixed, match="coat, shirt"):
        apply(first, other, now=NOW)


def test_instructions_are_text_of_bounded_length():
    assert wire.project(
        apply(None, proposal(labeling__instructions="<b>Look</b>\ntwice"), now=NOW)
    ).labeling.instructions
    assert set(problems_of(proposal(labeling__instructions="x" * 10_001))) == {"labeling.instructions"}
    assert set(problems_of(proposal(labeling__instructions="a\0"))) == {"labeling.instructions"}


def test_pausing_raises_the_revision_once_and_needs_a_reason():
    first = apply(None, proposal(), now=NOW)

    paused = moved_to(first, ProjectState.PAUSED, reason="moving house", now=NOW)

    assert (paused.state, paused.revision) == (ProjectState.PAUSED, 2)
    assert moved_to(paused, ProjectState.PAUSED, reason="again", now=NOW) is paused
    with pytest.raises(ReasonMissing):
        moved_to(paused, ProjectState.ACTIVE, reason="  ", now=NOW)


def test_states_and_lists_are_total():
    assert set(wire.STATES) == set(ProjectState)
    assert set(wire.STATES.values()) == set(pb.Project.State.values()) - {pb.Project.STATE_UNSPECIFIED}
    assert set(LISTS) <= PATHS
