"""What events of datasets, training, serving and monitoring, and the registry's own, tell about lineage."""

from __future__ import annotations

from typing import TypeAlias

from relearn.datasets.v1 import events_pb2 as datasets
from relearn.monitoring.v1 import events_pb2 as monitoring
from relearn.serving.v1 import events_pb2 as serving
from relearn.serving.v1.route_pb2 import Route
from relearn.training.v1 import events_pb2 as training
from relearn.training.v1.study_pb2 import Run
from relearn_registry.domain.judgements import Judgement
from relearn_registry.domain.lineage import Facts, Node, Relation
from relearn_registry.domain.model_versions import ModelVersion
from relearn_registry.wire.lineage_of_labels import led_to, named
from relearn_registry.wire.times import moment_if_set
from relearn_runtime import Event

AlertSettled: TypeAlias = monitoring.AlertConfirmed | monitoring.AlertRefuted
_PHASES = {
    Route.PHASE_SERVING: "serves alone",
    Route.PHASE_SHADOW: "with a shadow",
    Route.PHASE_CANARY: "with a canary",
}


def of_dataset_version(event: Event[datasets.VersionCommitted]) -> Facts:
    """labels or import -> dataset version -> the next one."""
    told, version = event.message, event.message.dataset_version
    new = version.new_counts
    changed = new.imported + new.audit + new.selected + new.disagreement
    node = Node(
        id=version.dataset_version_id,
        kind="dataset version",
        project_id=told.project_id,
        summary=f"{changed} labels new or changed, {version.counts.train} to train on: {version.message}",
        occurred_at=moment_if_set(version.create_time),
        rank=1,
    )
    imported = Node(
        id=told.import_id,
        kind="import",
        project_id=told.project_id,
        summary=f"import of {new.imported} labels",
        occurred_at=node.occurred_at,
        rank=1,
    )
    parent = version.parent_dataset_version_id
    return (
        Facts(nodes=(node, imported) if told.import_id else (node,))
        + named("label", told.project_id, *told.label_ids)
        + named("dataset version", told.project_id, parent)
        + led_to(event.id, [*told.label_ids, told.import_id], node.id)
        + led_to(event.id, [parent], node.id, Relation.LATER_VERSION)
    )


def of_tag(event: Event[datasets.VersionTagged]) -> Facts:
    """dataset version -> tag."""
    told = event.message
    tag = Node(
        id=f"{told.dataset_version_id}/tag/{told.tag}",
        kind="tag",
        project_id=told.project_id,
        summary=f"tagged {told.tag!r}",
        occurred_at=moment_if_set(told.tag_time),
        rank=1,
    )
    version = named("dataset version", told.project_id, told.dataset_version_id)
    return Facts(nodes=(tag,)) + version + led_to(event.id, [told.dataset_version_id], tag.id)


def of_started_study(event: Event[training.StudyStarted]) -> Facts:
    """dataset version (and the confirmed alert that hurried it) -> study."""
    study, project = event.message.study, event.message.project_id
    node = Node(
        id=study.study_id,
        kind="study",
        project_id=project,
        summary=f"{study.trials} trials: {study.reason}",
        occurred_at=moment_if_set(study.start_time),
        rank=1,
    )
    alert = confirmed(study.alert_id)
    return (
        Facts(nodes=(node,))
        + named("dataset version", project, study.dataset_version_id)
        + named("alert confirmed", project, alert)
        + named("model version", project, study.champion_model_version_id)
        + led_to(event.id, [study.dataset_version_id, alert], study.study_id)
        + led_to(event.id, [study.champion_model_version_id], study.study_id, Relation.ASIDE)
    )


def of_skipped_study(event: Event[training.StudySkipped]) -> Facts:
    """dataset version -> the decision not to train on it now."""
    told = event.message
    node = Node(
        id=event.id,
        kind="study skipped",
        project_id=told.project_id,
        summary=f"{told.reason}: {told.detail}",
        occurred_at=moment_if_set(told.decide_time),
        rank=1,
    )
    version = named("dataset version", told.project_id, told.dataset_version_id)
    return Facts(nodes=(node,)) + version + led_to(event.id, [told.dataset_version_id], event.id)


