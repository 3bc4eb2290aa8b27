"""After an answer: count it, number it, tell the tap, and let the shadow look."""

import time
from collections.abc import Sequence

from relearn_serving.gateway.blobs import Blobs
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.predictions import Answered, Teller
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.routing import Arm
from relearn_serving.gateway.shadow import Shadow, ShadowWork
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.tap import Tap
from relearn_serving.gateway.traces import child_of
from relearn_serving.gateway.work import Work


class Observer:
    """Called by whichever thread gave the answers, once per run of a model."""

    def __init__(self, *, identity: Identity, tap: Tap, blobs: Blobs, current: Current, topic_prefix: str) -> None:
        self._identity = identity
        self._teller = Teller.of(gateway_id=identity.gateway_id, topic_prefix=topic_prefix)
        self._tap = tap
        self._blobs = blobs
        self._current = current
        self.shadow: Shadow | None = None  # set once by the composition root; the two know each other

    def answered(self, works: Sequence[Work], model: Model, answers: Answers, durations_s: Sequence[float]) -> None:
        """Tells the answers of one run; `works` own its rows in their order."""
        first = 0
        told = []
        for work, duration_s in zip(works, durations_s, strict=True):
            told.append(
                Answered(
                    prediction_id=work.prediction_id,
                    champion_prediction_id="",
                    route=work.choice.route,
                    arm=work.choice.arm,
                    images=work.request.images,
                    decoded=work.decoded,
                    first=first,
                    size=work.size,
                    group_key=work.request.group_key,
                    traceparent=child_of(work.call.traceparent),
                    duration_s=duration_s,
                )
            )
            first += work.size
        self._tell(told, model, answers)
        self._offer_to_shadow(works)

    def shadowed(self, shadows: Sequence[ShadowWork], model: Model, answers: Answers, duration_s: float) -> None:
        """The same for a run of a shadow."""
        first = 0
        told = []
        for shadow in shadows:
            work = shadow.work
            told.append(
                Answered(
                    prediction_id=shadow.prediction_id,
                    champion_prediction_id=work.prediction_id,
                    route=work.choice.route,
                    arm=Arm.SHADOW,
                    images=work.request.images,
                    decoded=work.decoded,
                    first=first,
                    size=work.size,
                    group_key=work.request.group_key,
                    traceparent=child_of(work.call.traceparent),
                    duration_s=duration_s,
                )
            )
            first += work.size
        self._tell(told, model, answers)

    def _tell(self, answered: Sequence[Answered], model: Model, answers: Answers) -> None:
        records = self._teller.tell(
            answered,
            answers,
            model_version_id=model.model_version_id,
            classes=model.classes,
            first_sequence=self._identity.draw(len(answers.winners)),
            at=time.time(),
        )
        for record, left_out in records:
            if left_out is None:
                self._tap.offer(record)
            else:
                self._blobs.offer(record, left_out)

    def _offer_to_shadow(self, works: Sequence[Work]) -> None:
        for work in works:
            if work.choice.shadow and self.shadow is not None:
                challenger = self._current.serving.models.get(work.choice.shadow)
                if challenger is not None:
                    self.shadow.offer(work, challenger)
