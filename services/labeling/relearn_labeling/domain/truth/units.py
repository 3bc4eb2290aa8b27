"""Answers as units: what of a sample is asked once, and who said what of it."""

from __future__ import annotations

from collections.abc import Sequence

from relearn_labeling.domain.regions import LabelSet, Region, RegionKind
from relearn_labeling.domain.truth.skills import ABSENT, Unit
from relearn_labeling.domain.truth.things import Thing, things

PRESENT = "present"
"""What a vote says where each class of a sample is a question of its own: annotators have one skill for all of them."""


def has_one_class(label_set: LabelSet) -> bool:
    """Whether each sample as a whole has exactly one class, and nothing else is asked."""
    return label_set.kinds == {RegionKind.WHOLE} and not label_set.multi_label


def values_of(label_set: LabelSet) -> tuple[str, ...]:
    """What may be said of a unit: a class; of several parts or classes also that a thing is not there."""
    if label_set.multi_label:
        return (PRESENT, ABSENT)
    return label_set.classes if has_one_class(label_set) else (*label_set.classes, ABSENT)


def units_of(
    annotators: Sequence[str],
    answers: Sequence[Sequence[Region]],
    *,
    gold: Sequence[Region] | None,
    label_set: LabelSet,
    iou: float,
) -> list[Unit]:
    """What the answers to one sample say; with gold also what is true of each unit.

    Args:
        annotators: [n], who gave each answer.
        gold: the right answer, None where it isn't known.
    """
    if has_one_class(label_set):
        named = zip(annotators, answers, strict=True)
        votes = tuple((annotator, regions[0].class_name) for annotator, regions in named if regions)
        return [Unit(votes=votes, truth=gold[0].class_name if gold else None)]
    found = things(answers if gold is None else [*answers, gold], label_set=label_set, iou=iou)
    return [
        Unit(
            votes=votes_on(thing, annotators, label_set=label_set),
            truth=None if gold is None else value_in(thing, len(answers), label_set=label_set),
        )
        for thing in found
    ]


def votes_on(thing: Thing, annotators: Sequence[str], *, label_set: LabelSet) -> tuple[tuple[str, str], ...]:
    """What each annotator says of a thing; `annotators` in the order of the answers."""
    return tuple((name, value_in(thing, number, label_set=label_set)) for number, name in enumerate(annotators))


def value_in(thing: Thing, answer: int, *, label_set: LabelSet) -> str:
    """What an answer says of a thing: its class, or that it is there, or that it is not."""
    if (class_name := thing.class_in(answer)) is None:
        return ABSENT
    return PRESENT if label_set.multi_label else class_name
