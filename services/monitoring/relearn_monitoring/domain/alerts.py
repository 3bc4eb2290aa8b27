"""What operations are told about one model version, until labels confirm or refute it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from relearn_monitoring.domain.detector import fresh, watch
from relearn_monitoring.domain.predictions import FloatArray
from relearn_monitoring.domain.quality import (
    Audit,
    Quality,
    evidence_of_harm,
    p_value_of_harm,
    quality,
)
from relearn_runtime.errors import WrongState

ERROR_PROBABILITY = 0.05
"""Of confirming an alert on a version that is good enough; half for looking all the time, half for the last look."""

BACK_RUN = 100.0
"""Average audits until a bad version's alert is resolved by mistake."""


class Kind(StrEnum):
    """What raised it."""

    SHIFT = "shift"
    HARM = "harm"


class State(StrEnum):
    """Where it stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; at most one of a version is open or confirmed.

    Attributes:
        predictions: of the version since its reference was frozen, when it opened.
        prediction_id, window_id, label_id: what it opened at; one of them.
        predicted_at: from when on predictions are its business.
        limit: accuracy below which the version is harmed: the reference's lower bound less the margin.
        audits_wanted, selected_wanted: labels it asks for.
    """

    alert_id: str
    project_id: str
    model_version_id: str
    kind: Kind
    state: State
    detector: str
    value: float
    threshold: float
    predictions: int
    prediction_id: str
    window_id: str
    label_id: str
    predicted_at: datetime
    reason: str
    project_revision: int
    opened_at: datetime
    updated_at: datetime
    limit: float
    reference_quality: float
    audits_wanted: int
    selected_wanted: int
    quality: Quality | None = None

    @property
    def live(self) -> bool:
        """Whether it still says something about its version."""
        return self.state in (State.OPEN, State.CONFIRMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One settled audit: its outcome, or None where people could not agree, and the label it rests on."""

    audit: Audit | None
    label_id: str


def settle(alert: Alert, outcomes: Sequence[Outcome], *, now: datetime) -> Alert:
    """The open shift alert after these audits, in the order they were settled.

    Confirmed as soon as the evidence of harm is strong enough at any time, or by an exact test once all the audits it
    asked for are settled; refuted when they are settled and do not show harm. It is never refuted early: labels that
    are hard to agree on come late, and they are the likelier mistakes.

    Raises:
        WrongState: the alert is not open.
    """
    if alert.state is not State.OPEN:
        raise WrongState(f"alert {alert.alert_id} is {alert.state}, not open")
    audits = [outcome.audit for outcome in outcomes if outcome.audit is not None]
    correct = [audit.correct for audit in audits]
    seen = replace(alert, quality=quality(audits))
    if evidence_of_harm(correct, limit=alert.limit) >= 2 / ERROR_PROBABILITY:
        return _moved(seen, State.CONFIRMED, now=now, how="harm shown before all audits were in")
    if len(outcomes) < alert.audits_wanted:
        return seen
    if p_value_of_harm(correct, limit=alert.limit) <= ERROR_PROBABILITY / 2:
        return _moved(seen, State.CONFIRMED, now=now, how="harm shown")
    return _moved(seen, State.REFUTED, now=now, how="harm not shown")


def resolve(alert: Alert, *, why: str, now: datetime) -> Alert:
    """The alert when it is over.

    Raises:
        WrongState: it was over before.
    """
    if not alert.live:
        raise WrongState(f"alert {alert.alert_id} is {alert.state}: over before")
    return replace(alert, state=State.RESOLVED, reason=f"{alert.reason}; {why}", updated_at=now)


def harmed(correct: FloatArray, *, limit: float, run: float) -> float | None:
    """Value of the harm detector when these audits, oldest first, bring it to its threshold; else None."""
    if not len(correct):
        return None
    _, alarm = watch(fresh((1 - limit,)), 1 - correct[:, None], run=run)
    return None if alarm is None else alarm.value


def is_back(correct: FloatArray, *, limit: float) -> bool:
    """Whether audits since the confirmation, oldest first, show that the accuracy is above the limit again."""
    if not len(correct):
        return False
    return watch(fresh((limit,)), correct[:, None], run=BACK_RUN)[1] is not None


def _moved(alert: Alert, state: State, *, now: datetime, how: str) -> Alert:
    found = alert.quality
    numbers = f"accuracy {found.accuracy:.2f} [{found.lower:.2f}, {found.upper:.2f}]" if found else "no label"
    audits = found.audits if found else 0
    reason = f"{how}: {numbers} in {audits} audits against at least {alert.limit:.2f}"
    return replace(alert, state=state, reason=reason, updated_at=now)
