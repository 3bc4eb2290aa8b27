"""The challenger on the champion's inputs, after the answer has gone: its own thread, shed first.

A shadow never costs an answer more than one bounded append. What does not fit is shed and counted.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from numpy.typing import NDArray

from relearn_media import DecodedImage
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import decode_all, model_input
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.routing import Arm
from relearn_serving.gateway.work import Work

log = logging.getLogger(__name__)

ObserveShadow = Callable[[Sequence["ShadowWork"], Model, Answers, float], None]

_RUN_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowWork:
    """One answered request, to be answered again by `model`."""

    work: Work
    model: Model
    prediction_id: str

    @property
    def size(self) -> int:
        return self.work.size


def shadow_id(prediction_id: str, model_version_id: str) -> str:
    """The id of a version's shadow of a prediction: the same however often it is derived."""
    return str(uuid5(NAMESPACE_URL, f"relearn:shadow:{prediction_id}:{model_version_id}"))


class Shadow:
    """Takes work from serving threads and runs it in batches."""

    def __init__(self, *, waiting: int, counters: Counters, observe: ObserveShadow) -> None:
        self._queue: deque[ShadowWork] = deque()
        self._waiting = waiting
        self._counters = counters
        self._observe = observe
        self._wake = threading.Event()
        self._stopping = False
        self.shed = 0  # predictions
        self._thread = threading.Thread(target=self._serve, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def offer(self, work: Work, model: Model) -> None:
        """Queues the work if there is room."""
        if len(self._queue) >= self._waiting:
            self.shed += work.size
            return
        prediction_id = shadow_id(work.prediction_id, model.model_version_id)
        self._queue.append(ShadowWork(work=work, model=model, prediction_id=prediction_id))
        if not self._wake.is_set():
            self._wake.set()

    def _serve(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            while self._queue and not self._stopping:
                batch = self._next()
                try:
                    self._run(batch[0].model, batch)
                except Exception:
                    log.exception("shadow failed", extra={"model_version_id": batch[0].model.model_version_id})

    def _next(self) -> list[ShadowWork]:
        """The oldest work, and what follows it for the same model."""
        batch = [self._queue.popleft()]
        size = batch[0].size
        while self._queue and self._queue[0].model is batch[0].model and size < _RUN_MAX:
            batch.append(self._queue.popleft())
            size += batch[-1].size
        return batch

    def _run(self, model: Model, batch: Sequence[ShadowWork]) -> None:
        fitting = [(shadow, tensor) for shadow in batch if (tensor := self._input(shadow)) is not None]
        if not fitting:
            return
        start = time.monotonic()
        try:
            answers = Answers.of(model.run(np.concatenate([tensor for _, tensor in fitting])))
        except Exception:
            for shadow, _ in fitting:
                self._failed(shadow)
            raise
        model_s = (time.monotonic() - start) / len(answers.winners)
        requests = []
        first = 0
        for shadow, _ in fitting:
            winners = answers.winners[first : first + shadow.size]
            requests.append((Arm.SHADOW, winners, model_s * shadow.size, model_s))
            first += shadow.size
        self._counters.answered(model.project_id, model.model_version_id, len(model.classes), requests)
        self._observe([shadow for shadow, _ in fitting], model, answers, model_s)

    def _input(self, shadow: ShadowWork) -> NDArray[np.float32] | None:
        """What this model sees of the input; None (and counted) when it cannot see it."""
        request, model = shadow.work.request, shadow.model
        champion = shadow.work.model
        if champion is not None and champion.preprocessing == model.preprocessing:
            return shadow.work.batch
        if request.tensor is not None:
            self.shed += shadow.size  # preprocessed for the champion by the caller; the input itself is unknown
            return None
        try:
            decoded: Sequence[DecodedImage] = decode_all(request.images, model.spec)
        except Exception:
            self._failed(shadow)
            return None
        return model_input(decoded, model.preprocessing)

    def _failed(self, shadow: ShadowWork) -> None:
        self._counters.failed(
            shadow.work.request.project_id,
            shadow.model.model_version_id,
            Arm.SHADOW,
            predictions=shadow.size,
            classes=len(shadow.model.classes),
        )
