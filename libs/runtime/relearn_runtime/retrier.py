"""Tries waiting events again: the head of each key, in order, until it is handled or its deadline has passed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanKind

from relearn_runtime import logs, telemetry
from relearn_runtime.backoff import delays
from relearn_runtime.conduct import Conduct
from relearn_runtime.database import Store
from relearn_runtime.dispatch import ATTEMPTS
from relearn_runtime.envelope import decode
from relearn_runtime.errors import NotFound, WrongState, reason_of
from relearn_runtime.faults import Verdict, judge
from relearn_runtime.parking import PARKED, WAITING, ParkedEvent, ParkedEvents
from relearn_runtime.reactions import Reaction
from relearn_runtime.seams import utc_now

_POLL_S = 0.5
_IDLE_POLL_S = 10.0
_MOST_BETWEEN_S = 2.0
log = logging.getLogger(__name__)


class ParkedEventNotFound(NotFound):
    """No such row: handled meanwhile, dropped, or never there."""

    reason = "PARKED_EVENT_NOT_FOUND"


class StillFailing(WrongState):
    """The handler failed again; the event stays where it was, with the new cause."""

    reason = "STILL_FAILING"


class NoHandler(WrongState):
    """This service no longer handles the type of a parked event."""

    reason = "NO_HANDLER"


class Retrier:
    """Works on the waiting rows of this service; several processes of one service share them by row locks."""

    def __init__(self, *, store: Store[Any], reactions: Mapping[tuple[str, str], Reaction], conduct: Conduct) -> None:
        self._store, self._reactions, self._conduct = store, reactions, conduct
        self._consumers = sorted({consumer for consumer, _ in reactions})

    async def run(self) -> None:
        """Runs until cancelled: when something was handled here (what was missing may be known now), and when due."""
        took_s = 0.0
        while True:
            woken = await self._woken()
            # at most a fifth of the time goes into vain attempts, however many keys wait
            await asyncio.sleep(max(0.03, 4 * took_s) if woken else 0)
            self._conduct.handled.clear()
            started = time.monotonic()
            await self._try_heads(due=not woken)
            took_s = time.monotonic() - started

    async def retry(self, parked_event_id: str, tx: Any) -> None:
        """Runs the handler of one parked row now, in the caller's transaction, and removes the row.

        Raises:
            ParkedEventNotFound: no such row.
            Exception: what the handler raised.
        """
        rows = ParkedEvents(tx.connection)
        if (row := await rows.get(parked_event_id, lock=True)) is None:
            raise ParkedEventNotFound(f"there is no parked event {parked_event_id!r}", parked_event_id=parked_event_id)
        if row.state == WAITING and await rows.earlier_waiting(row):
            raise StillFailing("it waits behind an earlier event of its key", cause="BEHIND_ANOTHER_EVENT")
        await self._react(row, tx)
        await rows.remove(row.sequence)

    async def note_failure(self, parked_event_id: str, error: Exception) -> None:
        """Writes the cause of a failed `retry` into its row."""
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            if row := await rows.get(parked_event_id, lock=True):
                await rows.failed(row.sequence, error, state=row.state, again_in_s=_MOST_BETWEEN_S)

    async def _woken(self) -> bool:
        try:
            async with asyncio.timeout(_POLL_S if self._conduct.waiting else _IDLE_POLL_S):
                await self._conduct.handled.wait()
        except TimeoutError:
            return False
        return True

    async def _try_heads(self, *, due: bool) -> None:
        self._conduct.waiting = False  # before looking: whoever lets an event wait meanwhile sets it again
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            heads = await rows.heads(self._consumers, due=due)
            if (await rows.counts())[WAITING]:
                self._conduct.waiting = True
        for head in heads:
            following: int | None = head
            while following is not None:
                following = await self._try(following)

    async def _try(self, sequence: int) -> int | None:
        """Tries one head; the next row of its key when this one is out of the way."""
        async with self._store.transaction() as tx:
            if (row := await ParkedEvents(tx.connection).peek(sequence)) is None:
                return None
        place = {"topic": row.record.topic, "partition": row.record.partition, "offset": row.record.offset}
        with logs.bound(**place, ce_id=row.event_id):
            if not await self._settle(row):
                return None
        async with self._store.transaction() as tx:
            return await ParkedEvents(tx.connection).next_waiting(row)

    async def _settle(self, row: ParkedEvent) -> bool:
        for attempt, delay in enumerate(delays(first_s=0.1, most_s=1.0), start=1):
            try:
                return await self._handle(row)
            except Exception as error:
                verdict = judge(error)
                if verdict is Verdict.AWAY:
                    raise
                expired = row.deadline_at is not None and row.deadline_at <= utc_now()
                if verdict is Verdict.NOT_YET_KNOWN and not expired:
                    await self._note(row, error, state=WAITING)
                    return False
                if verdict is not Verdict.RETRY or attempt >= ATTEMPTS:
                    await self._note(row, error, state=PARKED)
                    self._conduct.note_parked()
                    log.error("waiting event parked", extra={"reason": reason_of(error)}, exc_info=error)
                    return True
            await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    async def _handle(self, row: ParkedEvent) -> bool:
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            if await rows.lock(row.sequence) is None:
                return False  # in other hands
            await self._react(row, tx)
            await rows.remove(row.sequence)
        self._conduct.parked_in_a_row = 0
        log.info("waiting event handled", extra={"attempts": row.attempts + 1})
        return True

    async def _react(self, row: ParkedEvent, tx: Any) -> None:
        if (reaction := self._reactions.get((row.consumer, row.event_type))) is None:
            raise NoHandler(f"{row.consumer} has no handler for {row.event_type or 'an event without type'}")
        event = decode(row.record, reaction.message_type, topic=row.record.topic)
        name = f"{row.record.topic} process"
        with telemetry.span(name, kind=SpanKind.CONSUMER, parent=event.traceparent):
            await reaction([event], tx)

    async def _note(self, row: ParkedEvent, error: Exception, *, state: str) -> None:
        again_in_s = min(0.25 * 2 ** min(row.attempts, 10), _MOST_BETWEEN_S)
        async with self._store.transaction() as tx:
            await ParkedEvents(tx.connection).failed(row.sequence, error, state=state, again_in_s=again_in_s)
