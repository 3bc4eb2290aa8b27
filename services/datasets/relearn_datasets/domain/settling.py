"""From labels that are wanted to the changes of a commit; and what a flagged sample is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relearn_datasets.domain.commits import Change
from relearn_datasets.domain.samples import IMPORTED, Draw, Use
from relearn_datasets.domain.uses import Shares, use_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What a sample is now, its row locked.

    Attributes:
        imported_label: what the last import said, whatever people have said since.
        draw: None while nobody has asked for its label and none is there.
    """

    sha256: bytes
    group_key: str
    label: str | None
    label_id: str | None
    imported_label: str | None
    draw: Draw | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Samples that share a use; None until the first of them is flagged or labeled."""

    group_key: str
    bucket: int
    use: Use | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A label that a sample shall have.

    Attributes:
        label_id: None when imported.
        draw: taken where the sample has none.
    """

    sha256: bytes
    label: str
    label_id: str | None
    draw: Draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Changes in order of SHA-256, and the uses that were decided on the way, by group key."""

    changes: Sequence[Change]
    decided: Mapping[str, Use]


def settle(
    wanted: Sequence[Wanted], *, currents: Mapping[bytes, Current], groups: Mapping[str, Group], shares: Shares
) -> Settled:
    """The changes that make samples have the labels wanted.

    Args:
        wanted: at most one a sample; of two in one group without a use the lower SHA-256 is the first member.
    """
    decided: dict[str, Use] = {}
    changes = []
    for want in sorted(wanted, key=lambda want: want.sha256):
        current = currents[want.sha256]
        group = groups[current.group_key]
        draw = current.draw or want.draw
        use = group.use or decided.get(group.group_key)
        if use is None:
            use = decided[group.group_key] = use_of(draw, bucket=group.bucket, shares=shares)
        changes.append(
            Change(
                sha256=want.sha256,
                old_label=current.label,
                old_label_id=current.label_id,
                new_label=want.label,
                new_label_id=want.label_id,
                use=use,
                draw=draw,
                group_key=current.group_key,
            )
        )
    return Settled(changes=changes, decided=decided)


def imported(label: str | None, current: Current) -> Wanted | None:
    """What an import of a sample wants, None when it brings nothing new.

    An import is compared with the last import, not with today's label: the same folder imported again must not undo
    what people have corrected since.
    """
    if label is None or label == current.imported_label or label == current.label:
        return None
    return Wanted(sha256=current.sha256, label=label, label_id=None, draw=IMPORTED)


def draw_after_flag(current: Current, flagged: Draw) -> Draw:
    """Why the sample's label was wanted, once a flag asks for it: the first reason stays, imported ones included."""
    if current.draw is not None:
        return current.draw
    return flagged if current.label is None else IMPORTED
