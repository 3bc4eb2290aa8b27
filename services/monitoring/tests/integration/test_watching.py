"""Predictions become references, windows and alarms."""

from __future__ import annotations

import grpc
import pytest
from monitoring_world import CHAMPION, PINNED, REFERENCE, Traffic, project

from relearn.monitoring.v1 import alert_pb2, monitoring_service_pb2
from relearn.monitoring.v1 import events_pb2 as pb
from relearn_monitoring.events import TRIM_EVERY
from relearn_runtime.testing import eventually


@pytest.fixture
async def clothes(monitoring):
    """The project `clothes`, version 1 in the route."""
    await monitoring.apply(project())
    await monitoring.register(1, accuracy=0.85)
    await monitoring.route(1, revision=1)
    return monitoring


async def test_reference_is_frozen_from_the_first_live_predictions(clothes):
    traffic = Traffic(clothes.clock)

    await clothes.serve(traffic.predictions(REFERENCE + 50))

    got = await clothes.stub().GetMonitoring(monitoring_service_pb2.GetMonitoringRequest(project_id="clothes"))
    (version,) = got.versions
    assert (version.reference_frozen, version.reference_predictions) == (True, REFERENCE)
    assert version.predictions == got.predictions == REFERENCE + 50
    assert 0 < version.detector_value < version.detector_threshold == 2_000_000
    assert got.missing_predictions == 0


async def test_full_window_is_told_with_scores_under_their_thresholds(clothes):
    traffic = Traffic(clothes.clock)

    await clothes.serve(traffic.predictions(REFERENCE + 200))

    # 200 before the reference, 100 until it was frozen, 200 against it
    windows = [event.message.window for event in await clothes.collect(pb.WindowClosed, 3)]
    assert [(window.number, window.predictions) for window in windows] == [(1, 200), (2, 100), (3, 200)]
    assert not windows[0].drift_scores
    scores = {score.signal: score for score in windows[2].drift_scores}
    assert {"frechet", "confidence", "outputs", "label-mix", "brightness"} <= scores.keys()
    assert all(score.value <= score.threshold for score in scores.values())
    assert sum(windows[2].predicted_labels) == 200


async def test_window_closes_by_time_too(clothes):
    made = Traffic(clothes.clock).predictions(20)
    await clothes.serve(made)

    clothes.clock.advance(seconds=301)

    (event,) = await clothes.collect(pb.WindowClosed, 1)
    assert event.message.window.predictions == 20
    assert event.causes == (made[-1].prediction_id,)


async def test_shift_opens_one_alert_within_a_hundred_predictions(clothes):
    traffic = Traffic(clothes.clock)
    before = traffic.predictions(REFERENCE + 500)
    after = traffic.predictions(300, shifted=True)

    await clothes.serve(before + after)

    (event,) = await clothes.collect(pb.AlertOpened, 1)
    alert = event.message.alert
    assert (alert.kind, alert.state) == (alert_pb2.Alert.KIND_SHIFT, alert_pb2.Alert.STATE_OPEN)
    assert alert.detector == "e-detector/confidence+rank"
    assert alert.value >= alert.threshold == 2_000_000
    assert 500 < alert.predictions < 600
    assert alert.reference_quality == pytest.approx(0.85)
    assert alert.prediction_id in {made.prediction_id for made in after[:100]}
    assert event.causes == (alert.prediction_id,)
    assert await clothes.none(pb.AlertOpened, more_than=1)


async def test_two_moved_windows_in_a_row_open_an_alert_that_single_predictions_do_not(clothes):
    traffic = Traffic(clothes.clock)

    await clothes.serve(traffic.predictions(REFERENCE) + traffic.predictions(400, aside=True))

    (event,) = await clothes.collect(pb.AlertOpened, 1)
    alert = event.message.alert
    assert (alert.kind, alert.detector) == (alert_pb2.Alert.KIND_SHIFT, "windows/frechet")
    assert alert.value > alert.threshold
    windows = [event.message.window for event in await clothes.collect(pb.WindowClosed, 4)]
    assert (alert.window_id, alert.prediction_id) == (windows[3].window_id, "")
    assert event.causes == (alert.window_id,)
    stub = clothes.stub()
    page = await stub.ListWindows(monitoring_service_pb2.ListWindowsRequest(project_id="clothes", page_size=3))
    rest = await stub.ListWindows(
        monitoring_service_pb2.ListWindowsRequest(project_id="clothes", page_size=3, page_token=page.next_page_token)
    )
    assert [window.number for window in [*page.windows, *rest.windows]] == [4, 3, 2, 1]
    assert rest.next_page_token == ""
    listed = await stub.ListAlerts(monitoring_service_pb2.ListAlertsRequest(project_id="clothes"))
    assert [one.alert_id for one in listed.alerts] == [alert.alert_id]


