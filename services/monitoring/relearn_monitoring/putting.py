"""Picks become flags: their inputs go into datasets, then what is ready of a project is flagged in one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial

from opentelemetry.trace import SpanKind

from relearn.monitoring.v1.events_pb2 import PredictionFlagged
from relearn.registry.v1.project_pb2 import Project
from relearn_monitoring import metrics, wire
from relearn_monitoring.apart import apart
from relearn_monitoring.clients import Datasets, Objects
from relearn_monitoring.domain import budget
from relearn_monitoring.domain.budget import Stream
from relearn_monitoring.domain.picks import Pick
from relearn_monitoring.pairing import Pairing
from relearn_monitoring.store import Transaction
from relearn_monitoring.store.picks import Claimed
from relearn_runtime import Now, Store, telemetry
from relearn_runtime.errors import InvalidInput, RelearnError
from relearn_runtime.faults import is_away

MOST_AT_ONCE = 16
LEASE = timedelta(seconds=10)
_LONGEST_PUT_S = 8.0  # below the lease: nobody else puts it meanwhile
_LOOK_AGAIN_S = 0.1  # for new picks, while others are on their way
ATTEMPTS = 60
"""After which a pick is given up, unless a dependency is away."""

_LONGEST_PAUSE_S = 30.0
log = logging.getLogger(__name__)


class Fate(Enum):
    """What becomes of a pick once its input was put, or was not."""

    FLAGGED = auto()
    REFUSED = auto()
    """Its input can never be put."""
    KNOWN = auto()
    """To learn from, but datasets has the sample with a label or for validation: an answer would teach nothing."""
    POSTPONED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One attempt to put the input of a pick."""

    claimed: Claimed
    fate: Fate
    sample_id: str = ""
    reason: str = ""

    @property
    def pick(self) -> Pick:
        return self.claimed.pick


