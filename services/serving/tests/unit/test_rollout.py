"""What control decides: judgements, evidence, steps, rollbacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from relearn_runtime.errors import InvalidInput
from relearn_serving.control.domain import route as moves
from relearn_serving.control.domain.canary import RolloutPolicy, Verdict, decide, next_weight
from relearn_serving.control.domain.evidence import Arm, Evidence, Tally
from relearn_serving.control.domain.judgements import Judgement, harmed, hear, next_move
from relearn_serving.control.domain.judgements import Verdict as Gate
from relearn_serving.control.domain.reports import CounterKey, added, with_report
from relearn_serving.control.domain.route import NothingToRollBackTo, Outcome, Pass, Phase, Route
from relearn_serving.control.domain.sequential import lower_bound, upper_bound

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RolloutPolicy(
    canary_percent=(5, 50, 100), requests_per_step=100, max_error_increase=0.01, max_latency_ratio=3.0
)
EMPTY = Route(project_id="shop")
SERVING = replace(EMPTY, revision=1, champion="v1", event_id="before")
SHADOW = replace(SERVING, revision=2, challenger="v2", phase=Phase.SHADOW)
CANARY = replace(SHADOW, revision=3, phase=Phase.CANARY, weight=5)


def tally(predictions: int = 0, errors: int = 0, *, mean_s: float = 0.001, labels: tuple[int, ...] = ()) -> Tally:
    return Tally(predictions=predictions, errors=errors, duration_s=predictions * mean_s, labels=labels)


def passed(version: str, step: int, person: str = "", *, against: str = "v1") -> Judgement:
    return Judgement(
        judgement_id=f"judgement of {version}",
        event_id=f"word on {version}",
        model_version_id=version,
        champion=against,
        step=step,
        verdict=Gate.PASSED,
        reason=f"{version} is good",
        person=person,
    )


def gate_pass(version: str) -> Pass:
    return passed(version, 1).as_pass


def outcome_of(route: Route, judgement: Judgement, *, paused: bool = False) -> Outcome | None:
    change = hear(route, judgement, policy=POLICY, paused=paused, now=NOW).change
    return None if change is None else change.outcome


def test_the_first_version_serves_at_once():
    change = hear(EMPTY, passed("v1", 1, against=""), policy=POLICY, paused=False, now=NOW).change

    assert change is not None
    assert (change.outcome, change.route.champion, change.route.revision) == (Outcome.FIRST, "v1", 1)


def test_a_later_version_starts_in_shadow_and_goes_to_the_first_step():
    started = hear(SERVING, passed("v2", 1), policy=POLICY, paused=False, now=NOW).route
    advanced = hear(started, passed("v2", 2), policy=POLICY, paused=False, now=NOW).route

    assert (started.phase, started.challenger, started.weight) == (Phase.SHADOW, "v2", 0)
    assert (advanced.phase, advanced.challenger, advanced.weight) == (Phase.CANARY, "v2", 5)


def test_a_second_challenger_waits_and_the_newest_replaces_one_that_waits():
    waiting = hear(SHADOW, passed("v3", 1), policy=POLICY, paused=False, now=NOW).route
    waiting = hear(waiting, passed("v4", 1), policy=POLICY, paused=False, now=NOW).route

    assert (waiting.challenger, waiting.waiting) == ("v2", gate_pass("v4"))
    assert next_move(waiting, policy=POLICY, now=NOW) is None
    undone = replace(moves.undo(waiting, reason="worse", at=NOW).route, event_id="undone")
    following = next_move(undone, policy=POLICY, now=NOW)
    assert following is not None
    assert (following.route.challenger, following.reason) == ("v4", "v4 is good")
    assert following.causes == ("word on v4", "undone")


def test_a_paused_project_remembers_what_passed():
    waiting = hear(SERVING, passed("v2", 1), policy=POLICY, paused=True, now=NOW)
    approved = hear(SHADOW, passed("v2", 2), policy=POLICY, paused=True, now=NOW)

    assert (waiting.change, waiting.route.waiting) == (None, gate_pass("v2"))
    assert (approved.change, approved.route.approved) == (None, gate_pass("v2"))
    resumed = next_move(approved.route, policy=POLICY, now=NOW)
    assert resumed is not None
    assert (resumed.route.phase, resumed.route.approved) == (Phase.CANARY, None)
    assert (resumed.judgement_id, resumed.causes) == ("judgement of v2", ("word on v2", "before"))


@pytest.mark.parametrize(
    ("route", "judgement", "outcome"),
    [
        (SHADOW, replace(passed("v2", 2), verdict=Gate.REJECTED), Outcome.UNDONE),
        (CANARY, replace(passed("v2", 1), verdict=Gate.REJECTED), Outcome.UNDONE),
        (SHADOW, replace(passed("v9", 2), verdict=Gate.REJECTED), None),
        (SHADOW, replace(passed("v2", 2), verdict=Gate.UNDECIDED), None),
        (SHADOW, passed("v9", 2), None),
        (SERVING, passed("v1", 1), None),
        (replace(SERVING, barred=("v2",)), passed("v2", 1), None),
        (SERVING, passed("v2", 2, "ada"), Outcome.STARTED),
        (SHADOW, passed("v2", 2, "ada"), Outcome.ADVANCED),
        (CANARY, passed("v2", 2, "ada"), None),
        (EMPTY, passed("v1", 2, "ada"), Outcome.FIRST),
        (replace(SERVING, barred=("v2",)), passed("v2", 2, "ada"), None),
        (SERVING, passed("v2", 1, against="v0"), None),
        (SERVING, passed("v2", 1, against=""), None),
        (SHADOW, passed("v2", 2, against="v0"), None),
        (SERVING, passed("v2", 2, "ada", against="v0"), Outcome.STARTED),
    ],
)
def test_a_judgement_moves_the_route_or_not(route: Route, judgement: Judgement, outcome: Outcome | None):
    assert outcome_of(route, judgement) is outcome


def test_a_person_replaces_a_running_challenger():
    change = hear(SHADOW, passed("v3", 2, "ada"), policy=POLICY, paused=True, now=NOW).change

    assert change is not None
    assert (change.left, change.route.challenger, change.person) == ("v2", "v3", "ada")


def test_only_the_challengers_own_alert_stops_its_rollout():
    told = {"alert_id": "alert", "event_id": "confirmation", "reason": "", "now": NOW}
    assert harmed(CANARY, "v1", **told) is None
    undone = harmed(CANARY, "v2", **told)
    assert undone is not None
    assert (undone.outcome, undone.left, undone.route.champion) == (Outcome.UNDONE, "v2", "v1")
    assert (undone.alert_id, undone.causes) == ("alert", ("confirmation", "before"))


def test_a_step_is_held_until_its_requests_are_counted():
    held = decide(CANARY, Evidence(canary=tally(99), champion_beside_canary=tally(2_000)), POLICY)

    assert (held.verdict, held.reason) == (Verdict.HOLD, "99 of 100 challenger requests at 5 %")


def test_enough_good_requests_advance_and_the_last_step_finishes():
    good = Evidence(canary=tally(100), champion_beside_canary=tally(2_000))

    assert decide(CANARY, good, POLICY).verdict is Verdict.ADVANCE
    assert decide(replace(CANARY, weight=100), good, POLICY).verdict is Verdict.FINISH
    assert [next_weight(weight, POLICY) for weight in (5, 50, 100)] == [50, 100, None]


def test_a_new_step_counts_from_its_own_beginning():
    evidence = Evidence(canary=tally(150), champion_beside_canary=tally(2_000), canary_before_step=100)

    assert decide(CANARY, evidence, POLICY).verdict is Verdict.HOLD


def test_errors_undo_at_once_even_in_shadow():
    evidence = Evidence(shadow=tally(0, 12), champion_beside_shadow=tally(1_000))

    decision = decide(SHADOW, evidence, POLICY)

    assert decision.verdict is Verdict.UNDO
    assert decision.reason.startswith("errors: 12 of 12")


def test_a_challenger_that_has_all_the_traffic_and_fails_is_undone():
    alone = replace(CANARY, weight=100)

    assert decide(alone, Evidence(canary=tally(0, 12)), POLICY).verdict is Verdict.UNDO
    assert decide(alone, Evidence(canary=tally(50, 1)), POLICY).verdict is Verdict.HOLD


def test_errors_that_the_champion_has_too_are_no_reason():
    evidence = Evidence(canary=tally(95, 5), champion_beside_canary=tally(1_900, 100))

    assert decide(CANARY, evidence, POLICY).verdict is Verdict.HOLD


def test_a_slow_challenger_is_undone_but_not_for_microseconds():
    slow = Evidence(canary=tally(100, mean_s=0.02), champion_beside_canary=tally(900, mean_s=0.005))
    tiny = Evidence(canary=tally(100, mean_s=0.0005), champion_beside_canary=tally(900, mean_s=0.00001))

    assert decide(CANARY, slow, POLICY).reason.startswith("latency: 20.00 ms")
    assert decide(CANARY, tiny, POLICY).verdict is Verdict.ADVANCE


def test_a_challenger_may_differ_from_the_champion_but_not_from_its_own_shadow():
    beside = tally(1_000, labels=(1_000, 0))
    cure = Evidence(
        shadow=tally(500, labels=(250, 250)),
        champion_beside_shadow=beside,
        canary=tally(200, labels=(100, 100)),
        champion_beside_canary=beside,
    )
    collapsed = replace(cure, canary=tally(200, labels=(0, 200)))

    assert decide(CANARY, cure, POLICY).verdict is Verdict.ADVANCE
    assert decide(CANARY, collapsed, POLICY).reason.startswith("prediction mix: 50%")


def test_a_mix_that_moved_with_the_traffic_is_no_reason():
    moved = Evidence(
        shadow=tally(500, labels=(400, 100)),
        champion_beside_shadow=tally(1_000, labels=(800, 200)),
        canary=tally(200, labels=(40, 160)),
        champion_beside_canary=tally(1_000, labels=(200, 800)),
    )

    assert decide(CANARY, moved, POLICY).verdict is Verdict.ADVANCE


def test_bounds_hold_at_every_look_at_once():
    generator = np.random.default_rng(0)
    broken = 0
    for _ in range(400):
        events = np.cumsum(generator.random(400) < 0.05)
        looks = range(5, 400, 5)
        broken += any(
            lower_bound(int(events[n - 1]), n, alpha=0.05) > 0.05
            or upper_bound(int(events[n - 1]), n, alpha=0.05) < 0.05
            for n in looks
        )

    assert broken / 400 <= 0.1


def test_bounds_enclose_the_observed_rate_and_tighten():
    assert lower_bound(5, 10, alpha=0.05) < 0.5 < upper_bound(5, 10, alpha=0.05)
    assert lower_bound(500, 1_000, alpha=0.05) > lower_bound(5, 10, alpha=0.05)
    assert (lower_bound(0, 0, alpha=0.05), upper_bound(0, 0, alpha=0.05)) == (0.0, 1.0)
    assert (lower_bound(0, 9, alpha=0.05), upper_bound(9, 9, alpha=0.05)) == (0.0, 1.0)


def test_a_lost_report_is_made_good_and_a_repeated_one_adds_nothing():
    key = CounterKey(project_id="shop", model_version_id="v2", arm=Arm.CANARY)

    assert added({key: tally(30)}, {key: tally(10)})[key].predictions == 20
    assert added({key: tally(30)}, {key: tally(30)}) == {}
    with pytest.raises(InvalidInput, match="went down"):
        added({key: tally(10)}, {key: tally(30)})


def test_only_this_rollouts_versions_and_arms_are_evidence():
    def key(version: str, arm: Arm, project: str = "shop") -> CounterKey:
        return CounterKey(project_id=project, model_version_id=version, arm=arm)

    changes = {
        key("v2", Arm.CANARY): tally(1),
        key("v1", Arm.CHAMPION): tally(10),
        key("v2", Arm.PINNED): tally(100),
        key("v9", Arm.CANARY): tally(1_000),
        key("v2", Arm.CANARY, "other"): tally(10_000),
    }

    evidence = with_report(Evidence(), CANARY, changes)

    assert (evidence.canary.predictions, evidence.champion_beside_canary.predictions) == (1, 10)
    assert not evidence.shadow


def test_a_rollback_during_a_canary_bars_the_challenger():
    change = moves.roll_back(CANARY, reason="bad", at=NOW, person="ada")

    assert (change.route.champion, change.route.challenger, change.route.barred) == ("v1", "", ("v2",))
    assert (change.outcome, change.left) == (Outcome.ROLLED_BACK, "v2")


def test_a_rollback_brings_the_last_version_back_that_is_not_barred():
    route = replace(SHADOW, champion="v4", challenger="v5", champions=("v1", "v2", "v3"), barred=("v3",))

    change = moves.roll_back(route, reason="bad", at=NOW, person="ada")

    assert (change.route.champion, change.route.challenger, change.route.phase) == ("v2", "", Phase.SERVING)
    assert change.route.barred == ("v3", "v4")
    assert change.route.champions == ("v1",)


def test_what_waited_was_judged_against_the_champion_that_leaves_and_is_judged_again():
    served_before = replace(SERVING, champions=("v0",), waiting=gate_pass("v3"))
    in_canary = replace(CANARY, waiting=gate_pass("v3"))

    back = moves.roll_back(served_before, reason="bad", at=NOW, person="ada").route
    finished = moves.finish(in_canary, reason="", at=NOW).route
    stayed = moves.roll_back(in_canary, reason="bad", at=NOW, person="ada").route

    assert (back.champion, back.waiting) == ("v0", None)
    assert (finished.champion, finished.waiting) == ("v2", None)
    assert (stayed.champion, stayed.waiting) == ("v1", gate_pass("v3"))


def test_the_first_version_has_nothing_to_roll_back_to():
    with pytest.raises(NothingToRollBackTo):
        moves.roll_back(SERVING, reason="bad", at=NOW, person="ada")


def test_every_change_is_the_next_revision():
    changes = [
        moves.first(EMPTY, gate_pass("v1"), at=NOW),
        moves.start_shadow(SERVING, gate_pass("v2"), at=NOW),
        moves.start_canary(SHADOW, gate_pass("v2"), weight=5, at=NOW),
        moves.advance(CANARY, weight=50, reason="", at=NOW),
        moves.finish(CANARY, reason="", at=NOW),
        moves.undo(CANARY, reason="", at=NOW),
        moves.roll_back(CANARY, reason="", at=NOW, person=""),
    ]

    assert [change.route.revision for change in changes] == [1, 2, 3, 4, 4, 4, 4]
    assert [change.causes for change in changes] == [
        ("word on v1",),
        ("word on v2", "before"),
        ("word on v2", "before"),
        *[("before",)] * 4,
    ]
    assert changes[4].route.champions == ("v1",)
