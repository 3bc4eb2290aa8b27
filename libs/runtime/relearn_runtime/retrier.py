"""Tries waiting events again: the head of each key, in order, until it is handled or its deadline has passed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.trace import SpanKind

from relearn_runtime import logs, metrics, telemetry
from relearn_runtime.backoff import Tries
from relearn_runtime.conduct import Conduct
from relearn_runtime.database import Store
from relearn_runtime.envelope import decode
from relearn_runtime.errors import NotFound, WrongState, reason_of
from relearn_runtime.faults import Verdict, judge
from relearn_runtime.parking import PARKED, WAITING, ParkedEvent, ParkedEvents
from relearn_runtime.reactions import Reaction
from relearn_runtime.seams import utc_now

_POLL_S = 0.5
_IDLE_POLL_S = 10.0
_MOST_BETWEEN_S = 2.0
_GRACE_S = 60.0
_MOST_TOGETHER = 100
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
        async with self._store.transaction() as tx:
            await ParkedEvents(tx.connection).extend_deadlines(least_s=_GRACE_S)
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
        await self._react([row], tx)
        await rows.remove(row.sequence)

    async def note_failure(self, parked_event_id: str, error: Exception) -> None:
        """Writes the cause of a failed `retry` into its row."""
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            if row := await rows.get(parked_event_id, lock=True):
                await rows.failed(row.sequence, error, was=row.state, state=row.state, again_in_s=_MOST_BETWEEN_S)

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
            await self._drain(head)

    async def _drain(self, head: int) -> None:
        """Settles a key's events from its head on; those of a batch together, ever more while that goes well."""
        following: int | None = head
        together = 1
        while following is not None:
            async with self._store.transaction() as tx:
                if (row := await ParkedEvents(tx.connection).peek(following)) is None:
                    return
            place = {"topic": row.record.topic, "partition": row.record.partition, "offset": row.record.offset}
            with logs.bound(**place, ce_id=row.event_id):
                if together > 1 and await self._handle_together(row, most=together):
                    together *= 2
                elif await self._settle(row):
                    together = 2
                else:
                    return
            async with self._store.transaction() as tx:
                following = await ParkedEvents(tx.connection).next_waiting(row)

    async def _handle_together(self, row: ParkedEvent, *, most: int) -> bool:
        """Whether several could be handled in one transaction; where one of them fails, each has to go by itself."""
        reaction = self._reactions.get((row.consumer, row.event_type))
        if reaction is None or (most := min(most, reaction.most, _MOST_TOGETHER)) == 1:
            return False
        try:
            return await self._handle(row, most=most)
        except Exception as error:
            if judge(error) is Verdict.AWAY:
                raise
            return False

    async def _settle(self, row: ParkedEvent) -> bool:
        """Whether this one is out of the way: handled, or parked."""
        tries = Tries(first_s=0.1, most_s=1.0)
        while True:
            try:
                return await self._handle(row, most=1)
            except Exception as error:
                verdict = judge(error)
                if verdict is Verdict.AWAY:
                    raise
                expired = row.deadline_at is not None and row.deadline_at <= utc_now()
                if verdict in (Verdict.NOT_YET_KNOWN, Verdict.BUSY) and not expired:
                    await self._note(row, error, state=WAITING)
                    return False
                if verdict is not Verdict.RETRY or tries.spent():
                    await self._note(row, error, state=PARKED)
                    self._conduct.note_parked()
                    metrics.EVENTS.labels(row.record.topic, "parked").inc()
                    log.error("waiting event parked", extra={"reason": reason_of(error)}, exc_info=error)
                    return True
            await tries.pause()

    async def _handle(self, row: ParkedEvent, *, most: int) -> bool:
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            if (head := await rows.lock(row.sequence)) is None:
                return False  # in other hands
            events = [head, *(await rows.lock_following(head, most=most - 1) if most > 1 else ())]
            await self._react(events, tx)
            await rows.remove(*(event.sequence for event in events))
        self._conduct.parked_in_a_row = 0
        metrics.EVENTS.labels(row.record.topic, "handled").inc(len(events))
        log.info("waiting events handled", extra={"events": len(events), "attempts": row.attempts + 1})
        return True

    async def _react(self, rows: Sequence[ParkedEvent], tx: Any) -> None:
        """Handles rows of one consumer and key; more than one only for a batch, whose consumer has one type."""
        first = rows[0]
        if (reaction := self._reactions.get((first.consumer, first.event_type))) is None:
            raise NoHandler(f"{first.consumer} has no handler for {first.event_type or 'an event without type'}")
        events = [decode(row.record, reaction.message_type, topic=row.record.topic) for row in rows]
        links = [event.traceparent for event in events[1:] if event.traceparent]
        name, parent = f"{first.record.topic} process", events[0].traceparent
        with telemetry.span(name, kind=SpanKind.CONSUMER, parent=parent, links=links):
            await reaction(events, tx)

    async def _note(self, row: ParkedEvent, error: Exception, *, state: str) -> None:
        again_in_s = min(0.25 * 2 ** min(row.attempts, 10), _MOST_BETWEEN_S)
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            await rows.failed(row.sequence, error, was=WAITING, state=state, again_in_s=again_in_s)
