"""After an answer: number it, tell the tap, and let the shadow look."""

import time
from collections.abc import Callable, Sequence

from relearn_serving.gateway.blobs import Blobs
from relearn_serving.gateway.identity import Identity
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.predictions import Answered, Teller, inputs_of
from relearn_serving.gateway.responses import Answers
from relearn_serving.gateway.tap import Tap
from relearn_serving.gateway.traces import carried_on
from relearn_serving.gateway.work import Work

OfferToShadow = Callable[[Work, Answered], None]


class Telling:
    """Numbers predictions and hands them to the tap. Any thread may use it."""

    def __init__(self, *, identity: Identity, tap: Tap, blobs: Blobs, topic_prefix: str) -> None:
        self._identity = identity
        self._teller = Teller.of(gateway_id=identity.gateway_id, topic_prefix=topic_prefix)
        self._tap = tap
        self._blobs = blobs

    def tell(self, answered: Sequence[Answered], model: Model, answers: Answers) -> None:
        """One prediction per row of `answers`, which `answered` own."""
        records = self._teller.tell(
            answered,
            answers,
            model_version_id=model.model_version_id,
            classes=model.classes,
            first_sequence=self._identity.draw(sum(each.size for each in answered)),
            at=time.time(),
        )
        for record, left_out in records:
            if left_out is None:
                self._tap.offer(record)
            else:
                self._blobs.offer(record, left_out)


class Observer:
    """Called by whichever thread gave the answers, once per run of a model."""

    def __init__(self, telling: Telling, *, offer_to_shadow: OfferToShadow) -> None:
        self._telling = telling
        self._offer_to_shadow = offer_to_shadow

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
                    inputs=inputs_of(work.request.images, work.decoded),
                    first=first,
                    size=work.size,
                    group_key=work.request.group_key,
                    traceparent=carried_on(work.call.traceparent),
                    duration_s=duration_s,
                )
            )
            first += work.size
        self._telling.tell(told, model, answers)
        for work, each in zip(works, told, strict=True):
            if work.choice.shadow:
                self._offer_to_shadow(work, each)
