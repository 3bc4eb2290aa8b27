"""From calls to answers: choose the version, decode, group, run once per version, answer, then tell the tap.

`process` is called with whatever arrived while the last batch ran: dynamic batching without a timer.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from relearn_runtime import NewId
from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import Workers, cheap, decode_all, model_input
from relearn_serving.gateway.lanes import Lanes
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.refusals import WrongShape
from relearn_serving.gateway.requests import Limits, parse
from relearn_serving.gateway.responses import Answers, response
from relearn_serving.gateway.routing import choose
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.work import Call, Work

log = logging.getLogger(__name__)

LoadPinned = Callable[[str], Model]
Observe = Callable[[Sequence[Work], Model, Answers, Sequence[float]], None]


class InferenceFailed(RelearnError):
    """The model or the gateway failed; not the caller's fault."""

    reason = "INFERENCE_FAILED"


class Engine:
    """Answers calls. `process` belongs to one thread; slow work goes to others and is answered from there."""

    def __init__(
        self,
        current: Current,
        *,
        limits: Limits,
        run_max: int,
        workers: Workers,
        counters: Counters,
        load_pinned: LoadPinned,
        observe: Observe,
        new_id: NewId,
    ) -> None:
        self._current = current
        self._limits = limits
        self._run_max = run_max
        self._workers = workers
        self._counters = counters
        self._load_pinned = load_pinned
        self._observe = observe
        self._new_id = new_id
        self._lanes = Lanes(self._run)

    def process(self, calls: Sequence[Call]) -> None:
        """Answers or refuses every call, now or from another thread."""
        ready: dict[Model, list[Work]] = defaultdict(list)
        for call in calls:
            try:
                work = self._admit(call)
                if work.model is None or not self._cheap(work):
                    self._workers.submit(partial(self._prepare_elsewhere, work))
                    continue
                model = self._prepare(work)
                if model.slow:
                    self._lanes.put(model, work)
                else:
                    ready[model].append(work)
            except Exception as error:
                self._refuse(call, error)
        for model, works in ready.items():
            self._run(model, works)

    def _admit(self, call: Call) -> Work:
        request = parse(call.message(), self._limits)
        serving = self._current.serving
        prediction_id = self._new_id()
        route = serving.table.of(request.project_id)
        choice = choose(route, version=request.version, key=request.route_key or prediction_id)
        return Work(
            call=call,
            request=request,
            choice=choice,
            prediction_id=prediction_id,
            model=serving.models.get(choice.version),
            size=request.size,
        )

    def _cheap(self, work: Work) -> bool:
        return work.request.tensor is not None or cheap(work.request.images)

    def _prepare(self, work: Work) -> Model:
        """Fills in what the model will see, loading a pinned version if need be."""
        model = work.model or self._load_pinned(work.choice.version)
        work.model = model
        tensor = work.request.tensor
        if tensor is None:
            work.decoded = decode_all(work.request.images, model.spec)
            work.batch = model_input(work.decoded, model.preprocessing)
        elif tensor.shape[1:] == model.input_shape:
            work.batch = tensor
        else:
            raise WrongShape(f"version {model.version} takes [n, {model.input_shape}], got {list(tensor.shape)}")
        return model

    def _prepare_elsewhere(self, work: Work) -> None:
        try:
            if _late(work.call):
                work.call.expire()
                return
            self._lanes.put(self._prepare(work), work)
        except Exception as error:
            self._refuse(work.call, error)

    def _run(self, model: Model, works: Sequence[Work]) -> None:
        """Answers works of one model, as many in one run as fit."""
        chunk: list[Work] = []
        size = 0
        for work in works:
            if _late(work.call):
                work.call.expire()
                continue
            if chunk and size + work.size > self._run_max:
                self._run_once(model, chunk)
                chunk, size = [], 0
            chunk.append(work)
            size += work.size
        if chunk:
            self._run_once(model, chunk)

    def _run_once(self, model: Model, works: Sequence[Work]) -> None:
        start = time.monotonic()
        try:
            batch = works[0].batch if len(works) == 1 else np.concatenate([work.batch for work in works])
            answers = Answers.of(model.run(batch))
            responses = _responses(works, model, answers)
        except Exception:
            log.exception("inference failed", extra={"model_version_id": model.model_version_id})
            for work in works:
                self._fail(work, model)
            return
        model_s = (time.monotonic() - start) / len(batch)
        for work, answer in zip(works, responses, strict=True):
            work.call.answer(answer)
        try:  # nobody waits any more
            self._after(works, model, answers, model_s)
        except Exception:
            log.exception("answers were given but could not be told to the tap")

    def _after(self, works: Sequence[Work], model: Model, answers: Answers, model_s: float) -> None:
        now = time.monotonic()
        durations_s = [now - work.call.arrived for work in works]
        requests = []
        first = 0
        for work, gateway_s in zip(works, durations_s, strict=True):
            winners = answers.winners[first : first + work.size]
            requests.append((work.choice.arm, winners, model_s * work.size, gateway_s))
            first += work.size
        self._counters.answered(model.project_id, model.model_version_id, len(model.classes), requests)
        self._observe(works, model, answers, durations_s)

    def _fail(self, work: Work, model: Model) -> None:
        self._counters.failed(
            work.request.project_id,
            model.model_version_id,
            work.choice.arm,
            predictions=work.size,
            classes=len(model.classes),
        )
        work.call.refuse(InferenceFailed(f"version {model.version} could not answer; it is logged at the gateway"))

    def _refuse(self, call: Call, error: Exception) -> None:
        if not isinstance(error, RelearnError):
            log.error("a request failed in the gateway", exc_info=error)
            error = InferenceFailed("the gateway could not handle this request; it is logged there")
        self._counters.refused(error.reason)
        call.refuse(error)


def _late(call: Call) -> bool:
    return call.deadline is not None and time.monotonic() > call.deadline


def _responses(works: Sequence[Work], model: Model, answers: Answers) -> list[bytes]:
    """Each work's response; `works` own the rows in their order."""
    responses = []
    first = 0
    for work in works:
        responses.append(response(work.request, model, answers, prediction_id=work.prediction_id, first=first))
        first += work.size
    return responses
