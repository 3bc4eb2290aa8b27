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

log = logging.getLogger(__name__)

_WAITING_MAX_BYTES = 64 << 20


class Blobs:
    """One thread that writes large inputs; the queue is bounded by bytes."""

    def __init__(self, store: ObjectStore, *, tell: Callable[[Record], None]) -> None:
        self._store = store
        self._tell = tell
        self._queue: queue.SimpleQueue[tuple[Record, bytes] | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self.lost = 0  # inputs that could not be kept; their predictions were told without them
        self._thread = threading.Thread(target=self._serve, name="inputs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits, then ends."""
        self._queue.put(None)
        self._thread.join()

    def offer(self, record: Record, content: bytes) -> None:
        """Never blocks."""
        with self._lock:
            room = self._waiting_bytes + len(content) <= _WAITING_MAX_BYTES
            if room:
                self._waiting_bytes += len(content)
        if room:
            self._queue.put((record, content))
        else:
            self.lost += 1
            self._tell(record)

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            record, content = item
            try:
                record = with_input_key(record, self._put(record, content))
            except Exception:
                self.lost += 1
                log.exception("an input could not be written to object storage")
            with self._lock:
                self._waiting_bytes -= len(content)
            self._tell(record)

    def _put(self, record: Record, content: bytes) -> str:
        """The key: by day, so that old inputs expire by prefix; equal bytes of a day share one object."""
        project_id = (record.key or b"").decode().partition("/")[0]
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        key = f"inputs/{project_id}/{day}/{sha256(content).hexdigest()}"
        obstore.put(self._store, key, content)
        return key
