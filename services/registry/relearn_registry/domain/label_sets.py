"""What an answer of a project may say: which label sets can be, and which changes of one.

The comments of LabelSet in `relearn/registry/v1/project.proto` are the specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

WHOLE: Final = "WHOLE"
KINDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "IMAGE": (WHOLE, "BOX", "POLYGON"),
    "TEXT": (WHOLE, "SPAN"),
    "AUDIO": (WHOLE, "SEGMENT"),
    "VIDEO": (WHOLE, "TRACK", "SEGMENT"),
}
"""Region kinds by input kind, in the order in which a project shows them."""
INPUT_KINDS: Final = tuple(KINDS_OF)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST_CLASSES = 1000
_MOST_ATTRIBUTES = 20
_MOST_VALUES = 100
_MOST_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One thing to say of a region beside its class.

    Attributes:
        values: to choose from; none: free text.
        classes: whose regions have it; none: all.
    """

    name: str
    values: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """What an answer may say; `kinds` are the words of RegionKind, none where nobody chose."""

    classes: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    multi_label: bool = False
    transcripts: bool = False
    attributes: tuple[Attribute, ...] = ()


def with_defaults(label_set: LabelSet) -> LabelSet:
    """The label set with its kinds, each once and in the contract's order: another order is no change."""
    known = {kind: i for i, kind in enumerate(dict.fromkeys(kind for kinds in KINDS_OF.values() for kind in kinds))}
    return replace(label_set, kinds=tuple(sorted(label_set.kinds, key=lambda kind: known.get(kind, 0))) or (WHOLE,))


def is_trained_on(label_set: LabelSet, input_kind: str) -> bool:
    """Whether models learn from it: pictures with exactly one class each."""
    return input_kind == "IMAGE" and with_defaults(label_set).kinds == (WHOLE,) and not label_set.multi_label


def outputs_changed(before: LabelSet, after: LabelSet) -> bool:
    """Whether a model of one label set can't be a model of the other: attributes and transcripts don't matter to it."""
    mattering = [replace(with_defaults(label_set), transcripts=False, attributes=()) for label_set in (before, after)]
    return mattering[0] != mattering[1]


def problems(label_set: LabelSet, input_kind: str) -> dict[str, str]:
    """Path to problem, of everything that can't be."""
    return {
        **dict(_kinds(label_set, input_kind)),
        **dict(_classes(label_set)),
        **dict(_attributes(label_set)),
    }


def _kinds(label_set: LabelSet, input_kind: str) -> Iterator[tuple[str, str]]:
    possible = KINDS_OF.get(input_kind)  # None: the input kind is told as the problem
    for i, kind in enumerate(label_set.kinds):
        path = f"label_set.region_kinds[{i}]"
        if possible is not None and kind not in possible:
            yield path, f"must be one of {', '.join(possible)} with {input_kind}, is {kind}"
        elif kind in label_set.kinds[:i]:
            yield path, f"is there twice: {kind}"
    if label_set.multi_label and with_defaults(label_set).kinds != (WHOLE,):
        yield "label_set.multi_label", f"goes with {WHOLE} alone: regions may have any classes as it is"


def _classes(label_set: LabelSet) -> Iterator[tuple[str, str]]:
    one_of_them = WHOLE in with_defaults(label_set).kinds and not label_set.multi_label
    least = 2 if one_of_them else 1
    if not least <= len(label_set.classes) <= _MOST_CLASSES:
        yield "label_set.classes", f"must be {least} to {_MOST_CLASSES} names, has {len(label_set.classes)}"
        return
    yield from _words("label_set.classes", label_set.classes)


def _attributes(label_set: LabelSet) -> Iterator[tuple[str, str]]:
    if len(label_set.attributes) > _MOST_ATTRIBUTES:
        yield "label_set.attributes", f"must be at most {_MOST_ATTRIBUTES}, has {len(label_set.attributes)}"
        return
    names: set[str] = set()
    for i, attribute in enumerate(label_set.attributes):
        path = f"label_set.attributes[{i}]"
        if not _NAME.fullmatch(attribute.name):
            yield f"{path}.name", f"must be 1 to 40 of a-z, 0-9 and _, a letter first, is {attribute.name!r}"
        elif attribute.name in names:
            yield f"{path}.name", f"is there twice: {attribute.name!r}"
        names.add(attribute.name)
        if len(attribute.values) > _MOST_VALUES:
            yield f"{path}.values", f"must be at most {_MOST_VALUES}, has {len(attribute.values)}"
        else:
            yield from _words(f"{path}.values", attribute.values)
        for j, name in enumerate(attribute.classes):
            if name not in label_set.classes:
                yield f"{path}.classes[{j}]", f"is no class of the label set: {name!r}"
            elif name in attribute.classes[:j]:
                yield f"{path}.classes[{j}]", f"is there twice: {name!r}"


def _words(path: str, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with names that annotators choose from."""
    seen: set[str] = set()
    for i, word in enumerate(words):
        if not word.strip():
            yield f"{path}[{i}]", "must not be blank"
        elif len(word) > _MOST_CHARACTERS:
            yield f"{path}[{i}]", f"must have at most {_MOST_CHARACTERS} characters, has {len(word)}"
        elif not word.isprintable():
            yield f"{path}[{i}]", f"must be printable: {word!r}"
        elif word in seen:
            yield f"{path}[{i}]", f"is there twice: {word!r}"
        seen.add(word)
