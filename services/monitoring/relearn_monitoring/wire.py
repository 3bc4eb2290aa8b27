"""Protobuf to domain and back; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from relearn.monitoring.v1 import alert_pb2, events_pb2, flag_pb2, monitoring_service_pb2, window_pb2
from relearn.registry.v1.model_version_pb2 import ModelVersion
from relearn.registry.v1.project_pb2 import Project
from relearn.serving.v1.events_pb2 import ImageStatistics, PredictionMade
from relearn_monitoring.domain.alerts import Alert, Kind, State
from relearn_monitoring.domain.budget import Ledger, Purse, Stream
from relearn_monitoring.domain.picks import Against, Pick
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.predictions import MAX_EMBEDDING, STATISTICS, FloatArray
from relearn_monitoring.domain.quality import Quality
from relearn_monitoring.domain.shadow import Comparison
from relearn_monitoring.domain.watches import Arm, Made
from relearn_monitoring.domain.windows import ClosedWindow
from relearn_runtime import Event
from relearn_runtime.errors import InvalidInput

ARMS: Final = {
    PredictionMade.ARM_CHAMPION: Arm.CHAMPION,
    PredictionMade.ARM_CANARY: Arm.CANARY,
    PredictionMade.ARM_SHADOW: Arm.SHADOW,
    PredictionMade.ARM_PINNED: Arm.PINNED,
}
STREAMS: Final = {
    Stream.AUDIT: flag_pb2.STREAM_AUDIT,
    Stream.SELECTED: flag_pb2.STREAM_SELECTED,
    Stream.DISAGREEMENT: flag_pb2.STREAM_DISAGREEMENT,
}
KINDS: Final = {Kind.SHIFT: alert_pb2.Alert.KIND_SHIFT, Kind.HARM: alert_pb2.Alert.KIND_HARM}
STATES: Final = {
    State.OPEN: alert_pb2.Alert.STATE_OPEN,
    State.CONFIRMED: alert_pb2.Alert.STATE_CONFIRMED,
    State.REFUTED: alert_pb2.Alert.STATE_REFUTED,
    State.RESOLVED: alert_pb2.Alert.STATE_RESOLVED,
}
_PROVISIONAL = "reference.safetensors"


def policy(project: Project) -> Policy:
    """The project's monitoring policy; what it leaves out has the contract's default."""
    own, gate = project.monitoring, project.promotion

    def chosen(message: object, name: str, default: float) -> float:
        return float(getattr(message, name)) if message.HasField(name) else default  # type: ignore[attr-defined]

    return Policy(
        project_id=project.project_id,
        revision=project.revision,
        paused=project.state == Project.STATE_PAUSED,
        classes=tuple(project.label_set.classes),
        labels_per_day=int(chosen(own, "labels_per_day", 500)),
        audit_share=chosen(own, "audit_share", 0.1),
        reserve_share=chosen(own, "reserve_share", 0.8),
        audits_per_alert=int(chosen(own, "audits_per_alert", 50)),
        selected_per_alert=int(chosen(own, "selected_per_alert", 200)),
        predictions_per_day=int(chosen(own, "predictions_per_day", 100_000)),
        window_predictions=int(chosen(own, "window_predictions", 500)),
        window_after_s=own.window_after.ToTimedelta().total_seconds() if own.HasField("window_after") else 300.0,
        reference_predictions=int(chosen(own, "reference_predictions", 1000)),
        predictions_per_false_alarm=int(chosen(own, "predictions_per_false_alarm", 1_000_000)),
        margin=chosen(own, "margin", 0.05),
        waiting_inputs=int(chosen(own, "waiting_inputs", 2000)),
        shadow_pairs=int(chosen(gate, "shadow_pairs", 1000)),
        min_disagreement=chosen(gate, "min_disagreement", 0.02),
        disagreements_per_look=int(chosen(gate, "disagreements_per_look", 60)),
    )


def made(event: Event[PredictionMade], *, classes: int) -> Made:
    """A prediction as it came; an arm of tomorrow is no evidence today.

    Raises:
        InvalidInput: an id is missing, or its numbers are none: it can never be counted.
    """
    message = event.message
    ids = {name: getattr(message, name) for name in ("prediction_id", "project_id", "model_version_id", "gateway_id")}
    if missing := [name for name, value in ids.items() if not value]:
        raise InvalidInput(f"prediction {message.prediction_id!r} lacks {', '.join(missing)}")
    if message.arm == PredictionMade.ARM_SHADOW and not message.champion_prediction_id:
        raise InvalidInput(f"shadow prediction {message.prediction_id!r} names no prediction of the champion")
    probabilities = np.array(message.probabilities, dtype=np.float64)
    whole = len(probabilities) == classes and np.isfinite(probabilities).all() and (probabilities >= 0).all()
    if not whole or abs(probabilities.sum() - 1) > 1e-2:
        raise InvalidInput(f"prediction {message.prediction_id!r} needs {classes} probabilities that sum to 1")
    if len(message.embedding) % 2 or len(message.embedding) > 2 * MAX_EMBEDDING:
        raise InvalidInput(f"embedding of {len(message.embedding)} bytes is no fp16 vector of at most {MAX_EMBEDDING}")
    embedding = np.frombuffer(message.embedding, dtype="<f2").astype(np.float64)
    if not np.isfinite(embedding).all():
        raise InvalidInput(f"embedding of prediction {message.prediction_id!r} is not finite")
    return Made(
        **ids,
        arm=ARMS.get(message.arm, Arm.PINNED),
        champion_prediction_id=message.champion_prediction_id,
        route_revision=message.route_revision,
        partition_key=message.partition_key,
        sequence=message.sequence,
        predicted_at=message.predict_time.ToDatetime(UTC),
        content=message.input_content if message.HasField("input_content") else None,
        input_key=message.input_key,
        sha256=message.input_sha256,
        group_key=message.group_key,
        probabilities=probabilities,
        predicted_label=message.predicted_label,
        confidence=message.confidence,
        embedding=embedding,
        statistics=_statistics(message),
        event_id=event.id,
        traceparent=event.traceparent or "",
    )


def validated(version: ModelVersion) -> Quality | None:
    """Accuracy on the population that its training run found hardest; None when it measured none."""
    measured = [one for one in version.measurements if one.name.startswith("accuracy/")]
    qualities = [
        Quality(
            accuracy=one.value,
            lower=one.lower if one.HasField("lower") else one.value,
            upper=one.upper if one.HasField("upper") else one.value,
            audits=one.samples,
        )
        for one in measured
    ]
    return min(qualities, key=lambda found: found.lower, default=None)


def provisional_key(version: ModelVersion) -> str:
    """Where the training run's own reference lies; empty without one."""
    return next((file.key for file in version.files if file.name == _PROVISIONAL), "")