def of_run(run: Run, event_id: str) -> Facts:
    """study -> run."""
    outcome = f"objective {run.objective:.4f}" if run.HasField("objective") else run.failure or "no outcome"
    node = Node(
        id=run.run_id,
        kind="run",
        project_id=run.project_id,
        summary=f"trial {run.trial}, {run.family}: {outcome}",
        occurred_at=moment_if_set(run.end_time),
        rank=1,
    )
    study = named("study", run.project_id, run.study_id)
    return Facts(nodes=(node,)) + study + led_to(event_id, [run.study_id], run.run_id)


def of_finished_study(event: Event[training.StudyFinished]) -> Facts:
    """study -> its winner."""
    told = event.message
    study = named("study", told.project_id, told.study.study_id)
    return study + of_run(told.winner, event.id) if told.HasField("winner") else study


def of_model_version(version: ModelVersion, event_id: str) -> Facts:
    """run -> model version."""
    node = Node(
        id=version.model_version_id,
        kind="model version",
        project_id=version.project_id,
        summary=f"{version.family}, trained on {version.dataset_version_id}",
        occurred_at=version.registered_at,
        rank=1,
    )
    run = named("run", version.project_id, version.run_id)
    return Facts(nodes=(node,)) + run + led_to(event_id, [version.run_id], node.id)


def of_judgement(project_id: str, judged: Judgement, event_id: str) -> Facts:
    """model version (with the labels and the comparison of step 2) -> judgement."""
    by = f" by {judged.person}" if judged.person else ""
    node = Node(
        id=judged.judgement_id,
        kind="judgement",
        project_id=project_id,
        summary=f"gate step {judged.step}: {judged.verdict.value}{by}: {judged.finding.reason}",
        occurred_at=judged.judged_at,
        rank=1,
    )
    labels = judged.finding.label_ids
    compared = _comparison(judged.champion_id or "", judged.model_version_id) if judged.step == 2 else ""
    return (
        Facts(nodes=(node,))
        + named("label", project_id, *labels)
        + named("shadow comparison", project_id, compared)
        + led_to(event_id, [judged.model_version_id, compared, *labels], node.id)
    )


def of_route(event: Event[serving.RouteChanged]) -> Facts:
    """judgement or confirmed alert -> route, and route -> the next one of the same rollout."""
    told, route = event.message, event.message.route
    outcome = serving.RouteChanged.Outcome.Name(told.outcome) if told.outcome in _OUTCOMES else "OUTCOME_UNKNOWN"
    phase = _PHASES.get(route.phase, "in an unknown phase")
    node = Node(
        id=route.route_id,
        kind="route",
        project_id=told.project_id,
        summary=(
            f"{outcome.removeprefix('OUTCOME_').lower().replace('_', ' ')}: {route.champion_model_version_id} {phase}"
            + (f" {route.challenger_model_version_id} at {route.weight_percent} %" if route.weight_percent else "")
            + f": {told.reason}"
        ),
        occurred_at=moment_if_set(route.change_time),
        rank=1,
    )
    starts = told.outcome in {serving.RouteChanged.OUTCOME_FIRST, serving.RouteChanged.OUTCOME_STARTED}
    before = "" if starts else f"{told.project_id}/route/{route.revision - 1}"
    alert = confirmed(told.alert_id)
    return (
        Facts(nodes=(node,))
        + named("judgement", told.project_id, told.judgement_id)
        + named("alert confirmed", told.project_id, alert)
        + led_to(event.id, [before, told.judgement_id, alert], route.route_id)
    )


