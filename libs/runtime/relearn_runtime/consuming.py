"""Events one by one: each partition in order, several partitions at a time, each offset stored after its commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relearn_runtime.backlog import Backlog, Backlogs
from relearn_runtime.dispatch import Dispatcher
from relearn_runtime.envelope import Record
from relearn_runtime.feed import Feed, Place

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Lane:
    """One assigned partition: what waits, and the task that works on it."""

    backlog: Backlog
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False
    task: asyncio.Task[None] | None = None


class SinglesConsumer:
    """The consumer of a service's handlers."""

    def __init__(
        self,
        *,
        name: str,
        prefix: str,
        topics: Sequence[str],
        settings: dict[str, Any],
        dispatcher: Dispatcher,
        concurrency: int,
        drain_s: float,
    ) -> None:
        self._name, self._prefix, self._dispatcher, self._drain_s = name, prefix, dispatcher, drain_s
        self._slots = asyncio.Semaphore(concurrency)
        self._backlogs = Backlogs(name)
        self._lanes: dict[Place, _Lane] = {}
        self._feed = Feed(name=name, topics=[prefix + topic for topic in topics], settings=settings, listener=self)

    def start(self) -> Sequence[asyncio.Future[None]]:
        """Begins to consume; Kafka need not be there yet. Returns what must not end before `stop`."""
        return [self._feed.start()]

    async def stop(self) -> None:
        """Ends what is in hand (or gives it back after the drain time), commits, leaves the group."""
        await self.revoked(list(self._lanes))
        await self._feed.stop()

    async def assigned(self, places: Sequence[Place]) -> dict[Place, int]:
        """Opens a lane per partition; the group's committed offsets hold."""
        for place in places:
            lane = self._lanes[place] = _Lane(backlog=self._backlogs.open(place))
            lane.task = asyncio.create_task(self._work(place, lane), name=f"{self._name} {place[0]}/{place[1]}")
        log.info("partitions assigned", extra={"consumer": self._name, "partitions": [f"{t}/{p}" for t, p in places]})
        return {}

    async def revoked(self, places: Sequence[Place]) -> None:
        """Lets each lane end its event; what takes longer than the drain time is rolled back and comes again."""
        lanes = [(place, self._lanes.pop(place)) for place in places if place in self._lanes]
        for _, lane in lanes:
            lane.leaving = True
            lane.wake.set()
        tasks = [lane.task for _, lane in lanes if lane.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for place, _ in lanes:
            self._backlogs.close(place)

    def received(self, records: Sequence[Record]) -> None:
        """Puts records into their lanes."""
        for place in self._backlogs.extend(records, self._feed):
            if lane := self._lanes.get(place):
                lane.wake.set()

    def measured(self, unread: Mapping[Place, int]) -> None:
        """Updates the lag."""
        self._backlogs.measure(unread)

    async def rewound(self, place: Place) -> None:
        """Nothing to forget: the offsets are the group's."""

    async def _work(self, place: Place, lane: _Lane) -> None:
        while not lane.leaving:
            record = lane.backlog.first()
            if record is None:
                lane.wake.clear()
                await lane.wake.wait()
                continue
            try:
                async with self._slots:
                    await self._dispatcher.handle(replace(record, topic=record.topic.removeprefix(self._prefix)))
            except Exception:  # the dispatcher's own mistake: the event stays, a person must act
                log.exception("event not brought to an end", extra={"topic": place[0], "offset": record.offset})
                await asyncio.sleep(5.0)
                continue
            lane.backlog.take(1)
            self._feed.done(place, record.offset + 1)
            if not lane.leaving:
                self._backlogs.throttle(place, self._feed)
