"""Accepted labels: which one is the truth about a sample, and when those that wait become a version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from relearn_datasets.domain.errors import NotInLabelSet, UnsupportedLabel
from relearn_datasets.domain.samples import Draw
from relearn_datasets.domain.values import LabelValue
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
        label_set_version: what its classes are words of.
        revision: raised by labeling with each answer about the task; an older one never overwrites a newer.
        draw: of the first flag it was asked for, None without flags.
        event_id: of the first LabelAccepted that told it: the cause of its commit.
    """

    label_id: str
    project_id: str
    sha256: bytes
    label: LabelValue
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
    """What an answer may say, as far as this service looks.

    Attributes:
        whole: whether it may name a class for the whole sample.
        one_class: whether it must be one class for the whole sample.
    """

    version: int
    classes: frozenset[str]
    whole: bool = True
    one_class: bool = True


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


def check_imported(class_name: str, label_set: LabelSet) -> None:
    """Refuses a class that an import gives to a whole sample.

    Raises:
        UnsupportedLabel: labels of this label set are regions within samples.
        NotInLabelSet: the class is none of its own.
    """
    if not label_set.whole:
        raise UnsupportedLabel(f"label set {label_set.version} has no class for a whole sample", label=class_name)
    _check_classes([class_name], label_set)


def check_accepted(label: AcceptedLabel, classes: Collection[str], label_set: LabelSet) -> None:
    """Refuses a label that the project cannot use.

    One that was given under an older label set may be of another kind, as long as its classes are still there.

    Args:
        classes: all that its regions name.
        label_set: the project's, now.

    Raises:
        NotYetKnown: the label is in a newer label set than this service has heard of.
        NotInLabelSet: a class that the label set does not have.
        UnsupportedLabel: not exactly one class for the whole sample, where labels are that.
    """
    if label.label_set_version > label_set.version:
        raise NotYetKnown(f"label set {label.label_set_version} is not known yet, the newest is {label_set.version}")
    _check_classes(classes, label_set)
    if label_set.one_class and label.label_set_version == label_set.version and label.label.class_name is None:
        raise UnsupportedLabel("a label must be one class for the whole sample")


def _check_classes(classes: Collection[str], label_set: LabelSet) -> None:
    for name in classes:
        if name not in label_set.classes:
            raise NotInLabelSet(f"{name!r} is not in label set {label_set.version}", label=name)


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
