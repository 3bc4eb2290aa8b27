"""From calls to answers: choose the version, decode, group, run once per version, answer, then tell the tap.

`process` is called with whatever arrived while the last batch ran: dynamic batching without a timer.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial

import numpy as np
from numpy.typing import NDArray

from relearn_runtime import NewId
from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import Workers, cheap, decode_all, model_input
from relearn_serving.gateway.lanes import Lanes
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.pinned import Pinned
from relearn_serving.gateway.refusals import NotFinite, WrongShape
from relearn_serving.gateway.requests import Limits, parse
from relearn_serving.gateway.responses import Answers, response
from relearn_serving.gateway.routing import Phase, Route, choose
from relearn_serving.gateway.state import Current
from relearn_serving.gateway.work import Call, Work

log = logging.getLogger(__name__)

# Above this a request is parsed elsewhere: typed contents take 1 ms for 64 KiB on the loop.
_PARSED_HERE_BYTES = 64 * 1024
# What takes a model longer would hold up the requests of the others, so its own thread runs it.
_RUN_HERE_S = 0.004
_EXPIRED = "DEADLINE_EXCEEDED"


Observe = Callable[[Sequence[Work], Model, Answers, Sequence[float], int], None]
Number = Callable[[int], int]


class InferenceFailed(RelearnError):
    """The model or the gateway failed; not the caller's fault."""

    reason = "INFERENCE_FAILED"


