"""Kafka in: one function per event type. Each also tells lineage what came from what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from relearn.datasets.v1.events_pb2 import VersionCommitted, VersionTagged
from relearn.labeling.v1.events_pb2 import (
    AnnotationSubmitted,
    LabelAccepted,
    LabelSuperseded,
    LabelTaskClosed,
    LabelTaskOpened,
)
from relearn.monitoring.v1.events_pb2 import (
    AlertConfirmed,
    AlertOpened,
    AlertRefuted,
    AlertResolved,
    PredictionFlagged,
    ShadowCompared,
    WindowClosed,
)
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn.training.v1.events_pb2 import RunFailed, RunFinished, StudyFinished, StudySkipped, StudyStarted
from relearn_registry.events import datasets, labeling, monitoring, serving, training
from relearn_runtime import NewId, Now


def handlers(*, new_id: NewId, now: Now) -> dict[type[Any], Callable[..., Awaitable[None]]]:
    """What the registry does upon each event: all of all services, predictions aside."""
    return {
        VersionCommitted: partial(datasets.on_version_committed, new_id=new_id, now=now),
        VersionTagged: datasets.on_version_tagged,
        LabelTaskOpened: labeling.on_label_task_opened,
        AnnotationSubmitted: labeling.on_annotation_submitted,
        LabelAccepted: partial(labeling.on_label_accepted, new_id=new_id, now=now),
        LabelSuperseded: labeling.on_label_superseded,
        LabelTaskClosed: partial(labeling.on_label_task_closed, new_id=new_id, now=now),
        StudyStarted: training.on_study_started,
        StudySkipped: training.on_study_skipped,
        RunFinished: training.on_run_ended,
        RunFailed: training.on_run_ended,
        StudyFinished: training.on_study_finished,
        RouteChanged: partial(serving.on_route_changed, new_id=new_id, now=now),
        PredictionFlagged: partial(monitoring.on_prediction_flagged, new_id=new_id, now=now),
        ShadowCompared: partial(monitoring.on_shadow_compared, new_id=new_id, now=now),
        WindowClosed: monitoring.on_window_closed,
        AlertOpened: monitoring.on_alert_opened,
        AlertConfirmed: monitoring.on_alert_confirmed,
        AlertRefuted: monitoring.on_alert_refuted,
        AlertResolved: monitoring.on_alert_resolved,
    }
