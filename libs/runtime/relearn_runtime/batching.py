"""The consumer of one `Batch`: takes what waits, handles it in one transaction, halves what fails down to poison."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.trace import SpanKind

from relearn_runtime import logs, metrics, telemetry
from relearn_runtime.backlog import Backlogs
from relearn_runtime.backoff import ATTEMPTS, Tries
from relearn_runtime.conduct import Conduct
from relearn_runtime.database import Store
from relearn_runtime.envelope import Event, MalformedEvent, Record, decode, type_of
from relearn_runtime.errors import reason_of
from relearn_runtime.faults import Verdict, judge
from relearn_runtime.feed import Feed, Place
from relearn_runtime.offsets import StoredOffsets
from relearn_runtime.parking import ParkedEvents
from relearn_runtime.reactions import Reaction

_ATTEMPTS_OF_MANY = 2  # a batch that fails twice is halved; only a single event gets the full number
_LINGER_S = 0.02
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """A record of a chunk: an event of our type, malformed, or (neither) of no concern."""

    record: Record
    event: Event[Any] | None = None
    malformed: MalformedEvent | None = None


class BatchConsumer:
    """Consumes one event type in batches, in a group of its own."""

    def __init__(
        self,
        *,
        prefix: str,
        settings: dict[str, Any],
        reaction: Reaction,
        store: Store[Any],
        conduct: Conduct,
        deadline_s: float,
        drain_s: float,
    ) -> None:
        self._prefix, self._reaction = prefix, reaction
        self._store, self._conduct, self._deadline_s, self._drain_s = store, conduct, deadline_s, drain_s
        self._backlogs = Backlogs(reaction.consumer)
        self._wake, self._idle, self._stopping = asyncio.Event(), asyncio.Event(), False
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        topics = [prefix + reaction.topic]
        self._feed = Feed(name=reaction.consumer, topics=topics, settings=settings, listener=self)

    def start(self) -> Sequence[asyncio.Future[None]]:
        """Begins to consume; Kafka need not be there yet. Returns what must not end before `stop`."""
        self._task = asyncio.create_task(self._work(), name=self._reaction.consumer)
        return [self._task, self._feed.start()]

    async def stop(self) -> None:
        """Ends the batch in hand (or rolls it back after the drain time) and leaves the group."""
        self._stopping = True
        self._wake.set()
        if self._task:
            await asyncio.wait([self._task], timeout=self._drain_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._idle.set()
        await self._feed.stop()

    async def assigned(self, places: Sequence[Place]) -> dict[Place, int]:
        """Starts each partition at its stored offset, or its beginning: what the group has committed means nothing.

        Waits for the database as long as it is away.
        """
        stored = await self._stored_offsets()
        for place in places:
            self._backlogs.open(place)
        return {(topic, number): stored.get((topic.removeprefix(self._prefix), number), 0) for topic, number in places}

    async def revoked(self, places: Sequence[Place]) -> None:
        """Drops what waits and lets the batch in hand end; if that takes too long the fence decides."""
        for place in places:
            self._backlogs.close(place)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self._drain_s)

    def received(self, records: Sequence[Record]) -> None:
        """Queues records per partition."""
        self._backlogs.extend(records, self._feed)
        self._wake.set()

    def measured(self, unread: Mapping[Place, int]) -> None:
        """Updates the lag."""
        self._backlogs.measure(unread)

    async def rewound(self, place: Place) -> None:
        """Forgets an offset of a topic that was made anew."""
        async with self._store.transaction() as tx:
            offsets = StoredOffsets(tx.connection, self._reaction.consumer)
            await offsets.forget((place[0].removeprefix(self._prefix), place[1]))

    async def _stored_offsets(self) -> dict[Place, int]:
        tries = Tries(first_s=0.2, most_s=2.0)
        while True:
            try:
                async with self._store.transaction() as tx:
                    return await StoredOffsets(tx.connection, self._reaction.consumer).all()
            except Exception as error:
                if self._stopping:
                    raise
                self._say_waiting(error)
            await tries.pause()

    async def _work(self) -> None:
        while not self._stopping:
            if not any(len(backlog) for _, backlog in self._backlogs):
                self._wake.clear()
                await self._wake.wait()
                await asyncio.sleep(_LINGER_S)  # what arrives together is handled together
                continue
            self._idle.clear()
            try:
                await self._end(self._take())
            finally:
                self._idle.set()

    async def _end(self, records: Sequence[Record]) -> None:
        while not self._stopping:
            try:
                await self._batch([self._parse(record) for record in records])
            except Exception:  # our own mistake: these records stay, going on without them would lose them
                log.exception("batch not brought to an end")
                await asyncio.sleep(5.0)
            else:
                return

    def _take(self) -> list[Record]:
        taken: list[Record] = []
        for place, backlog in self._backlogs:
            taken += backlog.take(self._reaction.most - len(taken))
            self._backlogs.throttle(place, self._feed)
        self._backlogs.take_turns()
        return taken

    def _parse(self, received: Record) -> _Parsed:
        record = replace(received, topic=received.topic.removeprefix(self._prefix))
        if record.value is None and record.headers is not None:
            return _Parsed(record=record)
        try:
            if type_of(record) != self._reaction.event_type:
                return _Parsed(record=record)
            event: Event[Any] = decode(record, self._reaction.message_type, topic=record.topic)
        except MalformedEvent as error:
            return _Parsed(record=record, malformed=error)
        return _Parsed(record=record, event=event)

    async def _batch(self, chunk: Sequence[_Parsed]) -> None:
        """Brings a chunk to its end, halves first when it fails as a whole."""
        tries = Tries(first_s=0.2, most_s=5.0)
        while True:
            try:
                await self._settle(chunk, attempts=ATTEMPTS if len(chunk) == 1 else _ATTEMPTS_OF_MANY)
                break
            except Exception as error:
                self._say_waiting(error)
            await tries.pause()
        ends = {(parsed.record.topic, parsed.record.partition): parsed.record.offset + 1 for parsed in chunk}
        for (topic, number), end in ends.items():
            self._feed.done((self._prefix + topic, number), end)  # only for those who watch the group's lag

    async def _settle(self, chunk: Sequence[_Parsed], *, attempts: int) -> None:
        """Raises only when a dependency is away; what had been settled before stays settled by its offset."""
        tries = Tries(first_s=0.1, most_s=1.0)
        if (error := await self._attempt(chunk, tries, most=attempts)) is None:
            return
        if len(chunk) == 1:
            await self._give_up(chunk[0], error, attempts=tries.number)
            return
        middle = len(chunk) // 2
        for half in (chunk[:middle], chunk[middle:]):
            await self._settle(half, attempts=ATTEMPTS if len(half) == 1 else 1)

    async def _attempt(self, chunk: Sequence[_Parsed], tries: Tries, *, most: int) -> Exception | None:
        while True:
            try:
                await self._once(chunk)
            except Exception as error:
                verdict = judge(error)
                if verdict is Verdict.AWAY:
                    raise
                if verdict not in (Verdict.RETRY, Verdict.BUSY) or tries.spent(most):
                    return error
                log.info("batch failed, trying again", extra={"attempt": tries.number, "reason": reason_of(error)})
            else:
                return None
            await tries.pause()

    async def _once(self, chunk: Sequence[_Parsed]) -> None:
        topic, started = self._reaction.topic, time.monotonic()
        links = [parsed.event.traceparent for parsed in chunk if parsed.event and parsed.event.traceparent]
        outcome = "failed"
        try:
            with telemetry.span(f"{topic} process batch", kind=SpanKind.CONSUMER, links=links):
                counts = await self._transaction(chunk)
            outcome = "handled"
        finally:
            metrics.HANDLER_DURATION.labels(topic, outcome).observe(time.monotonic() - started)
        for name, count in counts.items():
            metrics.EVENTS.labels(topic, name).inc(count)
        if counts["handled"]:
            self._conduct.note_handled()
        if counts["waiting"]:
            self._conduct.note_waiting()
        for _ in range(counts["parked"]):
            self._conduct.note_parked()

    async def _transaction(self, chunk: Sequence[_Parsed]) -> dict[str, int]:
        counts = {"handled": 0, "waiting": 0, "parked": 0, "ignored": 0, "repeated": 0}
        consumer = self._reaction.consumer
        async with self._store.transaction() as tx:
            rows = ParkedEvents(tx.connection)
            fresh = await self._fenced(tx, chunk)
            counts["repeated"] = len(chunk) - len(fresh)
            keys = {parsed.record.key or b"" for parsed in fresh if parsed.event}
            behind = await rows.keys_waiting(consumer, self._reaction.topic, keys) if keys else set()
            events: list[Event[Any]] = []
            for parsed in fresh:
                if parsed.malformed:
                    await rows.add_parked(consumer, parsed.record, parsed.malformed, attempts=1)
                    counts["parked"] += 1
                elif parsed.event is None:
                    counts["ignored"] += 1
                elif (parsed.record.key or b"") in behind:
                    await rows.add_waiting(consumer, parsed.record, None, deadline_s=self._deadline_s)
                    counts["waiting"] += 1
                else:
                    events.append(parsed.event)
            if events:
                await self._reaction(events, tx)
            counts["handled"] = len(events)
        return counts

    async def _fenced(self, tx: Any, chunk: Sequence[_Parsed]) -> list[_Parsed]:
        """Those that no one has handled yet; moves the offsets of all."""
        offsets = StoredOffsets(tx.connection, self._reaction.consumer)
        ends: dict[Place, int] = {}
        for parsed in chunk:
            ends[parsed.record.topic, parsed.record.partition] = parsed.record.offset + 1
        stored = await offsets.lock(list(ends))
        for place, end in ends.items():
            if end > stored[place]:
                await offsets.advance(place, end)
        return [p for p in chunk if p.record.offset >= stored[p.record.topic, p.record.partition]]

    async def _give_up(self, parsed: _Parsed, error: Exception, *, attempts: int) -> None:
        """Parks one event, or lets it wait for another topic; its offset moves in the same transaction."""
        waits = judge(error) in (Verdict.NOT_YET_KNOWN, Verdict.BUSY)
        async with self._store.transaction() as tx:
            if not await self._fenced(tx, [parsed]):
                return
            rows, consumer = ParkedEvents(tx.connection), self._reaction.consumer
            if waits:
                await rows.add_waiting(consumer, parsed.record, error, attempts=attempts, deadline_s=self._deadline_s)
            else:
                await rows.add_parked(consumer, parsed.record, error, attempts=attempts)
        metrics.EVENTS.labels(self._reaction.topic, "waiting" if waits else "parked").inc()
        if waits:
            self._conduct.note_waiting()
            return
        self._conduct.note_parked()
        place = {"topic": parsed.record.topic, "partition": parsed.record.partition, "offset": parsed.record.offset}
        log.error("event parked", extra=place | {"reason": reason_of(error), "attempts": attempts}, exc_info=error)

    @staticmethod
    def _say_waiting(error: Exception) -> None:
        logs.say_waiting(log, "batch waits for a dependency", error, away=judge(error) in (Verdict.AWAY, Verdict.BUSY))
