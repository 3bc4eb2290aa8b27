"""One received record, from its bytes to its end: handled, ignored, waiting, or parked. Never raised, never dropped.

Transaction, inbox claim, handler, commit; the caller then stores the offset.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanKind

from relearn_runtime import inbox, logs, metrics, telemetry
from relearn_runtime.backoff import Tries
from relearn_runtime.conduct import Conduct
from relearn_runtime.database import Store
from relearn_runtime.envelope import Event, MalformedEvent, Record, decode, type_of
from relearn_runtime.errors import reason_of
from relearn_runtime.faults import Verdict, judge
from relearn_runtime.inbox import Claim
from relearn_runtime.parking import ParkedEvents
from relearn_runtime.reactions import Reaction

log = logging.getLogger(__name__)


class Dispatcher:
    """Handles the records of one consumer, one at a time per partition."""

    def __init__(
        self,
        *,
        consumer: str,
        store: Store[Any],
        reactions: Mapping[str, Reaction],
        conduct: Conduct,
        deadline_s: float,
    ) -> None:
        self._consumer, self._store, self._reactions = consumer, store, reactions
        self._conduct, self._deadline_s = conduct, deadline_s

    async def handle(self, record: Record) -> str:
        """Brings one record (its topic without prefix) to its end; returns what became of it."""
        with logs.bound(topic=record.topic, partition=record.partition, offset=record.offset):
            outcome = await self._handle(record)
        metrics.EVENTS.labels(record.topic, outcome).inc()
        return outcome

    async def _handle(self, record: Record) -> str:
        if record.value is None and record.headers is not None:
            return "tombstone"  # compaction's way to forget a key; says nothing to a handler
        try:
            reaction = self._reactions.get(type_of(record))
            if reaction is None:
                return "ignored"
            event = decode(record, reaction.message_type, topic=record.topic)
        except MalformedEvent as error:
            malformed = error
            return await self._until_done(lambda: self._park_malformed(record, malformed))
        telemetry.remember(event.id, event.traceparent)
        attributes = {"messaging.system": "kafka", "messaging.destination.name": record.topic}
        attributes["relearn.event_id"] = event.id
        name = f"{record.topic} process"
        started = time.monotonic()
        with telemetry.span(name, kind=SpanKind.CONSUMER, parent=event.traceparent, attributes=attributes):
            telemetry.link_causes(event.causes)
            with logs.bound(ce_id=event.id, ce_type=event.type):
                outcome = await self._until_done(lambda: self._react(record, event, reaction))
        metrics.HANDLER_DURATION.labels(record.topic, outcome).observe(time.monotonic() - started)
        return outcome

    async def _until_done(self, work: Any) -> str:
        """Waits for a dependency as long as it is away: the partition stands still and keeps its order."""
        tries = Tries(first_s=0.2, most_s=5.0)
        while True:
            try:
                return str(await work())
            except Exception as error:
                # whatever keeps us even from parking is a dependency that is away, or nothing we may lose an event for
                away = judge(error) in (Verdict.AWAY, Verdict.BUSY)
                logs.say_waiting(log, "event waits for a dependency", error, away=away)
            await tries.pause()

    async def _react(self, record: Record, event: Event[Any], reaction: Reaction) -> str:
        tries = Tries(first_s=0.1, most_s=1.0)
        while True:
            try:
                return await self._once(record, event, reaction)
            except Exception as error:
                verdict = judge(error)
                if verdict is Verdict.AWAY:
                    raise
                if verdict is Verdict.NOT_YET_KNOWN or (verdict is Verdict.BUSY and tries.spent()):
                    return await self._let_wait(record, event, error, attempts=tries.number)
                if verdict is Verdict.PARK or tries.spent():
                    return await self._park(record, event, error, attempts=tries.number)
                log.info("handler failed, trying again", extra={"attempt": tries.number, "reason": reason_of(error)})
            await tries.pause()

    async def _once(self, record: Record, event: Event[Any], reaction: Reaction) -> str:
        async with self._store.transaction() as tx:
            claimed = await inbox.claim(tx.connection, self._consumer, event, record.key or b"")
            if claimed is Claim.REPEATED:
                return "repeated"
            if claimed is Claim.BEHIND:
                rows = ParkedEvents(tx.connection)
                await rows.add_waiting(self._consumer, record, None, deadline_s=self._deadline_s)
            else:
                await reaction([event], tx)
        if claimed is Claim.BEHIND:
            self._conduct.note_waiting()
            return "waiting"
        self._conduct.note_handled()
        return "handled"

    async def _let_wait(self, record: Record, event: Event[Any], error: Exception, *, attempts: int) -> str:
        async with self._store.transaction() as tx:
            if await inbox.claim(tx.connection, self._consumer, event, record.key or b"") is Claim.REPEATED:
                return "repeated"
            rows = ParkedEvents(tx.connection)
            await rows.add_waiting(self._consumer, record, error, attempts=attempts, deadline_s=self._deadline_s)
        log.info("event waits", extra={"reason": reason_of(error), "cause": str(error)})
        self._conduct.note_waiting()
        return "waiting"

    async def _park(self, record: Record, event: Event[Any], error: Exception, *, attempts: int) -> str:
        async with self._store.transaction() as tx:
            if await inbox.claim(tx.connection, self._consumer, event, record.key or b"") is Claim.REPEATED:
                return "repeated"
            await ParkedEvents(tx.connection).add_parked(self._consumer, record, error, attempts=attempts)
        log.error("event parked", extra={"reason": reason_of(error), "attempts": attempts}, exc_info=error)
        self._conduct.note_parked()
        return "parked"

    async def _park_malformed(self, record: Record, error: MalformedEvent) -> str:
        async with self._store.transaction() as tx:
            if not await inbox.claim_malformed(tx.connection, self._consumer, record):
                return "repeated"
            await ParkedEvents(tx.connection).add_parked(self._consumer, record, error, attempts=1)
        log.error("malformed event parked", extra={"reason": error.reason, "cause": error.message})
        self._conduct.note_parked()
        return "parked"
