"""What datasets does by itself: commits by policy, packs, and sweeping what imports have left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from relearn_datasets import metrics, wire
from relearn_datasets.clients import Objects
from relearn_datasets.committing import commit_waiting_labels
from relearn_datasets.domain.labels import commit_reason
from relearn_datasets.domain.packs import Pack, PackedSample
from relearn_datasets.packing import PAGE, write_pack
from relearn_datasets.store import Transaction
from relearn_datasets.wire import ProjectPolicy
from relearn_runtime import NewId, Now, Store

_LEASE = timedelta(seconds=60)
_MOST_BACKOFF_S = 300
_ABANDONED_AFTER = timedelta(hours=2)

log = logging.getLogger(__name__)


async def commit_due_labels(store: Store[Transaction], *, now: Now) -> None:
    """Commits the labels of each project whose policy says so; a project that fails keeps no other one waiting."""
    async with store.transaction() as tx:
        all_waiting = await tx.labels.waiting()
        policies = [wire.policy(await tx.projects.get(waiting.project_id)) for waiting in all_waiting]
    failures: list[Exception] = []
    for waiting, policy in zip(all_waiting, policies, strict=True):
        if commit_reason(waiting, policy.commit, now=now()) is None:
            continue
        try:
            await _commit(store, policy, now=now)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("commits failed", failures)


async def _commit(store: Store[Transaction], policy: ProjectPolicy, *, now: Now) -> None:
    with metrics.COMMIT_DURATION.labels("labels").time():
        async with store.transaction() as tx:
            commit = await commit_waiting_labels(tx, policy, now=now())
    if commit is None:
        return
    version = commit.version
    metrics.COMMITS.labels("labels").inc()
    metrics.LABEL_WAIT.observe((version.created_at - commit.oldest_at).total_seconds())
    log.info("labels committed", extra={"dataset_version_id": version.dataset_version_id, "why": version.message})


async def make_packs(store: Store[Transaction], objects: Objects, *, new_id: NewId, now: Now) -> None:
    """Makes the packs that were asked for, one after the other."""
    while True:
        lease_id = new_id()
        async with store.transaction() as tx:
            pack = await tx.packs.lease(lease_id, now=now(), until=now() + _LEASE)
        if pack is None:
            return
        await _make(store, objects, pack, lease_id, now=now)


async def _make(store: Store[Transaction], objects: Objects, pack: Pack, lease_id: str, *, now: Now) -> None:
    async def page(after: bytes) -> Sequence[PackedSample]:
        async with store.transaction() as tx:
            await tx.packs.renew(pack, lease_id, until=now() + _LEASE)
            return await tx.packs.state(pack.project_id, pack.number, after=after, limit=PAGE)

    try:
        with metrics.PACK_DURATION.time():
            index_sha256 = await write_pack(objects, pack.prefix, page)
    except Exception as error:
        again_at = now() + timedelta(seconds=min(_MOST_BACKOFF_S, 2**pack.attempts))
        async with store.transaction() as tx:
            await tx.packs.fail(pack, lease_id, failure=str(error)[:500], again_at=again_at)
        raise
    async with store.transaction() as tx:
        await tx.packs.finish(pack, index_sha256=index_sha256)
    log.info("pack made", extra={"prefix": pack.prefix, "samples": pack.samples})


async def sweep_abandoned_imports(store: Store[Transaction], *, now: Now) -> None:
    """Forgets the staged rows of imports whose process is gone."""
    async with store.transaction() as tx:
        if swept := await tx.staging.sweep(before=now() - _ABANDONED_AFTER):
            log.info("abandoned imports swept", extra={"staged_samples": swept})
