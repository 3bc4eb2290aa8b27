"""When a project learns again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class Trigger(Enum):
    """What started a study."""

    INITIAL = "initial"
    NEW_LABELS = "new_labels"
    CONFIRMED_ALERT = "confirmed_alert"
    MANUAL = "manual"


class NotNow(Enum):
    """Why no study starts; the value is the code that people and programs see."""

    PAUSED = "PAUSED"
    STUDY_RUNNING = "STUDY_RUNNING"
    UNSUPPORTED = "UNSUPPORTED"
    TOO_FEW_LABELS = "TOO_FEW_LABELS"
    TOO_FEW_NEW_LABELS = "TOO_FEW_NEW_LABELS"
    COOL_DOWN = "COOL_DOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The project's numbers for when to train; see TrainingPolicy in the contract.

    Attributes:
        trainable: whether its samples are pictures with exactly one class each.
    """

    min_train_labels: int
    min_validation_labels: int
    new_labels: int
    new_labels_after_alert: int
    cool_down: timedelta
    paused: bool
    trainable: bool
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """What is known of a dataset version: how many labels it holds, by use."""

    id: str
    number: int
    train: int
    validation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the decision looks at, of one project.

    Attributes:
        newest: dataset version; None before the first commit.
        studied: newest dataset version that a study did not fail on; None before the first.
        failed_on: number of the newest dataset version that a study failed on, if none newer was studied; else 0.
        failure: why that study failed.
        study_running: whether one runs now.
        study_ended_at: when the last one ended.
        champion: model version that serves; empty for none.
        confirmed_at: when an alert on the champion was confirmed that is not over; None without one.
        alert_id: of that alert; empty without one.
        rolled_back_at: when a person last brought an older version back.
    """

    newest: DatasetVersion | None
    studied: DatasetVersion | None
    failed_on: int
    failure: str
    study_running: bool
    study_ended_at: datetime | None
    champion: str
    alert_id: str
    confirmed_at: datetime | None
    rolled_back_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The situation of one project with what a study that starts now must name.

    Attributes:
        champion_run_id, champion_version_n: run and dataset version number of the champion; "" and 0 without one.
        alert_version_n: number of the newest dataset version when the confirmed alert opened; 0 without one.
        causes: ids of the events the situation rests on: the newest version's, the confirmed alert's.
    """

    project_id: str
    situation: Situation
    champion_run_id: str
    champion_version_n: int
    alert_version_n: int
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A study is due."""

    trigger: Trigger
    detail: str
    alert_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """No study now.

    Attributes:
        detail: one line with numbers.
        until: when to look again without being told; None where only an event can change the answer.
        needs_person: nothing but a person's decision is missing.
        progress: of what is waited for, 0..1; None where that cannot be told.
    """

    reason: NotNow
    detail: str
    until: datetime | None = None
    progress: float | None = None
    needs_person: bool = False


Decision = Start | Wait


def decide(situation: Situation, policy: Policy, *, now: datetime) -> Decision:
    """Whether a study starts by itself now.

    The first study needs enough labels at all. A later one needs more train labels than the newest version that was
    studied had, imported or selected from traffic alike. A confirmed alert on the champion lowers their number and
    ends the cool-down; alone it starts nothing. A rollback cools down, too: what a person undid must not come back at
    once, unless an alert is confirmed after it.
    """
    if (unsupported := never(policy)) is not None:
        return unsupported
    if policy.paused:
        return Wait(reason=NotNow.PAUSED, detail="the project is paused", needs_person=True)
    if situation.study_running:
        return Wait(reason=NotNow.STUDY_RUNNING, detail="a study is running; one at a time")
    newest = situation.newest
    if (missing := _missing(newest, policy)) is not None:
        return missing
    assert newest is not None  # noqa: S101 - _missing says so
    if situation.failed_on == newest.number:
        return Wait(
            reason=NotNow.TOO_FEW_NEW_LABELS,
            detail=f"the study of this dataset version failed ({situation.failure}); start one by hand, or add labels",
            needs_person=True,
        )
    if situation.studied is None:
        return Start(
            trigger=Trigger.INITIAL,
            detail=f"{newest.train} train and {newest.validation} validation labels are enough for the first study",
        )
    hurried = situation.confirmed_at is not None
    found, needed = max(0, newest.train - situation.studied.train), _needed(situation, policy)
    numbers = f"{found} of {needed} new train labels {'after a confirmed alert' if hurried else 'since the last study'}"
    if found < needed:
        return Wait(reason=NotNow.TOO_FEW_NEW_LABELS, detail=numbers, progress=found / needed)
    cools_until = _cools_until(situation, policy)
    if cools_until is not None and now < cools_until:
        return Wait(
            reason=NotNow.COOL_DOWN,
            detail=f"{numbers}, but cooling down until {cools_until:%H:%M:%S} UTC",
            until=cools_until,
        )
    if hurried:
        return Start(trigger=Trigger.CONFIRMED_ALERT, detail=numbers, alert_id=situation.alert_id)
    return Start(trigger=Trigger.NEW_LABELS, detail=numbers)


def never(policy: Policy) -> Wait | None:
    """Why nothing is ever trained in such a project; None where models are."""
    if policy.trainable:
        return None
    return Wait(
        reason=NotNow.UNSUPPORTED,
        detail="models are trained on pictures with one class each; this project is labeled and versioned only",
    )


def enough(version: DatasetVersion | None, policy: Policy) -> Wait | None:
    """What a study started by hand lacks; None when it may start. New labels and cool-down are the person's affair."""
    return _missing(version, policy)


def _missing(version: DatasetVersion | None, policy: Policy) -> Wait | None:
    if version is None:
        return Wait(reason=NotNow.TOO_FEW_LABELS, detail="no dataset version yet", progress=0.0)
    train, validation = policy.min_train_labels, policy.min_validation_labels
    if version.train >= train and version.validation >= validation:
        return None
    return Wait(
        reason=NotNow.TOO_FEW_LABELS,
        detail=f"{version.train} of {train} train labels, {version.validation} of {validation} validation labels",
        progress=min(1.0, version.train / train, version.validation / max(1, validation)),
    )


def _needed(situation: Situation, policy: Policy) -> int:
    """How many new train labels a later study needs."""
    if not situation.champion:  # nothing was good enough to serve: as many as for the first study are worth a try
        return min(policy.new_labels, policy.min_train_labels)
    if situation.confirmed_at is None:
        return policy.new_labels
    return min(policy.new_labels, policy.new_labels_after_alert)  # an alert never raises the number


def _cools_until(situation: Situation, policy: Policy) -> datetime | None:
    starts = []
    if situation.study_ended_at is not None and situation.confirmed_at is None:
        starts.append(situation.study_ended_at)
    rolled_back, confirmed = situation.rolled_back_at, situation.confirmed_at
    if rolled_back is not None and (confirmed is None or confirmed <= rolled_back):
        starts.append(rolled_back)
    return max(starts) + policy.cool_down if starts else None
