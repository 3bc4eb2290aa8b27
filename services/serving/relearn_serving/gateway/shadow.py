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

from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import decode_all, model_input
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.predictions import Answered
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.room import Room
from relearn_serving.gateway.routing import Arm
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.work import Work

log = logging.getLogger(__name__)

Number = Callable[[int], int]
Tell = Callable[[Sequence[Answered], Model, Answers], None]

_RUN_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowWork:
    """One answered request, to be answered again by `model`; it keeps no more of it than that takes."""

    answered: Answered  # by the champion
    model: Model
    batch: NDArray[np.float32] | None  # what the champion saw, where this model sees the same
    size_bytes: int


def shadow_id(prediction_id: str, model_version_id: str) -> str:
    """The id of a version's shadow of a prediction: the same however often it is derived."""
    return str(uuid5(NAMESPACE_URL, f"relearn:shadow:{prediction_id}:{model_version_id}"))


class Shadow:
    """Takes work from serving threads and runs it in batches."""

    def __init__(
        self, current: Current, *, waiting: int, max_bytes: int, counters: Counters, number: Number, tell: Tell
    ) -> None:
        """At most `waiting` requests and `max_bytes` of them wait."""
        self._current = current
        self._queue: deque[ShadowWork] = deque()
        self._room = Room(requests=waiting, max_bytes=max_bytes)
        self._counters = counters
        self._number = number
        self._tell = tell
        self._wake = threading.Event()
        self._stopping = False
        self._shed = 0
        self._shed_lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="shadow", daemon=True)

    @property
    def shed(self) -> int:
        """Predictions that were not shadowed."""
        return self._shed

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the run under way; what waits is shed."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        while self._queue:
            self._count_shed(self._queue.popleft().answered.size)

    def offer(self, work: Work, answered: Answered) -> None:
        """Queues an answered request for its route's challenger, if there is room."""
        model = self._current.serving.models.get(work.choice.shadow)
        if model is None:
            return
        same = work.model is not None and work.model.preprocessing == model.preprocessing
        if not (same or answered.inputs):  # preprocessed for the champion by the caller; the input itself is unknown
            self._count_shed(answered.size)
            return
        batch = work.batch if same else None
        size_bytes = sum(len(each.content) for each in answered.inputs) + (0 if batch is None else batch.nbytes)
        if not self._room.take(size_bytes):
            self._count_shed(answered.size)
            return
        self._queue.append(ShadowWork(answered=answered, model=model, batch=batch, size_bytes=size_bytes))
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
                for shadow in batch:
                    self._room.give_back(shadow.size_bytes)

    def _next(self) -> list[ShadowWork]:
        """The oldest work, and what follows it for the same model."""
        batch = [self._queue.popleft()]
        size = batch[0].answered.size
        while self._queue and self._queue[0].model is batch[0].model and size < _RUN_MAX:
            batch.append(self._queue.popleft())
            size += batch[-1].answered.size
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
        self._tell_all([shadow for shadow, _ in fitting], model, answers, model_s)

    def _tell_all(self, shadows: Sequence[ShadowWork], model: Model, answers: Answers, model_s: float) -> None:
        broken = answers.not_numbers()
        requests, told = [], []
        first = 0
        for shadow in shadows:
            answered = shadow.answered
            rows = range(first, first + answered.size)
            first += answered.size
            if not broken.isdisjoint(rows):
                self._failed(shadow)
                continue
            requests.append((Arm.SHADOW, answers.winners[rows.start : rows.stop], model_s * answered.size, model_s))
            told.append(
                answered._replace(
                    prediction_id=shadow_id(answered.prediction_id, model.model_version_id),
                    champion_prediction_id=answered.prediction_id,
                    arm=Arm.SHADOW,
                    first=rows.start,
                    sequence=self._number(answered.size),
                    duration_s=model_s,
                )
            )
        self._counters.answered(model.project_id, model.model_version_id, len(model.classes), requests)
        self._tell(told, model, answers)

    def _input(self, shadow: ShadowWork) -> NDArray[np.float32] | None:
        """What this model sees of the input; None (and counted) when it cannot see it."""
        if shadow.batch is not None:
            return shadow.batch
        try:
            decoded = decode_all([each.content for each in shadow.answered.inputs], shadow.model.spec)
        except Exception:
            self._failed(shadow)
            return None
        return model_input(decoded, shadow.model.preprocessing)

    def _failed(self, shadow: ShadowWork) -> None:
        self._counters.failed(
            shadow.model.project_id,
            shadow.model.model_version_id,
            Arm.SHADOW,
            predictions=shadow.answered.size,
            classes=len(shadow.model.classes),
        )

    def _count_shed(self, predictions: int) -> None:
        with self._shed_lock:
            self._shed += predictions
