"""Routes move under load and no request notices; gateways live without control."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import pytest
import tritonclient.grpc.aio as triton
from serving_loop import image_input, in_force, infer, png
from tritonclient.utils import InferenceServerException

from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.serving.v1.control_service_pb2 import ListRouteChangesRequest, RollbackRequest
from relearn.serving.v1.events_pb2 import PredictionMade, RouteChanged
from relearn.serving.v1.route_pb2 import Route
from relearn_runtime import new_id
from relearn_runtime.testing import NotInTime, collect, eventually


class Traffic:
    """Products that never stop asking; every refusal is remembered."""

    def __init__(self, address: str, *, products: int = 3) -> None:
        self.answers: Counter[str] = Counter()
        self.refusals: list[str] = []
        self._address = address
        self._stopping = False
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(products)]

    async def _ask(self, number: int) -> None:
        given = [image_input(png(40 * number + 20))]
        async with triton.InferenceServerClient(self._address) as client:
            while not self._stopping:
                try:
                    result = await client.infer("shop", given, client_timeout=60)
                    self.answers[result.get_response().model_version] += 1
                except InferenceServerException as error:
                    self.refusals.append(str(error))
                await asyncio.sleep(0.002)

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)


async def test_a_rollout_goes_from_shadow_to_champion_without_a_failed_request(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    traffic = Traffic(gateway.address)
    second = the_loop.registry.add("shop", 2, favourite=1)

    await the_loop.judge(second, step=1)
    shadow = await the_loop.route_is(lambda route: route.phase == Route.PHASE_SHADOW)
    await in_force(gateway, "shop", shadow.revision)
    await collect(the_loop.kafka, PredictionMade, 200)
    await the_loop.judge(second, step=2)
    done = await the_loop.route_is(lambda route: route.champion_model_version_id == second)
    await in_force(gateway, "shop", done.revision)
    before = traffic.answers["2"]
    await eventually(lambda: traffic.answers["2"] > before + 20)
    await traffic.stop()

    assert traffic.refusals == []
    assert traffic.answers["1"] > 0
    changes = await collect(the_loop.kafka, RouteChanged, 5)
    assert [RouteChanged.Outcome.Name(event.message.outcome) for event in changes] == [
        "OUTCOME_FIRST",
        "OUTCOME_STARTED",
        "OUTCOME_ADVANCED",
        "OUTCOME_ADVANCED",
        "OUTCOME_FINISHED",
    ]
    assert [event.message.route.weight_percent for event in changes] == [0, 0, 25, 100, 0]
    assert [event.message.route.revision for event in changes] == [1, 2, 3, 4, 5]
    assert changes[-1].message.left_model_version_id == "shop/model/1"


async def test_a_shadow_answers_the_same_inputs_and_names_the_prediction(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    second = the_loop.registry.add("shop", 2, favourite=2)
    await the_loop.judge(second, step=1)
    await in_force(gateway, "shop", 2)

    result = await infer(gateway.address, png(7), png(9))

    assert [label.decode() for label in result.as_numpy("label")] == ["boot", "boot"]
    events = await collect(the_loop.kafka, PredictionMade, 4)
    shadows = [event.message for event in events if event.message.arm == PredictionMade.ARM_SHADOW]
    champions = {
        event.message.prediction_id: event for event in events if event.message.arm != PredictionMade.ARM_SHADOW
    }
    assert len(shadows) == 2
    for event in events:
        if event.message.arm == PredictionMade.ARM_SHADOW:
            answered = champions[event.message.champion_prediction_id]
            assert event.message.input_content == answered.message.input_content
            assert event.key == answered.key
            assert event.partition == answered.partition
            assert (event.message.predicted_label, event.message.model_version_id) == ("shirt", second)


async def test_a_rejected_challenger_leaves_and_the_waiting_one_follows(the_loop: Any) -> None:
    await the_loop.serving()
    second, third = the_loop.registry.add("shop", 2), the_loop.registry.add("shop", 3)
    await the_loop.judge(second, step=1)
    await the_loop.route_is(lambda route: route.challenger_model_version_id == second)
    await the_loop.judge(third, step=1)

    await the_loop.judge(second, step=2, verdict=Judgement.VERDICT_REJECTED, reason="worse on 60 disagreements")

    await the_loop.route_is(lambda route: route.challenger_model_version_id == third)
    changes = await collect(the_loop.kafka, RouteChanged, 4)
    undone = changes[2].message
    assert undone.outcome == RouteChanged.OUTCOME_UNDONE
    assert undone.left_model_version_id == second
    assert "worse on 60 disagreements" in undone.reason


async def test_a_challenger_that_fails_is_undone_by_its_counters(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    broken = the_loop.registry.add("shop", 2, favourite=1)
    await the_loop.judge(broken, step=1)
    await in_force(gateway, "shop", 2)
    model = gateway.models_in_force()[broken]
    model.run = lambda batch: 1 / 0  # the disk dies under it, say
    traffic = Traffic(gateway.address)

    undone = await the_loop.route_is(lambda route: route.revision == 3)
    await traffic.stop()

    assert undone.challenger_model_version_id == ""
    assert traffic.refusals == []
    reason = (await collect(the_loop.kafka, RouteChanged, 3))[2].message.reason
    assert reason.startswith("errors: ")


async def test_a_model_that_does_not_load_never_comes_into_force(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    broken = the_loop.registry.add("shop", 2, model=b"not a model")
    await the_loop.judge(broken, step=1)

    await the_loop.route_is(lambda route: route.revision == 3 and not route.challenger_model_version_id)

    await in_force(gateway, "shop", 3)
    assert (await infer(gateway.address, png())).get_response().model_version == "1"
    reason = (await collect(the_loop.kafka, RouteChanged, 3))[2].message.reason
    assert "BAD_MODEL" in reason


async def test_a_rollback_returns_when_the_gateways_have_it(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    second = the_loop.registry.add("shop", 2, favourite=1)
    await the_loop.judge(second, step=2, person="ada", reason="I looked at it")
    traffic = Traffic(gateway.address)
    await the_loop.route_is(lambda route: route.champion_model_version_id == second)
    request = RollbackRequest(project_id="shop", reason="customers complain", request_id=new_id())

    response = await the_loop.control_stub.Rollback(request)
    again = await the_loop.control_stub.Rollback(request)
    answer = await infer(gateway.address, png())
    await traffic.stop()

    assert response.route.champion_model_version_id == "shop/model/1"
    assert (response.acknowledged, response.missing) == (1, 0)
    assert again.route == response.route
    assert answer.get_response().model_version == "1"
    assert traffic.refusals == []
    changes = (await the_loop.control_stub.ListRouteChanges(ListRouteChangesRequest(project_id="shop"))).changes
    assert [change.outcome for change in changes] == [
        RouteChanged.OUTCOME_ROLLED_BACK,
        RouteChanged.OUTCOME_FINISHED,
        RouteChanged.OUTCOME_ADVANCED,
        RouteChanged.OUTCOME_STARTED,
        RouteChanged.OUTCOME_FIRST,
    ]
    assert (changes[0].person, changes[0].reason) == ("test-engineer", "customers complain")
    assert all(change.HasField("acknowledge_time") for change in changes)
    told = (await collect(the_loop.kafka, RouteChanged, 5))[-1].message
    assert list(told.barred_model_version_ids) == [second]
    await the_loop.judge(second, step=1)
    await the_loop.judge(the_loop.registry.add("shop", 3), step=1)
    await the_loop.route_is(lambda route: route.challenger_model_version_id == "shop/model/3")


async def test_a_gateway_starts_and_answers_without_control_registry_and_storage(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=1)
    await infer(gateway.address, png())
    await eventually(lambda: (gateway_folder(the_loop) / "routes.pb").exists())
    await gateway.stop()
    the_loop.gateways.clear()
    away = "127.0.0.1:1"

    alone = await the_loop.gateway(
        control_address=away, registry_address=away, object_store_url=the_loop.empty_store_url()
    )
    await in_force(alone, "shop", 1)

    assert (await infer(alone.address, png())).as_numpy("label")[0] == b"coat"


async def test_a_gateway_that_was_away_during_a_rollback_never_serves_what_is_barred(
    the_loop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await the_loop.serving(favourite=0)
    second = the_loop.registry.add("shop", 2, favourite=1)
    await the_loop.judge(second, step=2, person="ada", reason="I looked at it")
    await in_force(gateway, "shop", 2)
    await eventually(lambda: b"model/2" in (gateway_folder(the_loop) / "routes.pb").read_bytes())
    await gateway.stop()
    the_loop.gateways.clear()
    await the_loop.control_stub.Rollback(
        RollbackRequest(project_id="shop", reason="customers complain", request_id=new_id())
    )
    newest = await the_loop.route_is(lambda route: not route.challenger_model_version_id)
    await collect(the_loop.kafka, RouteChanged, newest.revision)

    with caplog.at_level(logging.INFO, "relearn_serving.gateway.routes"):
        told = await the_loop.gateway()
        await in_force(told, "shop", newest.revision)
        await told.stop()
        the_loop.gateways.clear()
        alone = await the_loop.gateway("fresh", control_address="127.0.0.1:1")
        await in_force(alone, "shop", newest.revision)

    moves = [record.__dict__["revision"] for record in caplog.records if record.message == "route in force"]
    assert moves == [newest.revision] * 2, "neither from the disk nor from the topic came an older one first"


async def test_traffic_goes_on_while_control_is_away_and_moves_follow_its_return(the_loop: Any) -> None:
    gateway = await the_loop.serving(favourite=0)
    second = the_loop.registry.add("shop", 2, favourite=1)
    traffic = Traffic(gateway.address)

    await the_loop.stop_control()
    before = traffic.answers.total()
    await the_loop.judge(second, step=1)
    await eventually(lambda: traffic.answers.total() > before + 50)
    await the_loop.start_control()

    await in_force(gateway, "shop", 2)
    await traffic.stop()
    assert traffic.refusals == []


async def test_a_stop_answers_what_is_under_way_and_what_comes_may_be_retried(
    the_loop: Any, decoding: list[int]
) -> None:
    gateway = await the_loop.serving(favourite=0, max_image_pixels=200_000_000, drain_timeout_s=60.0)
    traffic = Traffic(gateway.address)
    await eventually(lambda: traffic.answers.total() > 20)
    slow = asyncio.create_task(infer(gateway.address, png(side=9_000)))
    await eventually(lambda: decoding)

    await gateway.stop()
    the_loop.gateways.clear()
    await traffic.stop()

    assert (await slow).get_response().model_version == "1"
    assert all("UNAVAILABLE" in each for each in traffic.refusals)


async def test_a_key_sticks_to_one_side_of_a_canary(the_loop: Any) -> None:
    await the_loop.apply(canary_percent=[50, 100], requests_per_step=100_000)
    gateway = await the_loop.gateway()
    await the_loop.judge(the_loop.registry.add("shop", 1, favourite=0))
    await the_loop.judge(the_loop.registry.add("shop", 2, favourite=1), step=2, person="ada")
    await in_force(gateway, "shop", 2)

    seen = {}
    for key in ("ann", "bob", "cy", "dee", "eve", "fay", "gus", "hal"):
        answers = [
            (await infer(gateway.address, png(), parameters={"route_key": key})).get_response().model_version
            for _ in range(4)
        ]
        seen[key] = set(answers)

    assert all(len(versions) == 1 for versions in seen.values())
    assert {next(iter(versions)) for versions in seen.values()} == {"1", "2"}


async def test_a_paused_project_starts_nothing_until_it_is_resumed(the_loop: Any) -> None:
    await the_loop.serving()
    await the_loop.apply(paused=True)
    await says(the_loop, "paused")
    second = the_loop.registry.add("shop", 2)
    await the_loop.judge(second, step=1)
    await says(the_loop, f"{second} waits")
    with pytest.raises(NotInTime):
        await the_loop.route_is(lambda route: route.revision > 1, deadline_s=2)

    await the_loop.apply()

    await the_loop.route_is(lambda route: route.challenger_model_version_id == second)


async def test_control_says_what_a_canary_waits_for(the_loop: Any) -> None:
    gateway = await the_loop.serving()
    await says(the_loop, "no challenger has passed gate step 1")
    await the_loop.judge(the_loop.registry.add("shop", 2), step=2, person="ada")
    await in_force(gateway, "shop", 2)

    await says(the_loop, "0 of 20 challenger requests at 25 %")

    await gateway.stop()
    the_loop.gateways.clear()
    await says(the_loop, "no gateway has reported in the last 3 s")


async def says(the_loop: Any, text: str) -> None:
    async def found() -> bool:
        return text in await the_loop.waiting()

    await eventually(found)


def gateway_folder(the_loop: Any) -> Any:
    return the_loop.folder / "gateway"
