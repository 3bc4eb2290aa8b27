"""Kafka in: what the gate says, and what harms."""

import logging
from dataclasses import replace

from relearn.monitoring.v1.events_pb2 import AlertConfirmed
from relearn.registry.v1.events_pb2 import ModelVersionJudged
from relearn_runtime import Event, NewId, Now
from relearn_serving.control import wire
from relearn_serving.control.domain.judgements import harmed, hear
from relearn_serving.control.moving import move
from relearn_serving.control.store import Transaction

log = logging.getLogger(__name__)


async def on_model_version_judged(
    event: Event[ModelVersionJudged], tx: Transaction, *, new_id: NewId, now: Now
) -> None:
    """Step 1 passed: champion at once if it is the first, else shadow. Step 2 passed: canary. Rejected: out."""
    project = await tx.projects.get(event.message.project_id)
    judgement = wire.judgement(event.message.judgement, event_id=event.id)
    kept = await tx.routes.lock(project.project_id, now=now())
    heard = hear(kept.route, judgement, policy=wire.policy(project), paused=wire.is_paused(project), now=now())
    if heard.ignored:
        log.warning("judgement has no effect", extra={"because": heard.ignored, "person": judgement.person})
    if heard.change is not None:
        await move(tx, kept, heard.change, project=project, new_id=new_id)
    elif heard.route != kept.route:
        await tx.routes.save(replace(kept, route=heard.route))


async def on_alert_confirmed(event: Event[AlertConfirmed], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """An alert on the challenger undoes its rollout."""
    project = await tx.projects.get(event.message.project_id)
    alert = event.message.alert
    kept = await tx.routes.lock(project.project_id, now=now())
    reason = f"alert {alert.alert_id} on the challenger is confirmed: {alert.reason}"
    change = harmed(
        kept.route, alert.model_version_id, alert_id=alert.alert_id, event_id=event.id, reason=reason, now=now()
    )
    if change is not None:
        await move(tx, kept, change, project=project, new_id=new_id)
