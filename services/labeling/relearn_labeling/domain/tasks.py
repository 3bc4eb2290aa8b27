"""The values of labeling: a task with its reasons, leases, annotations and label, and the project's policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID, uuid5

from relearn_labeling.domain.regions import Region

USUAL_ANSWER_S = 10.0
"""What an answer is taken to last while a project has none."""
_TASKS = UUID("5b0c1d5e-8f0b-5f0e-9b57-4f0a1c2d3e4f")  # namespace of task ids; never changes


class Stream(StrEnum):
    """Why a label is bought."""

    AUDIT = "audit"
    SELECTED = "selected"
    DISAGREEMENT = "disagreement"


class Source(StrEnum):
    """Where a request for a label comes from that is no flag."""

    UNKNOWN = "unknown"
    HAND = "hand"
    IMPORT = "import"
    DRAW = "draw"
    AGAIN = "again"


class State(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISPUTED = "disputed"


class LeaseEnd(StrEnum):
    """How a lease ended without an answer."""

    EXPIRED = "expired"
    RETURNED = "returned"


class SkipReason(StrEnum):
    """Why an annotator gave a task back; see SkipReason in the contract."""

    UNUSABLE = "unusable"
    UNCLEAR = "unclear"
    NOT_MY_FIELD = "not-my-field"
    OTHER = "other"

    @property
    def doubts(self) -> bool:
        """Whether it says that the sample has no answer, whoever is asked."""
        return self in (SkipReason.UNUSABLE, SkipReason.UNCLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A prediction that deserves a human answer: one reason for a task.

    Attributes:
        confidence: of the prediction, 0..1; None where it was not told.
        alert_id: alert that asked for it; empty for everyday picks.
        reason: one line for people; it may tell the model's answer, so no annotator sees it.
        event_id: the event that brought it, the cause of what follows.
        content: the flag as it came, to be copied whole into what it leads to, fields we do not know included.
    """

    id: str
    project_id: str
    sample_id: str
    stream: Stream
    alert_id: str
    reason: str
    event_id: str
    confidence: float | None = None
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """Somebody asked for a label where no prediction was flagged: one reason for a task.

    Attributes:
        id: chosen by whoever asks; the same id again is the same request.
        reason: one line for people; may be empty.
        value: what the label is worth against others, 0..1; None where nothing is known.
        person: who asked, the subject of the token.
    """

    id: str
    project_id: str
    sample_id: str
    source: Source
    reason: str
    value: float | None
    person: str
    created_at: datetime


