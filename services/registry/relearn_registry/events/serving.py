"""What serving tells: routes. Aliases and the standing of versions follow them."""

from __future__ import annotations

from relearn.registry.v1.events_pb2 import AliasMoved
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_registry import gate
from relearn_registry.domain.versions import RouteNow, Standing, after_route
from relearn_registry.store import Transaction
from relearn_registry.wire import lineage_of_loop as lineage
from relearn_registry.wire import models
from relearn_registry.wire.times import moment
from relearn_runtime import Event, NewId, Now


async def on_route_changed(event: Event[RouteChanged], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """Another route is in force; one older than what we know is told to lineage only."""
    told = event.message
    project = await tx.locked_project(told.project_id)
    before, after = await tx.routes.find(told.project_id), models.route_now(told, event_id=event.id)
    if before is None or after.revision > before.revision:
        await tx.routes.save(told.project_id, after)
        await _move_aliases(event, tx, after)
        await _move_versions(event, tx, before, after)
    await tx.lineage.add(lineage.of_route(event))
    await gate.review(tx, project, new_id=new_id, now=now, cause=event)


async def _move_aliases(event: Event[RouteChanged], tx: Transaction, route: RouteNow) -> None:
    told = event.message
    known = await tx.aliases.of(told.project_id)
    for alias, version_id in route.aliases.items():
        if known.get(alias, "") == version_id:
            continue
        await tx.aliases.move(told.project_id, alias, version_id, route_revision=route.revision)
        moved = AliasMoved(
            project_id=told.project_id,
            alias=alias,
            model_version_id=version_id,
            previous_model_version_id=known.get(alias, ""),
            route_id=route.route_id,
            route_revision=route.revision,
            reason=told.reason,
            person=told.person,
            move_time=told.route.change_time,
        )
        await tx.outbox.add(moved, cause=event)


async def _move_versions(event: Event[RouteChanged], tx: Transaction, before: RouteNow | None, after: RouteNow) -> None:
    at = moment(event.message.route.change_time)
    for candidate in await tx.model_versions.candidates(event.message.project_id):
        standing = after_route(candidate, before, after)
        if standing is not candidate.standing:
            await tx.model_versions.move(candidate.model_version_id, standing)
            await tx.approvals.drop(candidate.model_version_id)
        if standing is Standing.SHADOW:
            await tx.model_versions.started_shadow(candidate.model_version_id, after.champion_id, at)
        if standing is Standing.CHAMPION:
            await tx.model_versions.became_champion(candidate.model_version_id, at)
