"""Records that were received and are not handled yet, and when to fetch no more of them."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from relearn_runtime import metrics
from relearn_runtime.envelope import Record
from relearn_runtime.feed import Feed, Place

_MOST_RECORDS, _FEW_RECORDS = 1000, 250
_MOST_BYTES, _FEW_BYTES = 16 * 2**20, 4 * 2**20


class Backlog:
    """Those of one partition, with two marks: full above the higher one, until it falls below the lower one."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._bytes = 0
        self.paused = False

    def __len__(self) -> int:
        return len(self._records)

    def extend(self, records: Sequence[Record]) -> None:
        """Adds received records; what comes twice is for the inbox to find, nothing is dropped here."""
        self._records.extend(records)
        self._bytes += sum(len(record.value or b"") for record in records)

    def first(self) -> Record | None:
        """The oldest, left in place."""
        return self._records[0] if self._records else None

    def take(self, most: int) -> list[Record]:
        """Removes and returns the oldest."""
        taken = [self._records.popleft() for _ in range(min(most, len(self._records)))]
        self._bytes -= sum(len(record.value or b"") for record in taken)
        return taken

    @property
    def full(self) -> bool:
        """Above one of the higher marks."""
        return len(self._records) > _MOST_RECORDS or self._bytes > _MOST_BYTES

    @property
    def low(self) -> bool:
        """Below both lower marks."""
        return len(self._records) < _FEW_RECORDS and self._bytes < _FEW_BYTES

    def age_s(self) -> float:
        """Age of the oldest record, by Kafka's time; 0 when there is none."""
        first = self.first()
        return max(0.0, time.time() - first.timestamp_ms / 1000) if first else 0.0


class Backlogs:
    """Those of all partitions that a consumer has now; the first of them is the next in turn."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._by_place: dict[Place, Backlog] = {}

    def __iter__(self) -> Iterator[tuple[Place, Backlog]]:
        return iter(list(self._by_place.items()))

    def open(self, place: Place) -> Backlog:
        """Begins a partition that was assigned."""
        self._by_place[place] = backlog = Backlog()
        return backlog

    def close(self, place: Place) -> None:
        """Drops what waits of a partition that was taken away, and its metrics."""
        self._by_place.pop(place, None)
        for gauge in (metrics.CONSUMER_LAG, metrics.CONSUMER_LAG_S):
            with suppress(KeyError):
                gauge.remove(self._consumer, place[0], str(place[1]))

    def extend(self, records: Sequence[Record], feed: Feed) -> list[Place]:
        """Adds received records, and says of which partitions; those that are no longer ours belong to another."""
        by_place: dict[Place, list[Record]] = defaultdict(list)
        for record in records:
            by_place[record.topic, record.partition].append(record)
        ours = [place for place in by_place if place in self._by_place]
        for place in ours:
            self._by_place[place].extend(by_place[place])
            self.throttle(place, feed)
        return ours

    def throttle(self, place: Place, feed: Feed) -> None:
        """Stops fetching from a partition whose backlog is full, and goes on with one whose backlog has become low."""
        if (backlog := self._by_place.get(place)) is None:
            return
        if not backlog.paused and backlog.full:
            backlog.paused = True
            feed.pause(place)
        elif backlog.paused and backlog.low:
            backlog.paused = False
            feed.resume(place)

    def take_turns(self) -> None:
        """Puts the first partition last."""
        if self._by_place:
            first = next(iter(self._by_place))
            self._by_place[first] = self._by_place.pop(first)

    def measure(self, unread: Mapping[Place, int]) -> None:
        """Tells Prometheus how far each partition is behind: what is still in Kafka, and what waits here."""
        for place, backlog in self:
            labels = (self._consumer, place[0], str(place[1]))
            metrics.CONSUMER_LAG.labels(*labels).set(unread.get(place, 0) + len(backlog))
            metrics.CONSUMER_LAG_S.labels(*labels).set(backlog.age_s())
