"""Accepted labels: which one is the truth about a sample, and when those that wait become a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from relearn_datasets.domain.errors import NotInLabelSet
from relearn_datasets.domain.samples import Draw
from relearn_runtime.errors import NotYetKnown


class LabelState(Enum):
    """Where an accepted label stands."""

    WAITING = "waiting"
    COMMITTED = "committed"
    SUPERSEDED = "superseded"
    """A newer label of the sample came before it was committed: it is in no version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedLabel:
    """A human answer about a sample.

    Attributes:
        label_set_version: what its class is a word of.
        revision: raised by labeling with each answer about the task; an older one never overwrites a newer.
        draw: of the first flag it was asked for, None without flags.
        event_id: of the first LabelAccepted that told it: the cause of its commit.
    """

    label_id: str
    project_id: str
    sha256: bytes
    label: str
    label_set_version: int
    revision: int
    draw: Draw | None
    event_id: str
    state: LabelState
    received_at: datetime

    @property
    def rank(self) -> tuple[int, int]:
        """Of two labels of one sample the higher is the truth; there is one task a sample and label set."""
        return self.label_set_version, self.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """Classes an answer may have."""

    version: int
    classes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitPolicy:
    """Commit when so many labels wait, or when the oldest has waited so long."""

    labels: int
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLabels:
    """Labels of one project that are in no version yet, at least one."""

    project_id: str
    labels: int
    oldest_at: datetime


def check_label(label: str, label_set: LabelSet, *, label_set_version: int | None = None) -> None:
    """Refuses a class that is not in the label set.

    Raises:
        NotYetKnown: the label is in a newer label set than this service has heard of.
        NotInLabelSet: anything else.
    """
    if label_set_version is not None and label_set_version > label_set.version:
        raise NotYetKnown(f"label set {label_set_version} is not known yet, the newest is {label_set.version}")
    if label not in label_set.classes:
        raise NotInLabelSet(f"{label!r} is not in label set {label_set.version}", label=label)


def receive(known: Sequence[AcceptedLabel], incoming: AcceptedLabel) -> list[AcceptedLabel]:
    """What becomes of a sample's labels when one more is told: the values to save, which may be none.

    The same label told again (for a new flag, or once more) counts once and only takes the newer revision. A label
    that a newer one has overtaken is remembered and never committed; one that overtakes puts aside what still waits.
    """
    again = next((label for label in known if label.label_id == incoming.label_id), None)
    if again is not None:
        return [replace(again, revision=incoming.revision)] if incoming.revision > again.revision else []
    if any(label.rank > incoming.rank for label in known):
        return [replace(incoming, state=LabelState.SUPERSEDED)]
    aside = [replace(label, state=LabelState.SUPERSEDED) for label in known if label.state is LabelState.WAITING]
    return [*aside, incoming]


def commit_reason(waiting: WaitingLabels, policy: CommitPolicy, *, now: datetime) -> str | None:
    """Why the labels that wait must be committed now, in one line; None when they may wait on."""
    if waiting.labels >= policy.labels:
        return f"{_labels(waiting.labels)} waited, {policy.labels} are enough"
    if now - waiting.oldest_at >= policy.after:
        return f"{_labels(waiting.labels)} waited, the oldest for {policy.after.total_seconds():g} s"
    return None


def _labels(n: int) -> str:
    return "1 label" if n == 1 else f"{n} labels"