class Engine:
    """Answers calls. `process` may be called from any thread; slow work goes to others and is answered from there."""

    def __init__(
        self,
        current: Current,
        *,
        limits: Limits,
        run_max: int,
        lane_waiting: int,
        waiting_max_bytes: int,
        workers: Workers,
        counters: Counters,
        pinned: Pinned,
        number: Number,
        observe: Observe,
        new_id: NewId,
    ) -> None:
        self._current = current
        self._limits = limits
        self._run_max = run_max
        self._workers = workers
        self._counters = counters
        self._pinned = pinned
        self._number = number
        self._observe = observe
        self._new_id = new_id
        self._lanes = Lanes(self._run, waiting=lane_waiting, max_bytes=waiting_max_bytes)

    def process(self, calls: Sequence[Call]) -> None:
        """Answers or refuses every call, now or from another thread."""
        ready: dict[Model, list[Work]] = defaultdict(list)
        for call in calls:
            work: Work | None = None
            try:
                if call.size_bytes > _PARSED_HERE_BYTES:
                    self._workers.submit(partial(self._handle, call), size_bytes=call.size_bytes)
                    continue
                work = self._admit(call)
                if work.model is None:
                    self._pinned.load(work.choice.version, partial(self._loaded, work))
                elif work.request.tensor is None and not cheap(work.request.images):
                    self._workers.submit(partial(self._prepare_elsewhere, work), size_bytes=call.size_bytes)
                else:
                    self._prepare(work, work.model)
                    ready[work.model].append(work)
            except Exception as error:
                self._refuse(call, error, work)
        for model, works in ready.items():
            if model.slow or model.run_s * sum(work.size for work in works) > _RUN_HERE_S:
                for work in works:
                    self._to_lane(work, model)
            else:
                self._run(model, works)

    def _handle(self, call: Call) -> None:
        """A call whose parsing alone would hold others up."""
        work: Work | None = None
        try:
            if _late(call):
                self._expire(call)
                return
            work = self._admit(call)
            if work.model is None:
                self._pinned.load(work.choice.version, partial(self._loaded, work))
            else:
                self._prepare_elsewhere(work)
        except Exception as error:
            self._refuse(call, error, work)

    def _admit(self, call: Call) -> Work:
        request = parse(call.message(), self._limits)
        serving = self._current.serving
        prediction_id = self._new_id()
        route = serving.table.of(request.project_id)
        if request.tensor is not None and route.phase is Phase.CANARY and not _see_alike(route, serving.models):
            route = route.alone()  # the caller has preprocessed for the champion
        choice = choose(route, version=request.version, key=request.route_key or prediction_id)
        model = serving.models.get(choice.version)
        return Work(
            call=call,
            request=request,
            choice=choice,
            prediction_id=prediction_id,
            model=self._pinned.find(choice.version) if model is None else model,
            size=request.size,
        )

    def _loaded(self, work: Work, loaded: Model | Exception) -> None:
        """Goes on with a request that had to wait for its pinned version."""
        try:
            if isinstance(loaded, Exception):
                raise loaded.with_traceback(None)
            work.model = loaded
            self._workers.submit(partial(self._prepare_elsewhere, work), size_bytes=work.call.size_bytes)
        except Exception as error:
            self._refuse(work.call, error, work)

    def _prepare(self, work: Work, model: Model) -> None:
        """Fills in what the model will see."""
        tensor = work.request.tensor
        if tensor is None:
            work.decoded = decode_all(work.request.images, model.spec)
        elif tensor.shape[1:] == model.input_shape:
            work.batch = tensor
        else:
            raise WrongShape(f"version {model.version} takes [n, {model.input_shape}], got {list(tensor.shape)}")

    def _prepare_elsewhere(self, work: Work) -> None:
        model = work.model
        assert model is not None  # noqa: S101 - loaded before it gets here
        try:
            if _late(work.call):
                self._expire(work.call)
                return
            self._prepare(work, model)
            if work.batch is None:
                work.batch = model_input(work.decoded, model.preprocessing)
        except Exception as error:
            self._refuse(work.call, error, work)
        else:
            self._to_lane(work, model)

    def _to_lane(self, work: Work, model: Model) -> None:
        try:
            self._lanes.put(model, work)
        except RelearnError as error:
            self._refuse(work.call, error, work)

    def _run(self, model: Model, works: Sequence[Work]) -> None:
        """Answers works of one model, as many in one run as fit."""
        chunk: list[Work] = []
        size = 0
        for work in works:
            if _late(work.call):
                self._expire(work.call)
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
            batch = _batch(model, works)
            answers = Answers.of(model.run(batch))
            if broken := answers.not_numbers():
                self._answer_the_others(model, works, broken)
                return
            responses = _responses(works, model, answers)
        except Exception:
            log.exception("inference failed", extra={"model_version_id": model.model_version_id})
            for work in works:
                self._fail(work, model)
            return
        model_s = (time.monotonic() - start) / len(batch)
        sequence = self._number(
            len(batch)
        )  # before the answers: a kill in between leaves a gap, never an answer untold
        for work, answer in zip(works, responses, strict=True):
            work.call.answer(answer)
        try:  # nobody waits any more
            self._after(works, model, answers, model_s, sequence)
        except Exception:
            log.exception("answers were given but could not be told to the tap")

    def _answer_the_others(self, model: Model, works: Sequence[Work], broken: Set[int]) -> None:
        """Refuses works with `broken` rows among those of `works`, and runs the others once more."""
        good: list[Work] = []
        first = 0
        for work in works:
            if broken.isdisjoint(range(first, first + work.size)):
                good.append(work)
            elif work.request.tensor is None:
                self._fail(work, model)
            else:  # so large that the model overflows
                self._refuse(work.call, NotFinite("the FP32 'image' makes the model answer NaN or infinity"), work)
            first += work.size
        if good:
            self._run_once(model, good)

    def _after(self, works: Sequence[Work], model: Model, answers: Answers, model_s: float, sequence: int) -> None:
        now = time.monotonic()
        durations_s = [now - work.call.arrived for work in works]
        requests = []
        first = 0
        for work, gateway_s in zip(works, durations_s, strict=True):
            winners = answers.winners[first : first + work.size]
            requests.append((work.choice.arm, winners, model_s * work.size, gateway_s))
            first += work.size
        self._counters.answered(model.project_id, model.model_version_id, len(model.classes), requests)
        self._observe(works, model, answers, durations_s, sequence)

    def _fail(self, work: Work, model: Model) -> None:
        self._counters.failed(
            work.request.project_id,
            model.model_version_id,
            work.choice.arm,
            predictions=work.size,
            classes=len(model.classes),
        )
        work.call.refuse(InferenceFailed(f"version {model.version} could not answer; it is logged at the gateway"))

    def _refuse(self, call: Call, error: Exception, work: Work | None) -> None:
        if not isinstance(error, RelearnError):
            log.error("a request failed in the gateway", exc_info=error)
            if work is not None and work.model is not None:
                self._fail(work, work.model)
                return
            error = InferenceFailed("the gateway could not handle this request; it is logged there")
        self._counters.refused(error.reason)
        call.refuse(error)

    def _expire(self, call: Call) -> None:
        self._counters.refused(_EXPIRED)
        call.expire()


def _late(call: Call) -> bool:
    return call.deadline is not None and time.monotonic() > call.deadline


def _see_alike(route: Route, models: Mapping[str, Model]) -> bool:
    """Whether champion and challenger take the same tensors."""
    return models[route.champion].preprocessing == models[route.challenger].preprocessing


def _batch(model: Model, works: Sequence[Work]) -> NDArray[np.float32]:
    """[n, c, h, w]: the rows of `works` in their order; images are preprocessed together where they can be."""
    if len(works) == 1 and works[0].batch is not None:
        return works[0].batch
    if all(work.batch is None for work in works):
        batch = model_input([image for work in works for image in work.decoded], model.preprocessing)
        first = 0
        for work in works:
            work.batch = batch[first : first + work.size]
            first += work.size
        return batch
    return np.concatenate(
        [model_input(work.decoded, model.preprocessing) if work.batch is None else work.batch for work in works]
    )


def _responses(works: Sequence[Work], model: Model, answers: Answers) -> list[bytes]:
    """Each work's response; `works` own the rows in their order."""
    responses = []
    first = 0
    for work in works:
        responses.append(response(work.request, model, answers, prediction_id=work.prediction_id, first=first))
        first += work.size
    return responses
