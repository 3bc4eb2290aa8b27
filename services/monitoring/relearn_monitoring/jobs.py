"""Work beside the events: picks become flags, windows close by time, skew is told."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

from opentelemetry.trace import SpanKind

from relearn.monitoring.v1.events_pb2 import PredictionFlagged
from relearn.registry.v1.project_pb2 import Project
from relearn_monitoring import metrics, wire
from relearn_monitoring.clients import Datasets, Objects
from relearn_monitoring.counting import Counter
from relearn_monitoring.domain import budget
from relearn_monitoring.domain.picks import Against, Pick, derived_id
from relearn_monitoring.domain.skew import skew
from relearn_monitoring.knowledge import Knowledge
from relearn_monitoring.pairing import Pairing
from relearn_monitoring.store import Transaction
from relearn_monitoring.store.picks import Claimed
from relearn_runtime import Now, Store, telemetry
from relearn_runtime.errors import InvalidInput, NotFound, RelearnError

LEASE = timedelta(seconds=30)
MOST_AT_ONCE = 16
_ATTEMPTS = 60
_LONGEST_PAUSE_S = 30.0
log = logging.getLogger(__name__)


async def put_picks(store: Store[Transaction], datasets: Datasets, objects: Objects, *, now: Now) -> None:
    """Puts picked inputs into datasets and flags them, as long as there are any. A paused project's picks wait."""
    while True:
        async with store.transaction() as tx:
            projects = await tx.projects.all()
            paused = [project.project_id for project in projects if project.state == Project.STATE_PAUSED]
            at = now()
            claimed = await tx.picks.claim(now=at, until=at + LEASE, paused=paused, most=MOST_AT_ONCE)
        if not claimed:
            return
        results = await asyncio.gather(
            *(_put(store, datasets, objects, one, now=now) for one in claimed), return_exceptions=True
        )
        for error in results:
            if isinstance(error, BaseException):
                raise error  # the others are done; this one is tried again when its lease ends


async def close_windows(store: Store[Transaction], knowledge: Knowledge, *, now: Now) -> None:
    """Closes windows that have been open for as long as the project's policy allows."""
    async with store.transaction() as tx:
        candidates = await tx.windows.all_open()
        policies = {project.project_id: wire.policy(project) for project in await tx.projects.all()}
    for late in candidates:
        policy = policies[late.project_id]
        if (now() - late.opened_at).total_seconds() < policy.window_after_s:
            continue
        async with store.transaction() as tx:
            at = now()
            monitored = await tx.monitored.lock(late.project_id, now=at)
            window = await tx.windows.open(late.model_version_id)
            if window is None or window.opened_at != late.opened_at:
                continue
            watch = await tx.watches.get(late.model_version_id, project_id=late.project_id)
            counter = Counter(tx=tx, policy=policy, monitored=monitored, knowledge=knowledge, now=at)
            await tx.watches.save(await counter.close(watch, window, causes=()))


async def tell_skew(store: Store[Transaction], objects: Objects, knowledge: Knowledge, *, now: Now) -> None:
    """Compares each newly frozen reference with the one its training run left, once."""
    async with store.transaction() as tx:
        watches = await tx.watches.without_skew()
    for watch in watches:
        async with store.transaction() as tx:
            reference = await knowledge.reference(tx, watch.reference_id)
        found: float | None = None
        try:
            found = skew(reference, await objects.provisional(watch.provisional_key))
            log.info("skew", extra={"model_version_id": watch.model_version_id, "skew": found})
        except (NotFound, InvalidInput) as error:
            log.warning("no skew", extra={"model_version_id": watch.model_version_id, "reason": error.message})
        async with store.transaction() as tx:
            await tx.monitored.lock(watch.project_id, now=now())
            await tx.watches.tell_skew(watch.model_version_id, found)


