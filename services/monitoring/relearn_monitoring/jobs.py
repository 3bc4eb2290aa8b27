"""Work beside the events: windows close by time, skew is told."""

from __future__ import annotations

import logging

from relearn_monitoring import wire
from relearn_monitoring.apart import apart
from relearn_monitoring.clients import Objects
from relearn_monitoring.counting import Counting
from relearn_monitoring.domain.policy import Policy
from relearn_monitoring.domain.skew import skew
from relearn_monitoring.domain.watches import Watch
from relearn_monitoring.domain.windows import MIN_SCORED
from relearn_monitoring.fitted import FittedReferences
from relearn_monitoring.store import Transaction
from relearn_monitoring.store.windows import Late
from relearn_runtime import Now, Store
from relearn_runtime.errors import InvalidInput, NotFound

log = logging.getLogger(__name__)


async def close_windows(store: Store[Transaction], fitted: FittedReferences, *, now: Now) -> None:
    """Closes windows that have been open for as long as the project's policy allows."""
    async with store.transaction() as tx:
        candidates = await tx.windows.all_open()
        policies = {project.project_id: wire.policy(project) for project in await tx.projects.all()}
    for late in candidates:
        policy = policies[late.project_id]
        if (now() - late.opened_at).total_seconds() >= policy.window_after_s:
            with apart("close window", model_version_id=late.model_version_id):
                await _close(store, late, policy, fitted, now=now)


async def tell_skew(store: Store[Transaction], objects: Objects, fitted: FittedReferences, *, now: Now) -> None:
    """Compares each newly frozen reference with the one its training run left, once."""
    async with store.transaction() as tx:
        watches = await tx.watches.without_skew()
    for watch in watches:
        with apart("tell skew", model_version_id=watch.model_version_id):
            await _tell_skew(store, watch, objects, fitted, now=now)


async def _close(store: Store[Transaction], late: Late, policy: Policy, fitted: FittedReferences, *, now: Now) -> None:
    async with store.transaction() as tx:
        # its thresholds take a while: made before the project is locked
        window = await tx.windows.open(late.model_version_id)
        if window is not None and window.profile.reference_id and window.profile.n >= MIN_SCORED:
            reference = await fitted.reference(tx, window.profile.reference_id)
            await fitted.calibration(reference, predictions=window.profile.n, policy=policy)
    async with store.transaction() as tx:
        at = now()
        monitored = await tx.monitored.lock(late.project_id, now=at)
        window = await tx.windows.open(late.model_version_id)
        if window is None or window.opened_at != late.opened_at:
            return
        watch = await tx.watches.get(late.model_version_id, project_id=late.project_id)
        counting = Counting(tx=tx, policy=policy, monitored=monitored, fitted=fitted, now=at)
        await tx.watches.save(await counting.close(watch, window))


async def _tell_skew(
    store: Store[Transaction], watch: Watch, objects: Objects, fitted: FittedReferences, *, now: Now
) -> None:
    async with store.transaction() as tx:
        reference = await fitted.reference(tx, watch.reference_id)
    found: float | None = None
    try:
        found = skew(reference, await objects.provisional(watch.provisional_key))
        log.info("skew", extra={"model_version_id": watch.model_version_id, "skew": found})
    except (NotFound, InvalidInput) as error:
        log.warning("no skew", extra={"model_version_id": watch.model_version_id, "reason": error.message})
    async with store.transaction() as tx:
        await tx.monitored.lock(watch.project_id, now=now())
        await tx.watches.tell_skew(watch.model_version_id, found)