Reason: TypeAlias = Flag | LabelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One annotator's claim of one slot.

    Attributes:
        slot: 1..overlap.
        ended: how it ended unanswered; kept so that a late answer is told why it is refused. An answered lease is gone.
        skip_reason: why it was given back, if that was told.
    """

    annotator: str
    slot: int
    leased_at: datetime
    expires_at: datetime
    ended: LeaseEnd | None = None
    skip_reason: SkipReason | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it holds its slot."""
        return self.ended is None and self.expires_at > now


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotator's answer, in the label-set version of its task.

    Attributes:
        regions: what was found; none where nothing is there.
        time_spent: time looking at the sample, at most an hour; None when not told.
        rejection: why a reviewer refused it; empty while nobody has.
        revoked: whether it no longer counts because its annotator was revoked.
    """

    id: str
    annotator: str
    slot: int
    regions: tuple[Region, ...]
    time_spent: timedelta | None
    created_at: datetime
    rejection: str = ""
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The answer that was accepted.

    Attributes:
        annotation_ids: the answers that agree with it, oldest first.
        answers: answers in all when it was decided.
        agreement: share of the answers that agree, 0..1.
        posterior: probability that it is right, 0..1; 1 where a reviewer settled it; None with majority.
        time_spent: of all its answers together; None where none of them told.
        reviewer: who settled it in a review; empty where the answers did.
    """

    id: str
    regions: tuple[Region, ...]
    annotation_ids: tuple[str, ...]
    answers: int
    agreement: float
    accepted_at: datetime
    posterior: float | None = None
    time_spent: timedelta | None = None
    reviewer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask:
    """The request for a human answer about one sample, with everything that belongs to it.

    Attributes:
        reasons: flags and requests, oldest first, never empty.
        settled: how many of the reasons are settled by an outcome; the rest are why the task is open.
        overlap: answers wanted; it never sinks.
        assigned_to: the only annotators who may answer it; empty: everybody.
        answer_s: what an answer takes in this project, in seconds, as known when the last reason came.
        annotations: the answers that count, oldest first.
        withdrawn: answers that no longer count, refused by a reviewer or revoked, in the order in which that happened.
        label: the label of the last acceptance; it stands until another replaces it.
        revision: raised with each outcome that is told.
    """

    id: str
    project_id: str
    sample_id: str
    label_set_version: int
    state: State
    reasons: tuple[Reason, ...]
    settled: int
    overlap: int
    assigned_to: tuple[str, ...] = ()
    answer_s: float = USUAL_ANSWER_S
    leases: tuple[Lease, ...]
    annotations: tuple[Annotation, ...]
    withdrawn: tuple[Annotation, ...] = ()
    label: Label | None
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The reasons that are flags."""
        return tuple(reason for reason in self.reasons if isinstance(reason, Flag))

    @property
    def requests(self) -> tuple[LabelRequest, ...]:
        """The reasons that are requests."""
        return tuple(reason for reason in self.reasons if isinstance(reason, LabelRequest))

    @property
    def waiting(self) -> tuple[Reason, ...]:
        """The reasons that no outcome has settled."""
        return self.reasons[self.settled :]

    def live_leases(self, now: datetime) -> tuple[Lease, ...]:
        """The leases that hold a slot."""
        return tuple(lease for lease in self.leases if lease.is_live(now))

    def lease_of(self, annotator: str) -> Lease | None:
        """The annotator's last lease of this task, live or not."""
        return next((lease for lease in self.leases if lease.annotator == annotator), None)

    def is_answered_by(self, annotator: str) -> bool:
        """Whether the annotator has used a slot, or has been revoked since; who was refused may answer again."""
        given = (*self.annotations, *(annotation for annotation in self.withdrawn if annotation.revoked))
        return any(annotation.annotator == annotator for annotation in given)

    def rejected_of(self, annotator: str) -> Annotation | None:
        """The annotator's own answer that a reviewer refused last."""
        refused = (one for one in reversed(self.withdrawn) if one.annotator == annotator and one.rejection)
        return next(refused, None)

    def is_for(self, annotator: str) -> bool:
        """Whether the annotator is among those who may answer it."""
        return not self.assigned_to or annotator in self.assigned_to

    def was_put_to(self, annotator: str) -> bool:
        """Whether the annotator has answered it, or given it back since it was last settled."""
        lease = self.lease_of(annotator)
        return self.is_answered_by(annotator) or (lease is not None and lease.ended is LeaseEnd.RETURNED)


class Truth(StrEnum):
    """How answers become a label."""

    MAJORITY = "majority"
    WEIGHTED = "weighted"
    DAWID_SKENE = "dawid_skene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a project says about labeling; LabelingPolicy in the contract has each meaning and default.

    Attributes:
        answers_per_annotator: None where only the project's own cap holds.
        most_overlap: None where disagreement asks nobody more.
        iou: from which two regions are of the same thing.
    """

    overlap_selected: int = 1
    overlap_audit: int = 3
    overlap_disagreement: int = 3
    overlap_other: int = 1
    most_overlap: int | None = None
    answers_per_day: int = 2000
    answers_per_annotator: int | None = None
    tasks_in_hand: int = 3
    lease: timedelta = timedelta(seconds=120)
    patience: timedelta = timedelta(hours=1)
    truth: Truth = Truth.MAJORITY
    min_posterior: float = 0.8
    iou: float = 0.5
    gold_share: float = 0.0

    def overlap(self, stream: Stream) -> int:
        """Answers wanted for a flag of this stream."""
        return {
            Stream.SELECTED: self.overlap_selected,
            Stream.AUDIT: self.overlap_audit,
            Stream.DISAGREEMENT: self.overlap_disagreement,
        }[stream]


def task_id(sample_id: str, label_set_version: int) -> str:
    """The id of the one task that a sample has in a label set, ever."""
    return str(uuid5(_TASKS, f"{sample_id}\n{label_set_version}"))
