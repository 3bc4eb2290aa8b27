"""What control does without being asked."""

from datetime import timedelta

from relearn_runtime import NewId, Now, Store
from relearn_serving.control import wire
from relearn_serving.control.domain.judgements import next_move
from relearn_serving.control.moving import follow_evidence, move
from relearn_serving.control.store import Transaction

# Counters of a gateway that comes back after this long would be counted again; ids of lives never come back.
_FORGET_AFTER = timedelta(days=2)


async def go_on(store: Store[Transaction], *, new_id: NewId, now: Now) -> None:
    """Starts what waited for a pause or a rollout to end, and applies policies that changed."""
    async with store.transaction() as tx:
        projects = await tx.projects.all()
    for project in projects:
        async with store.transaction() as tx:
            kept = await tx.routes.get(project.project_id)
            if kept is None or wire.is_paused(project) or not (kept.route.waiting or kept.route.challenger):
                continue
            kept = await tx.routes.lock(project.project_id, now=now())
            change = next_move(kept.route, policy=wire.policy(project), now=now())
            if change is not None:
                await move(tx, kept, change, project=project, new_id=new_id)
            else:
                await follow_evidence(tx, kept, project=project, new_id=new_id, now=now())


async def forget_gateways(store: Store[Transaction], *, now: Now) -> None:
    """Drops gateways that ended long ago."""
    async with store.transaction() as tx:
        await tx.gateways.forget(before=now() - _FORGET_AFTER)
