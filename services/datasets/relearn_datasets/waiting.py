"""What datasets waits for, told to people."""

from __future__ import annotations

from datetime import datetime

from relearn_datasets import wire
from relearn_datasets.domain.labels import CommitPolicy, WaitingLabels
from relearn_datasets.domain.packs import Pack
from relearn_datasets.domain.samples import version_id
from relearn_datasets.store import Transaction
from relearn_runtime import Now, Store, Waiting

STAGE = "dataset commit"


async def waiting_for(project_id: str, *, store: Store[Transaction], now: Now) -> list[Waiting]:
    """One line for the next commit, and one for each pack that can't be made."""
    async with store.transaction() as tx:
        policy = wire.policy(await tx.projects.require(project_id))
        labels = next(iter(await tx.labels.waiting(project_id)), None)
        failing = await tx.packs.failing(project_id)
    return [_commit(labels, policy.commit, now=now()), *(_pack(pack) for pack in failing)]


def _commit(waiting: WaitingLabels | None, policy: CommitPolicy, *, now: datetime) -> Waiting:
    if waiting is None:
        return Waiting(stage=STAGE, waits_for=f"accepted labels: 0 of {policy.labels} wait for a commit", progress=0.0)
    age_s, after_s = max(0.0, (now - waiting.oldest_at).total_seconds()), policy.after.total_seconds()
    told = (
        f"{waiting.labels} of {policy.labels} accepted labels wait for a commit, oldest {age_s:.0f} s of {after_s:g} s"
    )
    share = max(waiting.labels / policy.labels, age_s / after_s if after_s else 1.0)
    return Waiting(stage=STAGE, waits_for=told, progress=min(1.0, share))


def _pack(pack: Pack) -> Waiting:
    told = f"the pack of {version_id(pack.project_id, pack.number)}, which failed {pack.attempts} times: {pack.failure}"
    return Waiting(stage="dataset pack", waits_for=told)