@pytest.mark.parametrize("rpc", ["GetMonitoring", "ListWindows", "ListAlerts"])
async def test_unknown_project_is_told_from_an_empty_one(monitoring, rpc):
    call, request = getattr(monitoring.stub(), rpc), getattr(monitoring_service_pb2, f"{rpc}Request")

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(request(project_id="hats"))

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert "hats" in raised.value.details()


async def test_repeated_predictions_are_counted_once(clothes):
    traffic = Traffic(clothes.clock)
    made = traffic.predictions(60)
    await clothes.serve(made)

    await clothes.send(made[:40])
    await clothes.serve(traffic.predictions(1))

    assert await clothes.one("select predictions from watches") == 61
    assert await clothes.one("select received from gateways") == 61


async def test_missing_predictions_are_counted_by_their_numbers(clothes):
    traffic = Traffic(clothes.clock)
    made = traffic.predictions(30)

    await clothes.serve(made[:10] + made[13:])

    got = await clothes.stub().GetMonitoring(monitoring_service_pb2.GetMonitoringRequest(project_id="clothes"))
    assert got.missing_predictions == 3


async def test_pinned_predictions_are_no_evidence(clothes):
    traffic = Traffic(clothes.clock)

    await clothes.serve(traffic.predictions(5, arm=PINNED) + traffic.predictions(1))

    assert await clothes.one("select predictions from watches") == 1
    assert await clothes.one("select count(*) from waiting_inputs") == 1
    assert await clothes.one("select received from gateways") == 6


async def test_malformed_prediction_is_parked_and_the_others_are_counted(clothes):
    traffic = Traffic(clothes.clock)
    good, bad = traffic.predictions(9), traffic.predictions(1, probabilities=[0.9, 0.9, float("nan")])

    await clothes.serve(good[:4] + bad + good[4:])

    assert await clothes.one("select predictions from watches") == 9
    assert await eventually(lambda: clothes.sql("select reason, state from parked")) == [("INVALID_INPUT", "parked")]


async def test_tensors_are_watched_but_do_not_wait_to_be_picked(clothes):
    traffic = Traffic(clothes.clock)
    made = traffic.predictions(3, arm=CHAMPION)
    for one in made:
        one.ClearField("input")
        one.ClearField("input_sha256")
        one.ClearField("image_statistics")

    await clothes.serve(made)

    assert await clothes.one("select predictions from watches") == 3
    assert await clothes.one("select count(*) from waiting_inputs") == 0


async def test_waiting_inputs_are_bounded_and_the_newest_stay(clothes):
    traffic = Traffic(clothes.clock)
    made = traffic.predictions(4 * TRIM_EVERY)

    await clothes.serve(made)

    waiting = {row[0] for row in await clothes.sql("select prediction_id from waiting_inputs")}
    assert waiting == {one.prediction_id for one in made[-500:]}


async def test_predictions_that_overtake_their_route_are_watched_already(monitoring):
    await monitoring.apply(project())
    traffic = Traffic(monitoring.clock)

    await monitoring.serve(traffic.predictions(10))

    assert await monitoring.sql("select role, collected from watches") == [("champion", 10)]


async def test_saved_reference_returns_with_a_rollback(clothes):
    traffic = Traffic(clothes.clock)
    await clothes.serve(traffic.predictions(REFERENCE))
    await clothes.route(2, revision=2, left=1)
    await clothes.serve(traffic.predictions(20, version=2, route_revision=2))

    await clothes.route(1, revision=3, left=2)
    await clothes.serve(traffic.predictions(20, version=1, route_revision=3))

    rows = await clothes.sql("select model_version_id, role, reference_frozen, since_frozen from watches order by 1")
    assert rows == [("clothes/model/1", "champion", True, 20), ("clothes/model/2", "", False, 0)]
    assert await clothes.one("select count(*) from frozen_references") == 1


async def test_two_projects_on_one_topic_never_mix(clothes):
    await clothes.apply(project("tools"))
    await clothes.route(1, revision=1, name="tools")
    ours, theirs = Traffic(clothes.clock), Traffic(clothes.clock, name="tools", seed=1)
    before = [made for pair in zip(ours.predictions(400), theirs.predictions(400), strict=True) for made in pair]
    shifted = ours.predictions(100, shifted=True)
    after = [made for pair in zip(shifted, theirs.predictions(100), strict=True) for made in pair]

    await clothes.serve(before + after)
    await clothes.seen(shifted[-1])  # of another partition
    await clothes.collect(pb.AlertOpened, 1)

    assert await clothes.sql("select distinct project_id from alerts") == [("clothes",)]
    rows = await clothes.sql("select project_id, predictions from monitored_projects order by 1")
    assert rows == [("clothes", 500), ("tools", 500)]
    foreign = await clothes.one("select count(*) from picks where model_version_id not like project_id || '/%'")
    assert foreign == 0
