"""A thread of its own for a model that would hold the others up.

What queued while the last run went on is the next batch. A lane that has had nothing to do for a
while ends its thread, so that lanes of drained versions cost nothing.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from relearn_serving.gateway.model import Model
from relearn_serving.gateway.refusals import Overloaded
from relearn_serving.gateway.room import Room
from relearn_serving.gateway.work import Work

Run = Callable[[Model, Sequence[Work]], None]

_IDLE_S = 30.0
_MAX_REQUESTS = 64


@dataclass(slots=True)
class _Lane:
    room: Room
    queue: "queue.SimpleQueue[tuple[Work, int]]" = field(default_factory=queue.SimpleQueue)


class Lanes:
    """One lane per model; `put` may be called from any thread. `run` must handle its own errors."""

    def __init__(self, run: Run, *, waiting: int, max_bytes: int) -> None:
        """Each lane holds at most `waiting` requests and `max_bytes` of them, those that run included."""
        self._run = run
        self._waiting = waiting
        self._max_bytes = max_bytes
        self._lanes: dict[Model, _Lane] = {}
        self._lock = threading.Lock()

    def put(self, model: Model, work: Work) -> None:
        """Queues the work.

        Raises:
            Overloaded: the model is slower than its traffic.
        """
        size_bytes = work.size_bytes
        with self._lock:
            lane = self._lanes.get(model)
            if lane is None:
                lane = self._lanes[model] = _Lane(Room(requests=self._waiting, max_bytes=self._max_bytes))
                name = f"lane {model.model_version_id}"
                threading.Thread(target=self._serve, args=(model, lane), name=name, daemon=True).start()
            if not lane.room.take(size_bytes):
                raise Overloaded(f"too many requests wait for version {model.version}; try again with backoff")
            lane.queue.put((work, size_bytes))

    def _serve(self, model: Model, lane: _Lane) -> None:
        while True:
            try:
                batch = [lane.queue.get(timeout=_IDLE_S)]
            except queue.Empty:
                with self._lock:
                    if lane.queue.empty():
                        del self._lanes[model]
                        return
                continue
            while len(batch) < _MAX_REQUESTS:
                try:
                    batch.append(lane.queue.get_nowait())
                except queue.Empty:
                    break
            self._run(model, [work for work, _ in batch])
            for _, size_bytes in batch:
                lane.room.give_back(size_bytes)
