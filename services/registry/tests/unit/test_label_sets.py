"""Which label sets can be, and what a change of one does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relearn.registry.v1 import project_pb2 as pb
from relearn_registry.domain import label_sets
from relearn_registry.domain.label_sets import INPUT_KINDS, KINDS_OF, Attribute, LabelSet
from relearn_registry.domain.projects import InvalidProject, LabelSetFixed, Proposal, apply
from relearn_registry.wire import projects as wire

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CARS = LabelSet(
    classes=("car",),
    kinds=("BOX",),
    attributes=(Attribute(name="colour", values=("red", "blue")), Attribute(name="note", classes=("car",))),
)
CLOTHES = LabelSet(classes=("coat", "shirt"))


def proposal(label_set: LabelSet, input_kind: str = "IMAGE") -> Proposal:
    return Proposal(project_id="p", input_kind=input_kind, label_set=label_set, values={})


def problems(label_set: LabelSet, input_kind: str = "IMAGE") -> dict[str, str]:
    with pytest.raises(InvalidProject) as refused:
        apply(None, proposal(label_set, input_kind), now=NOW)
    return dict(refused.value.metadata)


def test_the_words_are_those_of_the_contract():
    kinds = {name.removeprefix("REGION_KIND_") for name in set(pb.RegionKind.keys())} - {"UNSPECIFIED"}
    inputs = {name.removeprefix("INPUT_KIND_") for name in set(pb.InputKind.keys())} - {"UNSPECIFIED"}

    assert {kind for of in KINDS_OF.values() for kind in of} == kinds
    assert set(INPUT_KINDS) == inputs


@pytest.mark.parametrize(("input_kind", "kind"), [(i, k) for i, kinds in KINDS_OF.items() for k in kinds])
def test_every_kind_goes_with_its_inputs_and_survives_the_wire(input_kind: str, kind: str):
    applied = apply(None, proposal(replace(CARS, classes=("car", "van"), kinds=(kind,)), input_kind), now=NOW)

    assert wire.applied_project(wire.project(applied)) == applied
    assert wire.project(applied).label_set.version == 1


@pytest.mark.parametrize(
    ("input_kind", "kind"),
    [("TEXT", "BOX"), ("AUDIO", "TRACK"), ("IMAGE", "SPAN"), ("VIDEO", "BOX"), ("IMAGE", "SEGMENT")],
)
def test_a_kind_that_the_input_does_not_have_is_refused(input_kind: str, kind: str):
    assert set(problems(replace(CARS, kinds=(kind,)), input_kind)) == {"label_set.region_kinds[0]"}


def test_kinds_left_out_mean_the_whole_sample_and_are_shown():
    applied = apply(None, proposal(CLOTHES), now=NOW)

    assert list(wire.project(applied).label_set.region_kinds) == [pb.REGION_KIND_WHOLE]


@pytest.mark.parametrize(
    ("label_set", "paths"),
    [
        (replace(CARS, kinds=("BOX", "BOX")), ["region_kinds[1]"]),
        (replace(CARS, kinds=("number 9",)), ["region_kinds[0]"]),
        (replace(CARS, multi_label=True), ["multi_label"]),
        (replace(CARS, kinds=("WHOLE", "BOX")), ["classes"]),  # one class is no choice
        (replace(CARS, classes=(), attributes=()), ["classes"]),
        (replace(CARS, attributes=(Attribute(name="Colour"),)), ["attributes[0].name"]),
        (replace(CARS, attributes=(Attribute(name="a"), Attribute(name="a"))), ["attributes[1].name"]),
        (replace(CARS, attributes=(Attribute(name="a", values=("x", " ", "x")),)),
         ["attributes[0].values[1]", "attributes[0].values[2]"]),
        (replace(CARS, attributes=(Attribute(name="a", values=tuple("abc" * 34)),)), ["attributes[0].values"]),
        (replace(CARS, attributes=(Attribute(name="a", classes=("van", "car", "car")),)),
         ["attributes[0].classes[0]", "attributes[0].classes[2]"]),
        (replace(CARS, attributes=tuple(Attribute(name=f"a{i}") for i in range(21))), ["attributes"]),
    ],
)  # fmt: skip
def test_what_can_not_be_is_told_with_the_path_of_its_field(label_set: LabelSet, paths: list[str]):
    assert set(problems(label_set)) == {f"label_set.{path}" for path in paths}


def test_one_class_is_enough_where_regions_or_several_classes_are_asked_for():
    assert apply(None, proposal(replace(CARS, attributes=())), now=NOW).label_set_version == 1
    assert apply(None, proposal(LabelSet(classes=("spam",), multi_label=True)), now=NOW).label_set_version == 1


@pytest.mark.parametrize(
    "changed",
    [
        replace(CARS, classes=("car", "van")),
        replace(CARS, kinds=("BOX", "POLYGON")),
        replace(CARS, transcripts=True),
        replace(CARS, attributes=CARS.attributes[:1]),
        replace(CARS, attributes=(replace(CARS.attributes[0], required=True), CARS.attributes[1])),
    ],
)
def test_any_change_makes_a_new_version_where_no_model_is_trained(changed: LabelSet):
    first = apply(None, proposal(CARS), now=NOW)

    second = apply(first, proposal(changed), now=NOW)

    assert (second.label_set_version, second.revision) == (2, 2)
    assert wire.project(second).label_set.version == 2


def test_another_policy_or_another_order_of_kinds_makes_no_new_version():
    first = apply(None, proposal(replace(CARS, kinds=("BOX", "POLYGON"))), now=NOW)

    reordered = apply(first, proposal(replace(CARS, kinds=("POLYGON", "BOX"))), now=NOW)
    other = apply(
        first, replace(proposal(replace(CARS, kinds=("BOX", "POLYGON"))), values={"labeling.iou": 0.7}), now=NOW
    )

    assert reordered is first
    assert (other.label_set_version, other.revision) == (1, 2)


@pytest.mark.parametrize(
    "changed",
    [
        LabelSet(classes=("coat", "shirt", "bag")),
        replace(CLOTHES, multi_label=True),
        replace(CLOTHES, kinds=("WHOLE", "BOX")),
    ],
)
def test_what_models_answer_is_fixed_where_they_are_trained(changed: LabelSet):
    first = apply(None, proposal(CLOTHES), now=NOW)

    with pytest.raises(LabelSetFixed, match="coat, shirt"):
        apply(first, proposal(changed), now=NOW)


def test_what_models_do_not_look_at_may_change():
    first = apply(None, proposal(CLOTHES), now=NOW)

    assert apply(first, proposal(replace(CLOTHES, attributes=CARS.attributes[:1])), now=NOW).label_set_version == 2


def test_a_project_that_was_labeled_only_becomes_none_that_is_trained_on():
    first = apply(None, proposal(replace(CLOTHES, multi_label=True)), now=NOW)

    with pytest.raises(LabelSetFixed):
        apply(first, proposal(CLOTHES), now=NOW)


def test_another_kind_of_samples_is_refused():
    first = apply(None, proposal(replace(CLOTHES, multi_label=True)), now=NOW)

    with pytest.raises(LabelSetFixed, match="kind IMAGE"):
        apply(first, proposal(replace(CLOTHES, multi_label=True), "TEXT"), now=NOW)


def test_a_project_that_was_stored_before_there_were_kinds_is_the_same_label_set():
    first = apply(None, proposal(CLOTHES), now=NOW)
    stored = wire.project(first)
    del stored.label_set.region_kinds[:]

    again = apply(wire.applied_project(stored), proposal(replace(CLOTHES, kinds=("WHOLE",))), now=NOW)

    assert again.label_set_version == 1


def test_models_are_trained_on_pictures_with_exactly_one_class():
    assert label_sets.is_trained_on(CLOTHES, "IMAGE")
    assert not label_sets.is_trained_on(CLOTHES, "TEXT")
    assert not label_sets.is_trained_on(replace(CLOTHES, multi_label=True), "IMAGE")
    assert not label_sets.is_trained_on(replace(CLOTHES, kinds=("WHOLE", "BOX")), "IMAGE")