async def put_picks(store: Store[Transaction], datasets: Datasets, objects: Objects, *, now: Now) -> None:
    """Puts picked inputs into datasets and flags them, as long as there are any. A paused project's picks wait.

    No put waits for a slower one: as soon as some have ended they are flagged, and as many others begin.
    """
    running: set[asyncio.Task[Put]] = set()
    try:
        while True:
            for claimed in await _claim(store, most=MOST_AT_ONCE - len(running), now=now):
                running.add(asyncio.create_task(_put(datasets, objects, claimed)))
            if not running:
                return
            done, running = await asyncio.wait(running, timeout=_LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
            await _note(store, [task.result() for task in done], now=now)
    finally:  # what was not noted is put again when its lease ends, which datasets recognises
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _claim(store: Store[Transaction], *, most: int, now: Now) -> list[Claimed]:
    if not most:
        return []
    async with store.transaction() as tx:
        projects = await tx.projects.all()
        paused = [project.project_id for project in projects if project.state == Project.STATE_PAUSED]
        at = now()
        return await tx.picks.claim(now=at, until=at + LEASE, paused=paused, most=most)


async def _put(datasets: Datasets, objects: Objects, claimed: Claimed) -> Put:
    """Puts one input; never raises, so that one mistake holds up nobody else."""
    pick = claimed.pick
    with telemetry.span("put picked input", kind=SpanKind.INTERNAL, parent=pick.traceparent or None):
        try:
            async with asyncio.timeout(_LONGEST_PUT_S):
                content = pick.input.content
                if content is None:
                    content = await objects.read(pick.input.input_key)
                stored = await datasets.put_sample(pick, content)
        except Exception as error:
            return _failed(claimed, error)
    if pick.stream is Stream.SELECTED and not stored.teaches:
        return Put(claimed=claimed, fate=Fate.KNOWN, reason=f"KNOWN: {stored.sample_id} is labeled or not for training")
    return Put(claimed=claimed, fate=Fate.FLAGGED, sample_id=stored.sample_id)


def fate_of(error: Exception, *, attempts: int) -> Fate:
    """What becomes of a pick whose input could not be put, this being the so many-th time.

    A dependency that is away is waited for. Anything but a refusal (a project that datasets does not know yet, an
    object that is gone, a mistake of ours) may pass, but does not keep a label for ever.
    """
    if isinstance(error, InvalidInput):
        return Fate.REFUSED
    return Fate.POSTPONED if is_away(error) or attempts < ATTEMPTS else Fate.REFUSED


def _failed(claimed: Claimed, error: Exception) -> Put:
    reason = f"{error.reason}: {error.message}" if isinstance(error, RelearnError) else repr(error)
    told = {"flag_id": claimed.pick.flag_id, "attempts": claimed.attempts, "reason": reason}
    if isinstance(error, RelearnError) or is_away(error):
        log.info("input not put", extra=told)
    else:
        log.error("input not put by a mistake", extra=told, exc_info=error)
    return Put(claimed=claimed, fate=fate_of(error, attempts=claimed.attempts), reason=reason)


async def _note(store: Store[Transaction], puts: Sequence[Put], *, now: Now) -> None:
    for project_id in sorted({put.pick.project_id for put in puts}):
        with apart("flag", project_id=project_id):
            own = [put for put in puts if put.pick.project_id == project_id]
            async with store.transaction() as tx:
                await _note_in(tx, project_id, own, now=now())


async def _note_in(tx: Transaction, project_id: str, puts: Sequence[Put], *, now: datetime) -> None:
    """Flags, budget and comparisons of one project; what another process did after a lease ran out is left as it is."""
    monitored = await tx.monitored.lock(project_id, now=now)
    still = await tx.picks.still_picked([put.pick.flag_id for put in puts])
    own = [put for put in puts if put.pick.flag_id in still]
    flagged = {put.pick.flag_id: put for put in own if put.fate is Fate.FLAGGED}
    given_up = [put for put in own if put.fate in (Fate.REFUSED, Fate.KNOWN)]
    await tx.picks.postponed({put.pick.flag_id: _later(put, now) for put in own if put.fate is Fate.POSTPONED})
    await tx.picks.refused({put.pick.flag_id: put.reason for put in given_up})
    await _settle_budget(tx, project_id, flagged=[put.pick for put in flagged.values()], refused=_picks(given_up))
    pairing = Pairing(tx=tx, policy=wire.policy(await tx.projects.get(project_id)), now=now)
    numbered = {pick.flag_id: pick for pick in await pairing.flagged(_picks(flagged.values()))}
    await pairing.refused(_picks(given_up))
    await _flag(tx, [(numbered.get(flag_id, put.pick), put.sample_id) for flag_id, put in flagged.items()], now=now)
    if refused := sum(put.fate is Fate.REFUSED for put in given_up):
        await tx.monitored.save(monitored.refused(refused))
    for put in given_up:
        log.warning("pick given up", extra={"flag_id": put.pick.flag_id, "reason": put.reason})
        tx.after_commit(metrics.PUTS.labels(put.fate.name.lower()).inc)


async def _flag(tx: Transaction, flags: Sequence[tuple[Pick, str]], *, now: datetime) -> None:
    """Writes and tells flags, each in the trace of its prediction."""
    await tx.picks.flagged([pick for pick, _ in flags], now=now)
    for pick, sample_id in flags:
        message = PredictionFlagged(flag=wire.flag(pick, sample_id=sample_id, now=now))
        with telemetry.span("flag prediction", kind=SpanKind.INTERNAL, parent=pick.traceparent or None):
            await tx.outbox.add(message, causes=pick.causes, ids=[pick.flagged_event_id])
        waited_s = max(0.0, (now - pick.predicted_at).total_seconds())
        tx.after_commit(metrics.PUTS.labels("flagged").inc)
        tx.after_commit(partial(metrics.PREDICTION_TO_FLAG_S.observe, waited_s))


async def _settle_budget(tx: Transaction, project_id: str, *, flagged: Sequence[Pick], refused: Sequence[Pick]) -> None:
    for day in sorted({pick.day for pick in [*flagged, *refused]}):
        ledger = await tx.ledgers.get(project_id, day)
        for pick in flagged:
            if pick.day == day:
                ledger = budget.spend(ledger, stream=pick.stream, purse=pick.purse)
        for pick in refused:
            if pick.day == day:
                ledger = budget.give_back(ledger, stream=pick.stream, purse=pick.purse)
        await tx.ledgers.save(project_id, ledger)


def _later(put: Put, now: datetime) -> datetime:
    return now + timedelta(seconds=min(_LONGEST_PAUSE_S, 0.2 * 2 ** min(put.claimed.attempts, 10)))


def _picks(puts: Iterable[Put]) -> list[Pick]:
    return [put.pick for put in puts]
