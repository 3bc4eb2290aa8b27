"""A thread of its own for a model that would hold the others up.

What queued while the last run went on is the next batch. A lane that has had nothing to do for a
while ends its thread, so that lanes of drained versions cost nothing.
"""

import queue
import threading
from collections.abc import Callable, Sequence

from relearn_serving.gateway.model import Model
from relearn_serving.gateway.work import Work

Run = Callable[[Model, Sequence[Work]], None]

_IDLE_S = 30.0
_MAX_REQUESTS = 64


class Lanes:
    """One lane per model; `put` may be called from any thread. `run` must handle its own errors."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lanes: dict[Model, queue.SimpleQueue[Work]] = {}
        self._lock = threading.Lock()

    def put(self, model: Model, work: Work) -> None:
        with self._lock:
            lane = self._lanes.get(model)
            if lane is None:
                lane = self._lanes[model] = queue.SimpleQueue()
                name = f"lane {model.model_version_id}"
                threading.Thread(target=self._serve, args=(model, lane), name=name, daemon=True).start()
            lane.put(work)

    def _serve(self, model: Model, lane: "queue.SimpleQueue[Work]") -> None:
        while True:
            try:
                batch = [lane.get(timeout=_IDLE_S)]
            except queue.Empty:
                with self._lock:
                    if lane.empty():
                        del self._lanes[model]
                        return
                continue
            while len(batch) < _MAX_REQUESTS:
                try:
                    batch.append(lane.get_nowait())
                except queue.Empty:
                    break
            self._run(model, batch)