async def _put(store: Store[Transaction], datasets: Datasets, objects: Objects, claimed: Claimed, *, now: Now) -> None:
    """One pick: its input into datasets, then the flag and the budget in one transaction."""
    pick = claimed.pick
    with telemetry.span("flag prediction", kind=SpanKind.INTERNAL, parent=pick.traceparent or None):
        try:
            content = pick.input.content
            if content is None:
                content = await objects.read(pick.input.input_key)
            sample_id = await datasets.put_sample(pick, content)
        except InvalidInput as error:
            await _refuse(store, pick, reason=f"{error.reason}: {error.message}", now=now)
        except NotFound as error:
            # the project may not have reached datasets yet, the object may be gone for ever
            if claimed.attempts < _ATTEMPTS:
                await _postpone(store, claimed, now=now)
            else:
                await _refuse(store, pick, reason=f"{error.reason}: {error.message}", now=now)
        except RelearnError as error:
            if not error.retryable:
                raise
            await _postpone(store, claimed, now=now)
            log.info("pick waits for a dependency", extra={"flag_id": pick.flag_id, "reason": error.reason})
        else:
            await _flag(store, pick, sample_id=sample_id, now=now)


async def _flag(store: Store[Transaction], pick: Pick, *, sample_id: str, now: Now) -> None:
    async with store.transaction() as tx:
        at = now()
        await tx.monitored.lock(pick.project_id, now=at)
        if not await tx.picks.is_picked(pick.flag_id):
            return  # another process did it after our lease had run out
        if pick.against is not None:
            policy = wire.policy(await tx.projects.get(pick.project_id))
            pairing = Pairing(tx=tx, policy=policy, now=at)
            number = await pairing.flagged(pick.model_version_id, pick.against.challenger)
            pick = _numbered(pick, pick.against, number)
        ledger = await tx.ledgers.get(pick.project_id, pick.day)
        await tx.ledgers.save(pick.project_id, budget.spend(ledger, stream=pick.stream, purse=pick.purse))
        await tx.picks.flagged(pick.flag_id, number=pick.against.number if pick.against else 0, now=at)
        message = PredictionFlagged(flag=wire.flag(pick, sample_id=sample_id, now=at))
        await tx.outbox.add(message, causes=pick.causes, ids=[derived_id(pick.flag_id, "flagged")])
    metrics.PUTS.labels("flagged").inc()
    metrics.PICK_TO_FLAG_S.observe(max(0.0, (at - pick.predicted_at).total_seconds()))


async def _refuse(store: Store[Transaction], pick: Pick, *, reason: str, now: Now) -> None:
    """The label is not bought: its budget is returned, and the refusal counted."""
    async with store.transaction() as tx:
        at = now()
        monitored = await tx.monitored.lock(pick.project_id, now=at)
        if not await tx.picks.is_picked(pick.flag_id):
            return
        await tx.picks.refused(pick.flag_id, reason=reason)
        ledger = await tx.ledgers.get(pick.project_id, pick.day)
        await tx.ledgers.save(pick.project_id, budget.give_back(ledger, stream=pick.stream, purse=pick.purse))
        await tx.monitored.save(monitored.refused())
        if pick.against is not None:
            policy = wire.policy(await tx.projects.get(pick.project_id))
            await Pairing(tx=tx, policy=policy, now=at).refused(pick.model_version_id, pick.against.challenger)
    metrics.PUTS.labels("refused").inc()
    log.warning("input refused", extra={"flag_id": pick.flag_id, "reason": reason})


async def _postpone(store: Store[Transaction], claimed: Claimed, *, now: Now) -> None:
    pause_s = min(_LONGEST_PAUSE_S, 0.2 * 2 ** min(claimed.attempts, 10))
    async with store.transaction() as tx:
        await tx.picks.postpone(claimed.pick.flag_id, until=now() + timedelta(seconds=pause_s))


def _numbered(pick: Pick, against: Against, number: int) -> Pick:
    return replace(pick, against=replace(against, number=number))
