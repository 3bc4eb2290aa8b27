"""Writes a change: route, history and event in the caller's transaction, so that no kill can part them."""

from dataclasses import replace
from datetime import datetime

from relearn.registry.v1.project_pb2 import Project
from relearn_runtime import NewId
from relearn_serving.control import metrics, wire
from relearn_serving.control.domain import route as moves
from relearn_serving.control.domain.canary import Decision, Verdict, decide, next_weight
from relearn_serving.control.domain.evidence import Evidence
from relearn_serving.control.domain.route import Change, Outcome, Phase
from relearn_serving.control.store import KeptRoute, Transaction


async def move(tx: Transaction, kept: KeptRoute, change: Change, *, project: Project, new_id: NewId) -> KeptRoute:
    """Saves the change of a locked route and tells it."""
    event_id = new_id()
    route = replace(change.route, event_id=event_id)
    moved = KeptRoute(route=route, evidence=_evidence(kept.evidence, change), changed_at=change.at)
    await tx.routes.save(moved)
    await tx.routes.add_change(change, project_revision=project.revision)
    message = wire.route_changed(change, project_revision=project.revision)
    await tx.outbox.add(message, causes=change.causes, ids=[event_id])
    tx.after_commit(metrics.ROUTE_CHANGES.labels(change.outcome.value).inc)
    return moved


async def follow_evidence(
    tx: Transaction, kept: KeptRoute, *, project: Project, new_id: NewId, now: datetime
) -> KeptRoute:
    """Moves a rollout on, or undoes it, as far as its evidence says. A paused project only undoes."""
    if not kept.route.challenger:
        return kept
    decision = decide(kept.route, kept.evidence, wire.policy(project))
    change = _change(kept, decision, project=project, now=now)
    return kept if change is None else await move(tx, kept, change, project=project, new_id=new_id)


def _change(kept: KeptRoute, decision: Decision, *, project: Project, now: datetime) -> Change | None:
    if decision.verdict is Verdict.UNDO:
        return moves.undo(kept.route, reason=decision.reason, at=now)
    if decision.verdict is Verdict.HOLD or wire.is_paused(project):
        return None
    weight = next_weight(kept.route.weight, wire.policy(project))
    if weight is None:
        return moves.finish(kept.route, reason=decision.reason, at=now)
    return moves.advance(kept.route, weight=weight, reason=decision.reason, at=now)


def _evidence(evidence: Evidence, change: Change) -> Evidence:
    """A new rollout starts with none; a step starts counting where the one before ended."""
    if change.outcome is Outcome.ADVANCED and change.route.phase is Phase.CANARY:
        return replace(evidence, canary_before_step=evidence.canary.predictions)
    return Evidence()
