"""Windows: the predictions of one version in one stretch of traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from relearn_monitoring.domain.drift import DriftScore
from relearn_monitoring.domain.picks import derived_id
from relearn_monitoring.domain.profile import Profile

MIN_SCORED = 50
"""A window of fewer predictions says nothing about drift."""

OVER_IN_A_ROW = 2
"""Windows in a row over the threshold that open an alert: one alone is chance too often to be worth labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWindow:
    """A window that still grows.

    Attributes:
        start_at, end_at: times of predictions.
        opened_at: our time.
        last_event_id: of the event that told its last prediction.
    """

    model_version_id: str
    project_id: str
    number: int
    profile: Profile
    start_at: datetime
    end_at: datetime
    opened_at: datetime
    last_event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedWindow:
    """A window as it is told."""

    window_id: str
    project_id: str
    model_version_id: str
    number: int
    predictions: int
    start_at: datetime
    end_at: datetime
    closed_at: datetime
    drift_scores: tuple[DriftScore, ...]
    mean_confidence: float
    predicted_labels: tuple[int, ...]
    missing_predictions: int


def closed(window: OpenWindow, *, scores: tuple[DriftScore, ...], missing: int, now: datetime) -> ClosedWindow:
    """The window when it takes no more predictions. Its id follows from version and number."""
    return ClosedWindow(
        window_id=derived_id(window.model_version_id, "window", str(window.number)),
        project_id=window.project_id,
        model_version_id=window.model_version_id,
        number=window.number,
        predictions=window.profile.n,
        start_at=window.start_at,
        end_at=window.end_at,
        closed_at=now,
        drift_scores=scores,
        mean_confidence=window.profile.mean_confidence,
        predicted_labels=tuple(window.profile.labels.tolist()),
        missing_predictions=missing,
    )
