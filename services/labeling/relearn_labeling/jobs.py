"""What happens without anybody asking: leases run out, tasks follow label sets, and some are settled as they are."""

from __future__ import annotations

from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import metrics, publish, region_messages, wire
from relearn_labeling.domain.answers import decide, is_abandoned
from relearn_labeling.learning import crowd_for
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store

_LEASES_PER_SWEEP = 500
_TASKS_PER_SWEEP = 100
_TASKS_PER_MOVE = 1000


async def expire_leases(store: Store[Transaction], *, now: Now) -> None:
    """Gives back the slots of leases that ran out. The queue ignores them from that very moment; this makes it last."""
    async with store.transaction() as tx:
        expired = await tx.queue.expire_leases(now=now(), limit=_LEASES_PER_SWEEP)
    metrics.LEASES_EXPIRED.inc(expired)


async def measure_pace(store: Store[Transaction]) -> None:
    """Finds what an answer takes in each project: the order of the queue is value for each second of labeling."""
    async with store.transaction() as tx:
        for project in await tx.projects.all():
            await tx.days.measure(project.project_id)


async def follow_label_sets(store: Store[Transaction], *, now: Now) -> None:
    """Moves tasks that nobody has answered or holds to the newest label set of their project."""
    async with store.transaction() as tx:
        projects = await tx.projects.all()
    for project in projects:
        moved = _TASKS_PER_MOVE
        while moved == _TASKS_PER_MOVE:
            async with store.transaction() as tx:
                moved = await tx.label_sets.follow(
                    project.project_id, project.label_set.version, now=now(), limit=_TASKS_PER_MOVE
                )


async def settle_abandoned_tasks(store: Store[Transaction], *, new_id: NewId, now: Now) -> None:
    """Decides tasks with the answers there are where, for the project's patience, nobody was left to ask.

    A task that cannot be settled keeps no other one waiting.
    """
    async with store.transaction() as tx:
        projects = await tx.projects.all()
    failures: list[Exception] = []
    for project in projects:
        at, patience = now(), wire.policy(project).patience
        async with store.transaction() as tx:
            candidates = await tx.queue.abandoned(
                project.project_id, untouched_since=at - patience, now=at, limit=_TASKS_PER_SWEEP
            )
        for label_task_id in candidates:
            try:
                await _settle(store, project, label_task_id, new_id=new_id, now=now)
            except Exception as error:
                failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("tasks could not be settled", failures)


async def _settle(store: Store[Transaction], project: Project, label_task_id: str, *, new_id: NewId, now: Now) -> None:
    async with store.transaction() as tx:
        at, policy = now(), wire.policy(project)
        seen = await tx.queue.seen_since(project.project_id, at - policy.patience)
        task = await tx.label_tasks.get_for_update(label_task_id)
        if not is_abandoned(task, seen=seen, patience=policy.patience, now=at):
            return
        label_set = region_messages.label_set(await tx.label_sets.get(task.project_id, task.label_set_version))
        crowd = await crowd_for(tx, policy, task)
        settled, facts = decide(task, label_set=label_set, policy=policy, crowd=crowd, label_id=new_id(), now=at)
        await tx.label_tasks.save(settled)
        await publish.tell(tx, facts, new_id=new_id)
    metrics.count(facts)
