"""After an answer: tell the tap, and let the shadow look.

Numbers are drawn before an answer is given, so that a kill leaves a gap. The rest is done for several runs together,
because most of its cost is per call and not per prediction.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from relearn_serving.gateway.blobs import Blobs
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.predictions import Answered, Teller, inputs_of
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.tap import Tap
from relearn_serving.gateway.traces import carried_on
from relearn_serving.gateway.work import Work

log = logging.getLogger(__name__)

OfferToShadow = Callable[[Work, Answered], None]

_TOGETHER = 16  # requests
_LATEST_S = 0.02


class Telling:
    """Numbers predictions and hands them to the tap. Any thread may use it."""

    def __init__(self, *, identity: Identity, tap: Tap, blobs: Blobs, topic_prefix: str) -> None:
        self._identity = identity
        self._teller = Teller.of(gateway_id=identity.gateway_id, topic_prefix=topic_prefix)
        self._tap = tap
        self._blobs = blobs

    def number(self, predictions: int) -> int:
        """The first of that many new numbers."""
        return self._identity.draw(predictions)

    def tell(self, answered: Sequence[Answered], model: Model, answers: Answers) -> None:
        """One prediction per row that `answered` own among those of `answers`."""
        records = self._teller.tell(
            answered, answers, model_version_id=model.model_version_id, classes=model.classes, at=time.time()
        )
        for record, left_out in records:
            if left_out is None:
                self._tap.offer(record)
            else:
                self._blobs.offer(record, left_out)


class _Run(NamedTuple):
    """Answers of one run; `works` own its rows in their order."""

    works: Sequence[Work]
    model: Model
    answers: Answers
    durations_s: Sequence[float]
    sequence: int  # number of its first prediction


class Observer:
    """Called by whichever thread gave the answers, once per run of a model; a thread of its own tells what is left."""

    def __init__(self, telling: Telling, *, offer_to_shadow: OfferToShadow) -> None:
        self._telling = telling
        self._offer_to_shadow = offer_to_shadow
        self._runs: list[_Run] = []
        self._waiting = 0  # requests
        self._since = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell_what_is_left, name="observer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tells what waits; whoever answers has ended."""
        self._stopping.set()
        self._thread.join()
        self.flush()

    def answered(
        self, works: Sequence[Work], model: Model, answers: Answers, durations_s: Sequence[float], sequence: int
    ) -> None:
        """Tells the answers of one run, now or soon; `works` own its rows in their order, numbered from `sequence`."""
        run = _Run(works, model, answers, durations_s, sequence)
        now = time.monotonic()
        with self._lock:
            if not self._runs:
                self._since = now
            self._runs.append(run)
            self._waiting += len(works)
            if self._waiting < _TOGETHER and now < self._since + _LATEST_S:
                return
        self.flush()

    def flush(self) -> None:
        """Tells what waits for others to be told with."""
        with self._lock:
            runs, self._runs, self._waiting = self._runs, [], 0
        by_model: dict[Model, list[_Run]] = {}
        for run in runs:
            by_model.setdefault(run.model, []).append(run)
        for model, same in by_model.items():
            self._tell(model, same)

    def _tell_what_is_left(self) -> None:
        """When traffic pauses nobody else would tell the last answers."""
        while not self._stopping.wait(_LATEST_S):
            if self._runs and time.monotonic() > self._since + _LATEST_S:
                try:
                    self.flush()
                except Exception:
                    log.exception("answers were given but could not be told to the tap")

    def _tell(self, model: Model, runs: Sequence[_Run]) -> None:
        works: list[Work] = []
        told: list[Answered] = []
        first = 0
        for run in runs:
            sequence = run.sequence
            for work, duration_s in zip(run.works, run.durations_s, strict=True):
                works.append(work)
                told.append(
                    Answered(
                        prediction_id=work.prediction_id,
                        champion_prediction_id="",
                        route=work.choice.route,
                        arm=work.choice.arm,
                        inputs=inputs_of(work.request.images, work.decoded) if work.decoded else (),
                        first=first,
                        size=work.size,
                        sequence=sequence,
                        group_key=work.request.group_key,
                        traceparent=carried_on(work.call.traceparent),
                        duration_s=duration_s,
                    )
                )
                first += work.size
                sequence += work.size
        self._telling.tell(told, model, Answers.together([run.answers for run in runs]))
        for work, each in zip(works, told, strict=True):
            if work.choice.shadow:
                self._offer_to_shadow(work, each)
