"""Which version answers, and who stays with it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from relearn_serving.gateway.refusals import NoChampion, NotReady, UnknownModel, UnknownVersion
from relearn_serving.gateway.routing import Arm, Phase, Route, RouteTable, choose, partition_key

SERVING = Route(
    project_id="shop", revision=4, champion="shop/model/1", challenger="", phase=Phase.SERVING, weight=0, shards=1
)
CANARY = replace(SERVING, challenger="shop/model/2", phase=Phase.CANARY, weight=25)
KEYS = [f"key {number}" for number in range(20_000)]


def asked(route: Route) -> set[str]:
    return {key for key in KEYS if choose(route, version="", key=key).arm is Arm.CANARY}


def test_the_champion_answers_alone():
    choice = choose(SERVING, version="", key="any")

    assert (choice.version, choice.arm, choice.shadow) == ("shop/model/1", Arm.CHAMPION, "")


def test_in_shadow_the_champion_answers_and_the_challenger_looks():
    choice = choose(replace(CANARY, phase=Phase.SHADOW, weight=0), version="", key="any")

    assert (choice.version, choice.arm, choice.shadow) == ("shop/model/1", Arm.CHAMPION, "shop/model/2")


def test_the_weight_is_the_challengers_share_of_keys():
    assert len(asked(CANARY)) / len(KEYS) == pytest.approx(0.25, abs=0.01)


def test_a_growing_weight_only_moves_keys_to_the_challenger():
    shares = [asked(replace(CANARY, weight=weight)) for weight in (0, 1, 5, 25, 50, 100)]

    assert all(smaller <= larger for smaller, larger in itertools.pairwise(shares))
    assert (len(shares[0]), len(shares[-1])) == (0, len(KEYS))


def test_another_challenger_asks_other_keys_first():
    one, other = asked(CANARY), asked(replace(CANARY, challenger="shop/model/3"))

    assert len(one & other) / len(KEYS) == pytest.approx(0.25**2, abs=0.01)


def test_a_pinned_version_is_pinned_whatever_the_route():
    choice = choose(CANARY, version="7", key="any")

    assert (choice.version, choice.arm, choice.shadow) == ("shop/model/7", Arm.PINNED, "")


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.0", "../1", "٣", "x" * 500])
def test_a_version_is_a_plain_number(version: str):
    with pytest.raises(UnknownVersion):
        choose(SERVING, version=version, key="any")


def test_without_a_champion_nothing_answers():
    with pytest.raises(NoChampion):
        choose(replace(SERVING, champion=""), version="", key="any")


def test_an_unknown_project_is_only_unknown_once_all_are_known():
    with pytest.raises(NotReady):
        RouteTable().of("shop")
    with pytest.raises(UnknownModel):
        RouteTable().completed().of("shop")


def test_a_known_project_whose_model_is_on_its_way_is_not_unknown():
    awaiting = RouteTable().awaiting("shop").completed()

    with pytest.raises(NotReady, match="on its way"):
        awaiting.of("shop")
    assert awaiting.with_route(SERVING).of("shop") == SERVING
    with pytest.raises(UnknownModel):
        awaiting.of("other")


def test_predictions_spread_over_the_shards_of_their_project():
    keys = {partition_key(replace(SERVING, shards=4), f"prediction {number}") for number in range(200)}

    assert keys == {"shop/0", "shop/1", "shop/2", "shop/3"}
    assert partition_key(SERVING, "any") == "shop/0"
