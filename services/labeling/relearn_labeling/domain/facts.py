"""What has happened to a task: each fact becomes one event. `task` is the task right after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from relearn_labeling.domain.tasks import Annotation, Label, LabelTask, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A task was created, reopened, or joined by one more reason."""

    task: LabelTask
    reason: Reason
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An annotator answered."""

    task: LabelTask
    annotation: Annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A label holds no longer: another one replaced it, or nothing did (`by_label_id` is empty)."""

    task: LabelTask
    label_id: str
    by_label_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A label was accepted; `repeated` when it is the one that was told before, for a new flag."""

    task: LabelTask
    label: Label
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """The task closed without a majority; `unanswerable` where annotators said that there is no answer."""

    task: LabelTask
    at: datetime
    unanswerable: bool = False


Fact: TypeAlias = Opened | Answered | Superseded | Accepted | Disputed
