"""Commits: what one changes, what it is named by, and what a version holds."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from relearn_datasets.domain.samples import Draw, Stream, Use, version_id
from relearn_datasets.domain.values import LabelValue


class Effect(Enum):
    """What a change does to the version."""

    ADDED = "added"
    RELABELED = "relabeled"
    CONFIRMED = "confirmed"
    """The same value again, now from another label: provenance changes, content does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One sample in one commit, with what was there before.

    Attributes:
        old_label: None when it had no label.
        new_label_id: the human label it came from; None when imported.
    """

    sha256: bytes
    old_label: LabelValue | None
    old_label_id: str | None
    new_label: LabelValue
    new_label_id: str | None
    use: Use
    draw: Draw
    group_key: str

    @property
    def effect(self) -> Effect:
        if self.old_label is None:
            return Effect.ADDED
        return Effect.CONFIRMED if self.old_label == self.new_label else Effect.RELABELED


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Labeled samples by use and stream."""

    by: Mapping[tuple[Use, Stream], int] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        total = Counter(self.by)
        total.update(other.by)
        return Counts(by=dict(total))

    def of_use(self, use: Use) -> int:
        """Of one use, all streams."""
        return sum(n for (of, _), n in self.by.items() if of is use)

    def of_stream(self, stream: Stream) -> int:
        """Of one stream, all uses."""
        return sum(n for (_, of), n in self.by.items() if of is stream)

    @property
    def validation(self) -> int:
        """For validation, disagreements excluded: they only judge two versions of one rollout."""
        return self.of_use(Use.VALIDATION) - self.by.get((Use.VALIDATION, Stream.DISAGREEMENT), 0)

    @property
    def total(self) -> int:
        return sum(self.by.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An immutable snapshot: one commit of a project's log.

    Attributes:
        digest: 32 bytes over the parent's digest and the changes.
        counts: what it holds.
        new_counts: what its commit added.
        relabeled: samples whose label its commit changed.
    """

    project_id: str
    number: int
    digest: bytes
    counts: Counts
    new_counts: Counts
    relabeled: int
    message: str
    import_id: str | None
    project_revision: int
    created_at: datetime

    @property
    def dataset_version_id(self) -> str:
        return version_id(self.project_id, self.number)

    @property
    def parent_id(self) -> str | None:
        return version_id(self.project_id, self.number - 1) if self.number > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a project's log ends: the newest version's number, digest and counts; number 0 before the first."""

    project_id: str
    number: int
    digest: bytes
    counts: Counts


def first_head(project_id: str) -> Head:
    """The head of an empty log. Projects start from different digests, so no two ever share a pack."""
    digest = hashlib.sha256(b"relearn dataset\0" + project_id.encode()).digest()
    return Head(project_id=project_id, number=0, digest=digest, counts=Counts())


class CommitBuilder:
    """Digest and counts of a commit from its changes, taken in order of SHA-256, however many there are.

    Label ids are no part of the digest: the same answers give the same digest, whoever numbered them.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._digest = hashlib.sha256(head.digest)
        self._last = b""
        self._added: Counter[tuple[Use, Stream]] = Counter()
        self.changes = 0
        self.relabeled = 0

    @property
    def number(self) -> int:
        """Number of the version that is being made."""
        return self._head.number + 1

    def take(self, changes: Iterable[Change]) -> None:
        """Takes changes in.

        Raises:
            ValueError: not in ascending order of SHA-256: the digest would depend on the order of arrival.
        """
        for change in changes:
            if change.sha256 <= self._last:
                raise ValueError("changes of a commit must be distinct and in ascending order of SHA-256")
            self._last = change.sha256
            self._digest.update(_canonical(change))
            self.changes += 1
            self.relabeled += change.effect is Effect.RELABELED
            if change.effect is Effect.ADDED:
                self._added[change.use, change.draw.stream] += 1

    def version(self, *, message: str, import_id: str | None, project_revision: int, created_at: datetime) -> Version:
        """The version that the changes make."""
        new = Counts(by=dict(self._added))
        return Version(
            project_id=self._head.project_id,
            number=self.number,
            digest=self._digest.digest(),
            counts=self._head.counts + new,
            new_counts=new,
            relabeled=self.relabeled,
            message=message,
            import_id=import_id,
            project_revision=project_revision,
            created_at=created_at,
        )


def _canonical(change: Change) -> bytes:
    """Everything a pack would show of a change; the length before each part keeps two of them from trading letters."""
    probability = change.draw.probability
    parts = (
        change.sha256,
        change.old_label.canonical if change.old_label else b"",
        change.new_label.canonical,
        change.use.value.encode(),
        change.draw.stream.value.encode(),
        b"" if probability is None else struct.pack(">d", probability),
        change.group_key.encode(),
    )
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
