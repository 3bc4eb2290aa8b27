"""Diffs: what lies between two versions, folded from the changes in between and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from relearn_datasets.domain.errors import DifferentProjects
from relearn_datasets.domain.samples import parse_version_id
from relearn_datasets.domain.values import LabelValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the log: a sample's label before and after one commit; None means without a label."""

    sha256: bytes
    old_label: LabelValue | None
    old_label_id: str | None
    new_label: LabelValue | None
    new_label_id: str | None

    @property
    def size_bytes(self) -> int:
        """Of the regions of both labels."""
        return sum(label.size_bytes for label in (self.old_label, self.new_label) if label is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many samples a diff is about, by kind."""

    added: int = 0
    removed: int = 0
    relabeled: int = 0

    def count(self, step: Step) -> Totals:
        """With one more sample."""
        if step.old_label is None:
            return replace(self, added=self.added + 1)
        if step.new_label is None:
            return replace(self, removed=self.removed + 1)
        return replace(self, relabeled=self.relabeled + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The commits `after` < n <= `upto` of one project, asked for in reading direction.

    Attributes:
        backwards: the newer version was named first: old and new change places.
    """

    project_id: str
    after: int
    upto: int
    backwards: bool


def between(from_id: str, to_id: str) -> Range:
    """The commits between two versions, given in either order; `from_id` empty means before the first.

    Raises:
        DifferentProjects: versions of two projects.
        UnknownVersion: an id no version can have.
    """
    project_id, to_number = parse_version_id(to_id)
    from_number = 0
    if from_id:
        from_project_id, from_number = parse_version_id(from_id)
        if from_project_id != project_id:
            raise DifferentProjects(f"{from_id} and {to_id} are versions of different projects")
    return Range(
        project_id=project_id,
        after=min(from_number, to_number),
        upto=max(from_number, to_number),
        backwards=from_number > to_number,
    )


class Fold:
    """One step a sample over many commits: the first old value and the last new one; what ends as it began is gone.

    Steps go in by sample, those of one sample in order of their commits; however many, only one is kept.

    Args:
        backwards: tell it as if it had happened the other way round.
    """

    def __init__(self, *, backwards: bool) -> None:
        self._backwards = backwards
        self._net: Step | None = None

    def take(self, step: Step) -> Step | None:
        """Takes the next step in; returns the sample before it when that one is complete and has changed."""
        if self._net is None or self._net.sha256 != step.sha256:
            done, self._net = self.end(), step
            return done
        self._net = replace(self._net, new_label=step.new_label, new_label_id=step.new_label_id)
        return None

    def end(self) -> Step | None:
        """The last sample, when it has changed."""
        net, self._net = self._net, None
        if net is None or net.old_label == net.new_label:
            return None
        return _reversed(net) if self._backwards else net


def _reversed(step: Step) -> Step:
    return Step(
        sha256=step.sha256,
        old_label=step.new_label,
        old_label_id=step.new_label_id,
        new_label=step.old_label,
        new_label_id=step.old_label_id,
    )
