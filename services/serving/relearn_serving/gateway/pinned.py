"""Versions that requests pin and no route names: loaded on demand, the least recently used goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from relearn_serving.gateway.model import Model


class Pinned:
    """Any thread may ask; one version is loaded at a time."""

    def __init__(self, load: Callable[[str], Model], *, keep: int) -> None:
        self._load = load
        self._keep = keep
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model_version_id: str) -> Model:
        """Blocks while it loads. Raises UnknownVersion, BadModel, DependencyUnavailable."""
        with self._lock:
            model = self._models.get(model_version_id)
            if model is None:
                model = self._models[model_version_id] = self._load(model_version_id)
                while len(self._models) > self._keep:
                    self._models.popitem(last=False)
            self._models.move_to_end(model_version_id)
            return model