def of_opened_alert(event: Event[monitoring.AlertOpened]) -> Facts:
    """prediction -> alert."""
    alert = event.message.alert
    node = Node(
        id=alert.alert_id,
        kind="alert",
        project_id=alert.project_id,
        summary=f"about {alert.model_version_id}, {alert.detector}: {alert.reason}",
        occurred_at=moment_if_set(alert.open_time),
        rank=1,
    )
    prediction = named("prediction", alert.project_id, alert.prediction_id)
    return Facts(nodes=(node,)) + prediction + led_to(event.id, [alert.prediction_id], alert.alert_id)


def of_settled_alert(event: Event[AlertSettled], *, how: str) -> Facts:
    """alert and the labels it rests on -> confirmed or refuted."""
    told, alert = event.message, event.message.alert
    node = Node(
        id=f"{alert.alert_id}/{how}",
        kind=f"alert {how}",
        project_id=alert.project_id,
        summary=f"accuracy {alert.quality.accuracy:.3f} of {alert.quality.audits} audits: {alert.reason}",
        occurred_at=moment_if_set(alert.update_time) or event.time,
        rank=1,
    )
    return (
        Facts(nodes=(node,))
        + named("alert", alert.project_id, alert.alert_id)
        + named("label", alert.project_id, *told.label_ids)
        + led_to(event.id, [alert.alert_id, *told.label_ids], node.id)
    )


def of_resolved_alert(event: Event[monitoring.AlertResolved]) -> Facts:
    """alert (and, aside, the route that took its version away) -> resolved."""
    alert, route = event.message.alert, event.message.route_id
    node = Node(
        id=f"{alert.alert_id}/resolved",
        kind="alert resolved",
        project_id=alert.project_id,
        summary=alert.reason,
        occurred_at=moment_if_set(alert.update_time) or event.time,
        rank=1,
    )
    return (
        Facts(nodes=(node,))
        + named("alert", alert.project_id, alert.alert_id)
        + named("route", alert.project_id, route)
        + led_to(event.id, [alert.alert_id], node.id)
        + led_to(event.id, [route], node.id, Relation.ASIDE)
    )


def of_window(event: Event[monitoring.WindowClosed]) -> Facts:
    """model version -> window, aside."""
    window = event.message.window
    moved = [score.signal for score in window.drift_scores if score.value > score.threshold]
    node = Node(
        id=window.window_id,
        kind="window",
        project_id=window.project_id,
        summary=f"window {window.number}, {window.predictions} predictions, moved: {', '.join(moved) or 'nothing'}",
        occurred_at=moment_if_set(window.close_time),
        rank=1,
    )
    version = named("model version", window.project_id, window.model_version_id)
    return Facts(nodes=(node,)) + version + led_to(event.id, [window.model_version_id], node.id, Relation.ASIDE)


def of_comparison(event: Event[monitoring.ShadowCompared]) -> Facts:
    """challenger -> what the shadow showed so far; one node a pair, its line is the newest."""
    told = event.message
    node = Node(
        id=_comparison(told.champion_model_version_id, told.challenger_model_version_id),
        kind="shadow comparison",
        project_id=told.project_id,
        summary=(
            f"{told.disagreements} disagreements in {told.pairs} pairs with {told.champion_model_version_id}, "
            f"{told.asked} asked {told.stop_reason}".rstrip()
        ),
        occurred_at=moment_if_set(told.compare_time),
        rank=1 + told.revision,
    )
    version = named("model version", told.project_id, told.challenger_model_version_id)
    return Facts(nodes=(node,)) + version + led_to(event.id, [told.challenger_model_version_id], node.id)


def confirmed(alert_id: str) -> str:
    """Id of the confirmation of an alert; empty for no alert."""
    return f"{alert_id}/confirmed" if alert_id else ""


_OUTCOMES = frozenset(serving.RouteChanged.Outcome.values())


def _comparison(champion_id: str, challenger_id: str) -> str:
    return f"{challenger_id}/shadow/{champion_id.rpartition('/')[2]}" if champion_id else ""
