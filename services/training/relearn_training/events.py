"""Kafka in: what others did that may make a project learn again."""

from __future__ import annotations

from relearn.datasets.v1.events_pb2 import VersionCommitted
from relearn.monitoring.v1.events_pb2 import AlertConfirmed, AlertOpened, AlertRefuted, AlertResolved
from relearn.registry.v1.events_pb2 import ModelVersionRegistered, ProjectApplied
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_runtime import Event, NewId, Now
from relearn_runtime.errors import NotYetKnown
from relearn_training import wire
from relearn_training.deciding import consider
from relearn_training.domain.policy import Wait
from relearn_training.store import Transaction


async def on_project_applied(event: Event[ProjectApplied], tx: Transaction, *, now: Now) -> None:
    """A policy may have changed, a pause may have ended: look again soon."""
    project_id = event.message.project.project_id
    await tx.situations.lock(project_id)
    await tx.situations.reconsider(project_id, now())


async def on_version_committed(event: Event[VersionCommitted], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """Enough labels start a study; otherwise say why not, once for each version."""
    message, project_id = event.message.dataset_version, event.message.project_id
    version = wire.dataset_version(message)
    await tx.situations.lock(project_id)
    await tx.situations.add_version(project_id, version, committed_at=wire.time(message.create_time), event_id=event.id)
    at = now()
    decision = await consider(project_id, tx, new_id=new_id, now=at, cause=event)
    if isinstance(decision, Wait):
        project = await tx.projects.get(project_id)  # as decided by: its next revision waits for our lock
        skipped = wire.study_skipped(
            project_id, decision, dataset_version_id=version.id, project_revision=project.revision, decided_at=at
        )
        await tx.outbox.add(skipped, cause=event)


async def on_model_version_registered(event: Event[ModelVersionRegistered], tx: Transaction) -> None:
    """Remember which run made a version: its weights are what an update starts from."""
    version = event.message.model_version
    await tx.situations.add_model_version(
        version.model_version_id,
        project_id=event.message.project_id,
        run_id=version.run_id,
        dataset_version_n=wire.version_number(version.dataset_version_id),
    )


async def on_route_changed(event: Event[RouteChanged], tx: Transaction, *, now: Now) -> None:
    """Another version may be the champion now; a rollback cools down."""
    change = event.message
    champion = change.route.champion_model_version_id
    project = await tx.projects.get(change.project_id)
    if champion and not await tx.situations.knows_model_version(champion):
        raise NotYetKnown(f"model version {champion!r} is not known yet", model_version_id=champion)
    await tx.situations.lock(project.project_id)
    back = change.outcome == RouteChanged.OUTCOME_ROLLED_BACK
    changed = await tx.situations.route(
        project.project_id,
        champion=champion,
        revision=change.route.revision,
        rolled_back_at=event.time if back else None,
    )
    if changed:
        await tx.situations.reconsider(project.project_id, now())


async def on_alert_opened(event: Event[AlertOpened], tx: Transaction) -> None:
    """Remember when it opened: audits labeled after that show the traffic that raised the alert."""
    await _note_alert(event, tx)


async def on_alert_confirmed(event: Event[AlertConfirmed], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """Fewer labels are enough from now on; those that are there may be."""
    await _note_alert(event, tx)
    await tx.situations.alert_confirmed(event.message.alert.alert_id, at=event.time, event_id=event.id)
    await consider(event.message.project_id, tx, new_id=new_id, now=now(), cause=event)


async def on_alert_over(event: Event[AlertRefuted] | Event[AlertResolved], tx: Transaction) -> None:
    """The usual number of labels is needed again."""
    await _note_alert(event, tx)
    await tx.situations.alert_over(event.message.alert.alert_id)


async def _note_alert(
    event: Event[AlertOpened] | Event[AlertConfirmed] | Event[AlertRefuted] | Event[AlertResolved], tx: Transaction
) -> None:
    alert = event.message.alert
    project = await tx.projects.get(event.message.project_id)
    await tx.situations.lock(project.project_id)
    await tx.situations.alert_opened(
        alert.alert_id,
        project_id=project.project_id,
        model_version_id=alert.model_version_id,
        opened_at=wire.time(alert.open_time),
    )
