"""Enum tables are total in both directions; unknown values do no harm."""

from __future__ import annotations

from relearn.registry.v1.model_version_pb2 import Judgement as JudgementMessage
from relearn.registry.v1.project_pb2 import Project
from relearn.serving.v1 import control_service_pb2 as pb
from relearn.serving.v1.events_pb2 import PredictionMade, RouteChanged
from relearn.serving.v1.route_pb2 import Route as RouteMessage
from relearn_serving.control import wire as control
from relearn_serving.control.domain.evidence import Arm
from relearn_serving.control.domain.judgements import Verdict
from relearn_serving.control.domain.route import Outcome, Phase
from relearn_serving.gateway import predictions, routing
from relearn_serving.gateway import wire as gateway


def numbers(enum: object) -> set[int]:
    return {number for number in enum.values() if number}


def test_enum_tables_are_total():
    assert set(control.PHASES) == set(Phase)
    assert set(control.PHASES.values()) == numbers(RouteMessage.Phase)
    assert set(control.OUTCOMES) == set(Outcome)
    assert set(control.OUTCOMES.values()) == numbers(RouteChanged.Outcome)
    assert set(control.VERDICTS) == numbers(JudgementMessage.Verdict)
    assert set(control.VERDICTS.values()) == set(Verdict)
    assert set(control.ARMS) == numbers(PredictionMade.Arm)
    assert set(control.ARMS.values()) == set(Arm)
    assert set(gateway.PHASES) == numbers(RouteMessage.Phase)
    assert set(gateway.PHASES.values()) == set(routing.Phase)
    assert set(predictions.ARMS) == set(routing.Arm)
    assert set(predictions.ARMS.values()) == numbers(PredictionMade.Arm)


def test_a_route_survives_the_wire():
    route = routing.Route(
        project_id="shop",
        revision=3,
        champion="shop/model/1",
        challenger="shop/model/2",
        phase=routing.Phase.CANARY,
        weight=25,
        shards=2,
    )

    assert gateway.route(gateway.route_message(route)) == route


def test_a_phase_of_the_future_serves_the_champion():
    message = RouteMessage(
        project_id="shop", champion_model_version_id="v1", challenger_model_version_id="v2", phase=77
    )

    assert gateway.route(message).phase is routing.Phase.SERVING


def test_a_verdict_of_the_future_says_nothing():
    unknown = control.judgement(JudgementMessage(model_version_id="v", verdict=77), event_id="e")

    assert unknown.verdict is Verdict.UNDECIDED


def test_an_arm_of_the_future_is_left_out():
    assert control.counters([pb.VersionCounters(project_id="shop", arm=77, predictions=3)]) == {}


def test_a_project_without_numbers_gets_the_documented_ones():
    policy = control.policy(Project())

    assert policy.canary_percent == (1, 5, 25, 50, 100)
    assert (policy.requests_per_step, policy.max_error_increase, policy.max_latency_ratio) == (200, 0.01, 3.0)
