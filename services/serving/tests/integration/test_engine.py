"""The engine with real models and threads, behind a front that is a list: who is answered, and by what."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from serving_loop import CLASSES, SIDE, onnx_model, png
from tritonclient.grpc import service_pb2 as oip

from relearn_media import ImageLimits, Preprocessing
from relearn_runtime.errors import RelearnError
from relearn_serving.gateway.artifact import read_card
from relearn_serving.gateway.counters import Counters
from relearn_serving.gateway.decoding import Workers
from relearn_serving.gateway.engine import Engine
from relearn_serving.gateway.ids import new_prediction_id
from relearn_serving.gateway.model import Model
from relearn_serving.gateway.pinned import Pinned
from relearn_serving.gateway.refusals import UnknownVersion
from relearn_serving.gateway.requests import Limits
from relearn_serving.gateway.routing import Arm, Phase, Route, RouteTable
from relearn_serving.gateway.state import Current, Serving


class ListedCall:
    """A call whose end can be waited for."""

    def __init__(self, message: oip.ModelInferRequest, *, deadline: float | None = None, size: int = 0) -> None:
        self._message = message
        self.arrived = time.monotonic()
        self.deadline = deadline
        self.traceparent = ""
        self.size_bytes = size or message.ByteSize()
        self.parsed_by = ""
        self._ended = threading.Event()
        self._end: oip.ModelInferResponse | RelearnError | None = None

    def message(self) -> oip.ModelInferRequest:
        self.parsed_by = threading.current_thread().name
        return self._message

    def answer(self, response: bytes) -> None:
        self._finish(oip.ModelInferResponse.FromString(response))

    def refuse(self, error: RelearnError) -> None:
        self._finish(error)

    def expire(self) -> None:
        self._finish(None)

    def _finish(self, end: oip.ModelInferResponse | RelearnError | None) -> None:
        assert not self._ended.is_set(), "a call ends once"
        self._end = end
        self._ended.set()

    def end(self) -> str:
        """The version that answered, the reason of a refusal, or "expired"."""
        assert self._ended.wait(60), "the call never ended"
        if self._end is None:
            return "expired"
        return self._end.reason if isinstance(self._end, RelearnError) else str(self._end.model_version)

    def label(self) -> str:
        assert self._ended.wait(60)
        assert isinstance(self._end, oip.ModelInferResponse)
        return bytes(self._end.raw_output_contents[1])[4:].decode()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()


def images(*pictures: bytes, project: str = "shop", version: str = "") -> oip.ModelInferRequest:
    raw = b"".join(struct.pack("<I", len(picture)) + picture for picture in pictures)
    message = oip.ModelInferRequest(model_name=project, model_version=version, raw_input_contents=[raw])
    message.inputs.add(name="image", datatype="BYTES", shape=(len(pictures),))
    return message


def tensor(values: np.ndarray[Any, Any], project: str = "shop") -> oip.ModelInferRequest:
    message = oip.ModelInferRequest(model_name=project, raw_input_contents=[values.astype("<f4").tobytes()])
    message.inputs.add(name="image", datatype="FP32", shape=values.shape)
    return message


def route(project: str = "shop", *, challenger: bool = False) -> Route:
    return Route(
        project_id=project,
        revision=1,
        champion=f"{project}/model/1",
        challenger=f"{project}/model/2" if challenger else "",
        phase=Phase.CANARY if challenger else Phase.SERVING,
        weight=100 if challenger else 0,
        shards=1,
    )


@dataclass(kw_only=True)
class Bench:
    """An engine and what is around it."""

    folder: Path
    current: Current = field(default_factory=Current)
    counters: Counters = field(default_factory=Counters)
    told: list[tuple[str, Arm, int]] = field(default_factory=list)
    drawn: int = 0
    workers: Workers = field(init=False)
    pinned: Pinned = field(init=False)
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.build()

    def build(self, *, load: Callable[[str], Model] | None = None, lane_waiting: int = 512) -> None:
        self.workers = Workers(threads=2, waiting=8, max_bytes=1 << 28)
        self.pinned = Pinned(load or self.model, keep=2, waiting=8)
        self.engine = Engine(
            self.current,
            limits=Limits(max_batch=64),
            run_max=32,
            lane_waiting=lane_waiting,
            waiting_max_bytes=1 << 28,
            workers=self.workers,
            counters=self.counters,
            pinned=self.pinned,
            number=self._number,
            observe=self._observe,
            new_id=new_prediction_id,
        )

    def model(self, model_version_id: str, *, favourite: int = 0, mean: float = 0.5, busy: int = 0) -> Model:
        project = model_version_id.partition("/")[0]
        path = self.folder / model_version_id.replace("/", ".")
        path.write_bytes(onnx_model(favourite, busy=busy))
        preprocessing = Preprocessing(height=SIDE, width=SIDE, channels=1, mean=(mean,), std=(0.5,))
        card = json.dumps({"preprocessing": preprocessing.to_dict(), "temperature": 2.0})
        return Model(
            path,
            read_card(card.encode()),
            model_version_id=model_version_id,
            project_id=project,
            classes=CLASSES,
            limits=ImageLimits(),
        )

    def serve(self, *routes: Route, **models: Model) -> None:
        table = RouteTable()
        for each in routes:
            table = table.with_route(each)
        loaded = {model.model_version_id: model for model in models.values()}
        self.current.swap(Serving(table.completed(), MappingProxyType(loaded)))

    def ask(self, *messages: oip.ModelInferRequest) -> list[ListedCall]:
        calls = [ListedCall(message) for message in messages]
        self.engine.process(calls)
        return calls

    def _number(self, predictions: int) -> int:
        self.drawn += predictions
        return self.drawn - predictions + 1

    def _observe(
        self, works: Sequence[Any], model: Model, answers: Any, durations_s: Sequence[float], sequence: int
    ) -> None:
        self.told += [(model.model_version_id, work.choice.arm, work.size) for work in works]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(folder=tmp_path)
    made.serve(route(), champion=made.model("shop/model/1"))
    yield made
    made.pinned.stop()
    made.workers.stop()


def test_two_projects_in_one_batch_never_mix(bench: Bench) -> None:
    shop, cats = bench.model("shop/model/1", favourite=0), bench.model("cats/model/1", favourite=2)
    bench.serve(route("shop"), route("cats"), shop=shop, cats=cats)
    projects = ["shop", "cats"] * 10

    calls = bench.ask(*[images(png(), project=project) for project in projects])

    assert [call.label() for call in calls] == [CLASSES[0 if project == "shop" else 2] for project in projects]
    assert sorted(bench.told) == sorted((f"{project}/model/1", Arm.CHAMPION, 1) for project in projects)


def test_images_and_tensors_of_one_run_keep_their_rows(bench: Bench) -> None:
    white = tensor(np.ones((2, 1, SIDE, SIDE)))

    calls = bench.ask(images(png(0)), white, images(png(255), png(0)))

    confidences = [np.frombuffer(call._end.raw_output_contents[2], "<f4") for call in calls if call.end()]
    dark, bright = confidences[0][0], confidences[2][0]
    assert dark < bright
    np.testing.assert_allclose(confidences[1], [bright, bright], rtol=1e-5)
    np.testing.assert_allclose(confidences[2], [bright, dark], rtol=1e-5)


def test_a_tensor_that_overflows_the_model_is_refused_and_its_neighbours_are_answered(bench: Bench) -> None:
    calls = bench.ask(images(png()), tensor(np.full((1, 1, SIDE, SIDE), 3e38)), images(png(), png()))

    assert [call.end() for call in calls] == ["1", "NOT_FINITE", "1"]
    assert bench.told == [("shop/model/1", Arm.CHAMPION, 1), ("shop/model/1", Arm.CHAMPION, 2)]


def test_a_canary_takes_no_tensor_that_was_preprocessed_for_the_champion(bench: Bench) -> None:
    champion, other = bench.model("shop/model/1"), bench.model("shop/model/2", mean=0.3)
    bench.serve(route(challenger=True), champion=champion, challenger=other)
    given = tensor(np.ones((1, 1, SIDE, SIDE)))

    (image, before) = bench.ask(images(png()), given)
    bench.serve(route(challenger=True), champion=champion, challenger=bench.model("shop/model/2"))
    (after,) = bench.ask(given)

    assert (image.end(), before.end(), after.end()) == ("2", "1", "2")


def test_a_pinned_version_that_hangs_holds_up_no_picture(bench: Bench) -> None:
    go = threading.Event()

    def load(model_version_id: str) -> Model:
        go.wait(60)
        if model_version_id == "shop/model/9":
            raise UnknownVersion("registry knows no shop/model/9")
        return bench.model(model_version_id, favourite=1)

    bench.build(load=load)
    pinned = bench.ask(*[images(png(), version=str(number)) for number in (2, 3, 9, 9)])

    pictures = bench.ask(*[images(png(side=300, mode="RGB")) for _ in range(4)])

    assert [call.end() for call in pictures] == ["1"] * 4
    assert not any(call.has_ended for call in pinned)
    go.set()
    assert [call.end() for call in pinned] == ["2", "3", "UNKNOWN_VERSION", "UNKNOWN_VERSION"]


def test_a_large_request_is_parsed_away_from_the_serving_loop(bench: Bench) -> None:
    typed = oip.ModelInferRequest(model_name="shop")
    typed.inputs.add(name="image", datatype="FP32", shape=(64, 3, 64, 64))
    typed.inputs[0].contents.fp32_contents.extend([0.5] * (64 * 3 * 64 * 64))

    large, small = bench.ask(typed, images(png()))

    assert (large.end(), small.end()) == ("WRONG_SHAPE", "1")
    assert large.parsed_by.startswith("decode")
    assert small.parsed_by == threading.current_thread().name


def test_a_model_slower_than_its_traffic_says_overloaded_and_holds_up_no_other(bench: Bench) -> None:
    slow = bench.model("slow/model/1")
    go = threading.Event()
    run = slow.run

    def held(batch: Any) -> Any:
        go.wait(60)
        return run(batch)

    slow.run = held
    slow.run_s = 1.0
    bench.serve(route(), route("slow"), shop=bench.model("shop/model/1"), slow=slow)
    bench.build(lane_waiting=3)

    waiting = bench.ask(*[images(png(), project="slow") for _ in range(5)])
    (quick,) = bench.ask(images(png()))

    assert quick.end() == "1"
    assert [call.end() for call in waiting if call.has_ended] == ["OVERLOADED"] * 2
    go.set()
    assert [call.end() for call in waiting] == ["1", "1", "1", "OVERLOADED", "OVERLOADED"]


def test_a_call_whose_deadline_has_passed_is_not_run(bench: Bench) -> None:
    late = ListedCall(images(png()), deadline=time.monotonic() - 0.001)

    bench.engine.process([late])

    assert late.end() == "expired"
    assert bench.told == []
    assert bench.counters.refusals() == {"DEADLINE_EXCEEDED": 1}


def test_a_failing_model_is_counted_against_its_version(bench: Bench) -> None:
    model = bench.model("shop/model/1")
    model.run = lambda batch: 1 / 0
    bench.serve(route(), champion=model)

    calls = bench.ask(images(png(), png()), images(png()))

    assert [call.end() for call in calls] == ["INFERENCE_FAILED"] * 2
    (count,) = bench.counters.versions()
    assert (count.errors, count.predictions) == (3, 0)


def test_an_answer_is_numbered_before_it_is_given(bench: Bench) -> None:
    drawn: list[int] = []
    call = ListedCall(images(png(), png()))
    answer = call.answer

    def watched(response: bytes) -> None:
        drawn.append(bench.drawn)
        answer(response)

    call.answer = watched
    bench.engine.process([call])

    assert call.end() == "1"
    assert drawn == [2], "a gateway that is killed now has a gap, and no answer that nobody counts"
