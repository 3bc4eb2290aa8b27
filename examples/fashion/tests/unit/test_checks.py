from fashion_demo import checks
from fashion_demo.intervals import Share
from fashion_demo.outcome import Check, HeldOut
from stories import FIRST, LAST, happened, outcome, route, turn

from relearn_client.tracing import Trace, TraceNode


def alerts(*more: object) -> Check:
    return checks.alert_check(turn(*more), first_champion=FIRST, answers_before=400, answers_after=1200)


def alert(time: float, version: str) -> object:
    return happened("AlertOpened", time, alert={"alert_id": "more", "model_version_id": version})


def test_one_alert_about_the_first_champion_is_what_must_happen():
    assert alerts().passed
    assert "400 answers before" in alerts().detail


def test_an_alert_before_the_turn_about_the_challenger_or_after_the_cure_is_one_too_many():
    assert not alerts(alert(99.0, FIRST)).passed
    assert not alerts(alert(108.0, LAST)).passed
    assert not alerts(alert(120.0, LAST)).passed


def held_out(*, recovered: float, lost: float) -> HeldOut:
    some = outcome().held_out
    return HeldOut(
        first_old_camera=some.first_old_camera,
        first_new_camera=some.first_new_camera,
        last_old_camera=some.last_old_camera,
        last_new_camera=some.last_new_camera,
        recovered=Share(value=recovered, lower=recovered, upper=recovered, n=1),
        lost=Share(value=lost, lower=lost, upper=lost, n=1),
    )


def test_three_quarters_must_come_back_and_at_most_five_points_go():
    good = checks.accuracy_checks(held_out(recovered=0.75, lost=0.05))
    bad = checks.accuracy_checks(held_out(recovered=0.74, lost=0.06))

    assert [check.passed for check in (*good, *bad)] == [True, True, False, False]


def test_traffic_for_the_challenger_before_the_gate_has_spoken_is_found():
    assert checks.rollout_check(turn()).passed
    assert "60 disagreements" in checks.rollout_check(turn()).detail
    assert not checks.rollout_check(turn(route(111.5, "CANARY", weight_percent=10))).passed


def test_a_trace_that_ends_before_the_new_champion_does_not_pass():
    node = TraceNode(id="p/route/6", kind="route", summary="finished", occurred_at=None)
    trace = Trace(id="x", nodes=(node,), edges=(), truncated=False)

    assert checks.trace_check(trace, route_id="p/route/6").detail == "p/route/6: finished"
    assert not checks.trace_check(trace, route_id="p/route/7").passed