def flag(pick: Pick, *, sample_id: str, now: datetime) -> flag_pb2.Flag:
    """The flag that a pick becomes."""
    message = flag_pb2.Flag(
        flag_id=pick.flag_id,
        project_id=pick.project_id,
        prediction_id=pick.prediction_id,
        sample_id=sample_id,
        stream=STREAMS[pick.stream],
        probability=pick.probability,
        reason=pick.reason,
        model_version_id=pick.model_version_id,
        predicted_label=pick.predicted_label,
        confidence=pick.confidence,
        alert_id=pick.alert_id,
        project_revision=pick.project_revision,
        predict_time=timestamp(pick.predicted_at),
        flag_time=timestamp(now),
        pick_time=timestamp(pick.picked_at),
    )
    if pick.against is not None:
        message.disagreement.CopyFrom(_disagreement(pick, pick.against))
    return message


def alert(alert: Alert) -> alert_pb2.Alert:
    """An alert."""
    return alert_pb2.Alert(
        alert_id=alert.alert_id,
        project_id=alert.project_id,
        model_version_id=alert.model_version_id,
        kind=KINDS[alert.kind],
        state=STATES[alert.state],
        detector=alert.detector,
        value=alert.value,
        threshold=alert.threshold,
        predictions=alert.predictions,
        quality=quality(alert.quality),
        reference_quality=alert.reference_quality,
        reason=alert.reason,
        project_revision=alert.project_revision,
        open_time=timestamp(alert.opened_at),
        update_time=timestamp(alert.updated_at),
        prediction_id=alert.prediction_id,
        window_id=alert.window_id,
        label_id=alert.label_id,
    )


