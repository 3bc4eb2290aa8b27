"""What monitoring knows: versions under watch, alerts, windows, the label budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relearn.monitoring.v1 import alert_pb2, window_pb2
from relearn.monitoring.v1 import monitoring_service_pb2 as pb
from relearn_client import pages
from relearn_client.calls import Calls
from relearn_client.times import when

KINDS = {alert_pb2.Alert.KIND_SHIFT: "shift", alert_pb2.Alert.KIND_HARM: "harm"}
STATES = {
    alert_pb2.Alert.STATE_OPEN: "open",
    alert_pb2.Alert.STATE_CONFIRMED: "confirmed",
    alert_pb2.Alert.STATE_REFUTED: "refuted",
    alert_pb2.Alert.STATE_RESOLVED: "resolved",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Share of right answers from audits, with its 95 % interval."""

    accuracy: float
    lower: float
    upper: float
    audits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What operations are told about one version; `quality` is None until audits have spoken."""

    alert_id: str
    project_id: str
    model_version_id: str
    kind: str
    state: str
    reason: str
    detector: str
    quality: Quality | None
    reference_quality: float | None
    opened_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedVersion:
    """A version under watch; it alarms when `detector_value` passes `detector_threshold`."""

    model_version_id: str
    predictions: int
    reference_predictions: int
    reference_frozen: bool
    detector_value: float
    detector_threshold: float
    quality: Quality | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBudget:
    """Labels of a stream: picked and not flagged yet, and flagged."""

    reserved: int
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBudget:
    """The labels of one UTC day (ISO 8601), by stream."""

    day: str
    labels: int
    streams: Mapping[str, StreamBudget]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """The state of monitoring in a project; `alerts` are those open or confirmed."""

    versions: tuple[WatchedVersion, ...]
    alerts: tuple[Alert, ...]
    budget: LabelBudget
    predictions: int
    missing_predictions: int
    refused_inputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One signal of a window against its threshold."""

    signal: str
    value: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The predictions of one version in one stretch of traffic. `mean_confidence` is an estimate, not a quality."""

    window_id: str
    model_version_id: str
    number: int
    predictions: int
    drift: tuple[Drift, ...]
    mean_confidence: float
    quality: Quality | None
    started_at: datetime
    ended_at: datetime


def state(calls: Calls, project_id: str) -> Monitoring:
    """The state of monitoring in a project."""
    request = pb.GetMonitoringRequest(project_id=project_id)
    found = calls.ask("monitoring", calls.monitoring.GetMonitoring, request)
    streams = {one.stream: StreamBudget(reserved=one.reserved, spent=one.spent) for one in found.budget.streams}
    return Monitoring(
        versions=tuple(_watched(one) for one in found.versions),
        alerts=tuple(_alert(one) for one in found.alerts),
        budget=LabelBudget(day=found.budget.day, labels=found.budget.labels, streams=streams),
        predictions=found.predictions,
        missing_predictions=found.missing_predictions,
        refused_inputs=found.refused_inputs,
    )


def alerts(calls: Calls, project_id: str, *, limit: int | None) -> tuple[Alert, ...]:
    """Alerts of a project, newest first."""

    def page(token: str) -> pb.ListAlertsResponse:
        request = pb.ListAlertsRequest(project_id=project_id, page_size=pages.PAGE, page_token=token)
        return calls.ask("monitoring", calls.monitoring.ListAlerts, request)

    return tuple(_alert(one) for one in pages.every(page, lambda found: found.alerts, limit=limit))


def windows(calls: Calls, project_id: str, *, limit: int | None) -> tuple[Window, ...]:
    """Closed windows of a project, newest first."""

    def page(token: str) -> pb.ListWindowsResponse:
        request = pb.ListWindowsRequest(project_id=project_id, page_size=pages.PAGE, page_token=token)
        return calls.ask("monitoring", calls.monitoring.ListWindows, request)

    return tuple(_window(one) for one in pages.every(page, lambda found: found.windows, limit=limit))


def _watched(message: pb.WatchedVersion) -> WatchedVersion:
    return WatchedVersion(
        model_version_id=message.model_version_id,
        predictions=message.predictions,
        reference_predictions=message.reference_predictions,
        reference_frozen=message.reference_frozen,
        detector_value=message.detector_value,
        detector_threshold=message.detector_threshold,
        quality=_quality(message.quality),
    )


def _alert(message: alert_pb2.Alert) -> Alert:
    return Alert(
        alert_id=message.alert_id,
        project_id=message.project_id,
        model_version_id=message.model_version_id,
        kind=KINDS.get(message.kind, "unknown"),
        state=STATES.get(message.state, "unknown"),
        reason=message.reason,
        detector=message.detector,
        quality=_quality(message.quality),
        reference_quality=message.reference_quality if message.HasField("reference_quality") else None,
        opened_at=when(message.open_time),
        updated_at=when(message.update_time),
    )


def _window(message: window_pb2.Window) -> Window:
    return Window(
        window_id=message.window_id,
        model_version_id=message.model_version_id,
        number=message.number,
        predictions=message.predictions,
        drift=tuple(Drift(signal=s.signal, value=s.value, threshold=s.threshold) for s in message.drift_scores),
        mean_confidence=message.mean_confidence,
        quality=_quality(message.quality),
        started_at=when(message.start_time),
        ended_at=when(message.end_time),
    )


def _quality(message: alert_pb2.Quality) -> Quality | None:
    if message.audits == 0:
        return None
    return Quality(accuracy=message.accuracy, lower=message.lower, upper=message.upper, audits=message.audits)
