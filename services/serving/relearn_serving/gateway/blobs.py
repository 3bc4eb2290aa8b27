"""Inputs too large for an event go to object storage under `inputs/`, beside the request path.

The blob is written before its prediction is told, so that a key in an event always names bytes. If
it cannot be written the prediction is told without its input, and the input is counted as lost.
"""

import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import obstore
from obstore.store import ObjectStore

from relearn_runtime.envelope import Record
from relearn_serving.gateway.predictions import with_input_key
from relearn_serving.gateway.room import Room

log = logging.getLogger(__name__)

_WAITING_MAX = 10_000
_WAITING_MAX_BYTES = 64 << 20


class Blobs:
    """One thread that writes large inputs; the queue is bounded by bytes."""

    def __init__(self, store: ObjectStore, *, tell: Callable[[Record], None]) -> None:
        self._store = store
        self._tell = tell
        self._queue: queue.SimpleQueue[tuple[Record, bytes] | None] = queue.SimpleQueue()
        self._room = Room(requests=_WAITING_MAX, max_bytes=_WAITING_MAX_BYTES)
        self._writing: Record | None = None
        self._lost = 0
        self._lost_lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="inputs", daemon=True)

    @property
    def lost(self) -> int:
        """Inputs that could not be kept; their predictions were told without them."""
        return self._lost

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, deadline_s: float = 3.0) -> None:
        """Writes what waits; what storage does not take until the deadline is told without its input."""
        self._queue.put(None)
        self._thread.join(deadline_s)
        if (writing := self._writing) is not None:
            self._tell_without(writing)
        while not self._queue.empty():
            if (waiting := self._queue.get()) is not None:
                self._tell_without(waiting[0])

    def offer(self, record: Record, content: bytes) -> None:
        """Never blocks."""
        if self._room.take(len(content)):
            self._queue.put((record, content))
        else:
            self._tell_without(record)

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            record, content = item
            self._writing = record
            try:
                key = self._put(record, content)
            except Exception:
                log.exception("an input could not be written to object storage")
                self._tell_without(record)
            else:
                self._tell(with_input_key(record, key))
            self._writing = None
            self._room.give_back(len(content))

    def _tell_without(self, record: Record) -> None:
        with self._lost_lock:
            self._lost += 1
        self._tell(record)

    def _put(self, record: Record, content: bytes) -> str:
        """The key: by day, so that old inputs expire by prefix; equal bytes of a day share one object."""
        project_id = (record.key or b"").decode().partition("/")[0]
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        key = f"inputs/{project_id}/{day}/{sha256(content).hexdigest()}"
        obstore.put(self._store, key, content)
        return key
