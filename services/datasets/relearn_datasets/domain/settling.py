"""From labels that are wanted to the changes of a commit; and what a flagged sample is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from relearn_datasets.domain.commits import Change
from relearn_datasets.domain.samples import IMPORTED, Draw, Use
from relearn_datasets.domain.uses import Shares, bucket, use_of
from relearn_datasets.domain.values import LabelValue, one_class


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What a sample is now, its row locked.

    Attributes:
        imported_label: the class that the last import said, whatever people have said since.
        draw: None while nobody has asked for its label and none is there.
    """

    sha256: bytes
    group_key: str
    label: LabelValue | None
    label_id: str | None
    imported_label: str | None
    draw: Draw | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A label that a sample shall have.

    Attributes:
        label_id: None when imported.
        draw: taken where the sample has none.
    """

    sha256: bytes
    label: LabelValue
    label_id: str | None
    draw: Draw


def proposed_uses(
    project_id: str, wanted: Iterable[Wanted], *, currents: Mapping[bytes, Current], shares: Shares
) -> Mapping[str, Use]:
    """By group key, what each group becomes if it has no use yet; of two first members the lower SHA-256 counts."""
    proposed: dict[str, Use] = {}
    for want in sorted(wanted, key=lambda want: want.sha256):
        current = currents[want.sha256]
        if current.group_key not in proposed:
            of = bucket(project_id, current.group_key)
            proposed[current.group_key] = use_of(current.draw or want.draw, bucket=of, shares=shares)
    return proposed


def settle(wanted: Iterable[Wanted], *, currents: Mapping[bytes, Current], uses: Mapping[str, Use]) -> Sequence[Change]:
    """The changes that make samples have the labels wanted, in order of SHA-256.

    Args:
        wanted: at most one a sample.
        uses: of every group named, by its key.
    """
    return [
        _change(want, currents[want.sha256], uses[currents[want.sha256].group_key])
        for want in sorted(wanted, key=lambda want: want.sha256)
    ]


def _change(want: Wanted, current: Current, use: Use) -> Change:
    return Change(
        sha256=want.sha256,
        old_label=current.label,
        old_label_id=current.label_id,
        new_label=want.label,
        new_label_id=want.label_id,
        use=use,
        draw=current.draw or want.draw,
        group_key=current.group_key,
    )


def unlabeled(sha256: bytes, group_key: str) -> Current:
    """A sample as it is right before its first label."""
    return Current(sha256=sha256, group_key=group_key, label=None, label_id=None, imported_label=None, draw=None)


def imported(label: str | None, current: Current) -> Wanted | None:
    """What an import of a sample wants, None when it brings nothing new.

    An import is compared with the last import, not with today's label: the same folder imported again must not undo
    what people have corrected since.
    """
    if label is None or label == current.imported_label or one_class(label) == current.label:
        return None
    return Wanted(sha256=current.sha256, label=one_class(label), label_id=None, draw=IMPORTED)


def draw_after_flag(current: Current, flagged: Draw) -> Draw:
    """Why the sample's label was wanted, once a flag asks for it: the first reason stays, imported ones included."""
    if current.draw is not None:
        return current.draw
    return flagged if current.label is None else IMPORTED
