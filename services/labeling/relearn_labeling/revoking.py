"""Revocations go on in slices, each a transaction: what a kill interrupts the next slice goes on with."""

from __future__ import annotations

from dataclasses import replace

from relearn_labeling import metrics, publish, region_messages, wire
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.revocations import Became, Revocation, Revoked, revoke
from relearn_labeling.domain.tasks import LabelTask
from relearn_labeling.learning import crowd_for
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store

_TASKS_PER_SLICE = 200


async def finish_revocations(store: Store[Transaction], *, new_id: NewId, now: Now) -> None:
    """Ends the revocations whose caller went away or whose process was killed. One that fails keeps none waiting."""
    failures: list[Exception] = []
    seen: list[str] = []
    while True:
        async with store.transaction() as tx:
            found = await tx.revocations.under_way(but=seen)
        if found is None:
            break
        seen.append(found)
        try:
            await finish(store, found, new_id=new_id, now=now)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("revocations could not be ended", failures)


async def finish(store: Store[Transaction], revocation_id: str, *, new_id: NewId, now: Now) -> Revocation:
    """Goes on with a revocation until it is done; whoever else does so at the same time takes turns."""
    while True:
        async with store.transaction() as tx:
            revocation, facts = await _slice(tx, revocation_id, new_id=new_id, now=now)
        metrics.count(facts)
        if revocation.done:
            return revocation


async def _slice(tx: Transaction, revocation_id: str, *, new_id: NewId, now: Now) -> tuple[Revocation, list[Fact]]:
    revocation = await tx.revocations.get_for_update(revocation_id)
    facts: list[Fact] = []
    if revocation.done:
        return revocation, facts
    left = await tx.revocations.left(revocation, limit=_TASKS_PER_SLICE)
    for task in await tx.label_tasks.get_many_for_update(left):
        revoked = await _revoke(tx, task, revocation, new_id=new_id, now=now)
        await tx.label_tasks.save(revoked.task)
        facts += revoked.facts
        revocation = _counted(revocation, revoked)
    await publish.tell_many(tx, facts, new_id=new_id)
    revocation = replace(revocation, done=len(left) < _TASKS_PER_SLICE)
    await tx.revocations.save(revocation)
    return revocation, facts


async def _revoke(tx: Transaction, task: LabelTask, revocation: Revocation, *, new_id: NewId, now: Now) -> Revoked:
    policy = wire.policy(await tx.projects.require(task.project_id))
    label_set = await tx.label_sets.get(task.project_id, task.label_set_version)
    return revoke(
        task,
        revocation,
        label_set=region_messages.label_set(label_set),
        policy=policy,
        crowd=await crowd_for(tx, policy, task),
        label_id=new_id(),
        now=now(),
    )


def _counted(revocation: Revocation, revoked: Revoked) -> Revocation:
    return replace(
        revocation,
        answers=revocation.answers + revoked.answers,
        reopened=revocation.reopened + (revoked.became is Became.REOPENED),
        decided=revocation.decided + (revoked.became is Became.DECIDED),
    )