def quality(found: Quality | None) -> alert_pb2.Quality | None:
    """Quality with its interval; absent when nothing is known."""
    if found is None:
        return None
    return alert_pb2.Quality(accuracy=found.accuracy, lower=found.lower, upper=found.upper, audits=found.audits)


def window(window: ClosedWindow, *, audited: Quality | None) -> window_pb2.Window:
    """A closed window, with the quality that audits gave it so far."""
    return window_pb2.Window(
        window_id=window.window_id,
        project_id=window.project_id,
        model_version_id=window.model_version_id,
        number=window.number,
        predictions=window.predictions,
        start_time=timestamp(window.start_at),
        end_time=timestamp(window.end_at),
        drift_scores=[
            window_pb2.DriftScore(signal=score.signal, value=score.value, threshold=score.threshold)
            for score in window.drift_scores
        ],
        mean_confidence=window.mean_confidence,
        quality=quality(audited),
        predicted_labels=window.predicted_labels,
        missing_predictions=window.missing_predictions,
        close_time=timestamp(window.closed_at),
    )


def shadow_compared(comparison: Comparison, *, now: datetime) -> events_pb2.ShadowCompared:
    """How the two compare so far."""
    return events_pb2.ShadowCompared(
        project_id=comparison.project_id,
        champion_model_version_id=comparison.champion,
        challenger_model_version_id=comparison.challenger,
        pairs=comparison.pairs,
        disagreements=comparison.disagreements,
        asked=comparison.asked,
        wanted=comparison.wanted,
        stop_reason=comparison.stop_reason.value,
        revision=comparison.revision,
        compare_time=timestamp(now),
    )


def label_budget(ledger: Ledger, policy: Policy) -> monitoring_service_pb2.LabelBudget:
    """A day's labels by stream, all purses together."""
    streams = []
    for stream in Stream:
        entries = [ledger.entries[stream, purse] for purse in Purse if (stream, purse) in ledger.entries]
        reserved, spent = sum(entry.reserved for entry in entries), sum(entry.spent for entry in entries)
        streams.append(monitoring_service_pb2.StreamBudget(stream=stream.value, reserved=reserved, spent=spent))
    day = ledger.day.isoformat()
    return monitoring_service_pb2.LabelBudget(day=day, labels=policy.labels_per_day, streams=streams)


def timestamp(at: datetime) -> Timestamp:
    """A time on the wire."""
    message = Timestamp()
    message.FromDatetime(at)
    return message


def _statistics(message: PredictionMade) -> FloatArray:
    if not message.HasField("image_statistics"):
        return np.full(len(STATISTICS), np.nan)
    found: ImageStatistics = message.image_statistics
    sizes = np.log([max(1, found.size_bytes), max(1, found.width * found.height)])
    # in the precision in which references are kept: a constant must fall into the same bin before and after
    single = np.array([found.brightness, found.contrast, found.sharpness, *sizes], dtype=np.float32)
    return single.astype(np.float64)


def _disagreement(pick: Pick, against: Against) -> flag_pb2.Disagreement:
    return flag_pb2.Disagreement(
        champion_model_version_id=pick.model_version_id,
        challenger_model_version_id=against.challenger,
        champion_label=pick.predicted_label,
        challenger_label=against.challenger_label,
        challenger_prediction_id=against.challenger_prediction_id,
        number=against.number,
    )
