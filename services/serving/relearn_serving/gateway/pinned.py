"""Versions that requests pin and no route names: loaded on demand, the least recently used goes first.

They load in threads of their own, so that a registry that hangs, or callers who pin what does not exist, hold
up nobody but themselves.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.refusals import Overloaded

Then = Callable[[Model | Exception], None]

_THREADS = 2
_REMEMBERED_S = 3.0
_MAX_REMEMBERED = 256


class Pinned:
    """Any thread may ask; each version is loaded once, however many wait for it."""

    def __init__(self, load: Callable[[str], Model], *, keep: int, waiting: int) -> None:
        """Keeps `keep` versions; at most `waiting` requests wait for versions that load."""
        self._load = load
        self._keep = keep
        self._waiting = waiting
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._failures: OrderedDict[str, tuple[float, RelearnError]] = OrderedDict()
        self._loading: dict[str, list[Then]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pinned")

    def find(self, model_version_id: str) -> Model | None:
        """The version if it is in memory.

        Raises:
            RelearnError: why it could not be loaded a moment ago.
        """
        with self._lock:
            model = self._models.get(model_version_id)
            if model is not None:
                self._models.move_to_end(model_version_id)
                return model
            at, failure = self._failures.get(model_version_id, (0.0, None))
        if failure is not None and time.monotonic() < at + _REMEMBERED_S:
            raise failure.with_traceback(None)
        return None

    def load(self, model_version_id: str, then: Then) -> None:
        """Calls `then`, which handles its own errors, with the version or with what went wrong; from another thread.

        Raises:
            Overloaded: too many requests wait already.
        """
        with self._lock:
            if sum(map(len, self._loading.values())) >= self._waiting:
                raise Overloaded("too many requests wait for pinned versions; try again with backoff")
            waiting = self._loading.setdefault(model_version_id, [])
            waiting.append(then)
            if len(waiting) == 1:
                self._pool.submit(self._load_one, model_version_id)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _load_one(self, model_version_id: str) -> None:
        try:
            loaded: Model | Exception = self._load(model_version_id)
        except Exception as error:
            loaded = error
        with self._lock:
            if isinstance(loaded, Model):
                self._models[model_version_id] = loaded
                while len(self._models) > self._keep:
                    self._models.popitem(last=False)
            elif isinstance(loaded, RelearnError):
                self._failures[model_version_id] = (time.monotonic(), loaded)
                self._failures.move_to_end(model_version_id)
                while len(self._failures) > _MAX_REMEMBERED:
                    self._failures.popitem(last=False)
            waiting = self._loading.pop(model_version_id)
        for then in waiting:
            then(loaded)
