"""Records of one partition that were received and are not handled yet, and when to fetch no more of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from relearn_runtime.envelope import Record

_MOST_RECORDS, _FEW_RECORDS = 1000, 250
_MOST_BYTES, _FEW_BYTES = 16 * 2**20, 4 * 2**20


class Backlog:
    """A queue with two marks: full above the higher one, until it falls below the lower one."""

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
