"""Picks, the ledger, flags; alerts settled by what people say."""

from __future__ import annotations

from hashlib import sha256

import pytest
from monitoring_world import REFERENCE, SHADOW, Traffic, project

from relearn.datasets.v1 import sample_pb2
from relearn.datasets.v1.dataset_version_pb2 import USE_TRAIN
from relearn.monitoring.v1 import alert_pb2, flag_pb2, monitoring_service_pb2
from relearn.monitoring.v1 import events_pb2 as pb
from relearn.operations.v1 import operations_service_pb2
from relearn_runtime.testing import eventually

AUDIT, SELECTED, DISAGREEMENT = flag_pb2.STREAM_AUDIT, flag_pb2.STREAM_SELECTED, flag_pb2.STREAM_DISAGREEMENT
BOUGHT = "select coalesce(sum(reserved), 0), coalesce(sum(spent), 0) from ledger"


@pytest.fixture
async def clothes(monitoring):
    """The project `clothes`, version 1 in the route, its reference frozen; no everyday audits to speak of."""
    await monitoring.apply(project(predictions_per_day=100_000_000))
    await monitoring.register(1, accuracy=0.85)
    await monitoring.route(1, revision=1)
    await monitoring.serve(Traffic(monitoring.clock, seed=5).predictions(REFERENCE))
    return monitoring


async def shift(world, *, n: int = 300) -> alert_pb2.Alert:
    """The camera changes; returns the alert."""
    await world.serve(Traffic(world.clock, seed=6).predictions(n, shifted=True))
    (event,) = await world.collect(pb.AlertOpened, 1)
    return event.message.alert


async def test_everyday_labels_are_bought_at_the_rate_the_budget_allows(monitoring):
    # 40 audits for the half day that is left of a day of 400 predictions, and as many to learn from
    await monitoring.apply(project(predictions_per_day=400))
    await monitoring.route(1, revision=1)
    made = Traffic(monitoring.clock).predictions(170)
    for number, one in enumerate(made[::2]):  # as large inputs come
        monitoring.folder.joinpath(f"input-{number}").write_bytes(one.input_content)
        one.input_key = f"input-{number}"
    contents = {sha256(monitoring.folder.joinpath(f"input-{n}").read_bytes()).hexdigest() for n in range(85)}

    await monitoring.serve(made)

    flags = await monitoring.flags(5, stream=AUDIT)
    selected = await monitoring.flags(10, stream=SELECTED)
    assert {flag.alert_id for flag in selected} == {""}
    put_inputs = [*flags, *selected]
    assert {flag.sample_id.split("/")[-1] in contents for flag in put_inputs} == {True, False}
    assert all(0.1 < flag.probability <= 0.21 for flag in flags)
    first = flags[0]
    assert first.prediction_id in {one.prediction_id for one in made}
    assert first.sample_id.startswith("clothes/sample/")
    assert first.project_revision == 1
    put = {request.origin: request for request in monitoring.datasets.puts}[f"prediction:{first.prediction_id}"]
    assert (put.stream, put.probability) == (AUDIT, first.probability)
    assert sha256(put.content).hexdigest() in {one.input_sha256 for one in made}


async def test_alert_asks_for_its_audits_and_for_selected_inputs_and_no_more(clothes):
    alert = await shift(clothes)

    flags = await clothes.flags(50)

    audits = [flag for flag in flags if flag.stream == AUDIT]
    selected = [flag for flag in flags if flag.stream == SELECTED]
    assert (len(audits), len(selected)) == (20, 30)
    assert {flag.alert_id for flag in flags} == {alert.alert_id}
    assert {flag.probability for flag in audits} == {0.2}
    assert all(0 < flag.probability <= 1 for flag in selected)
    assert len({flag.sample_id for flag in selected}) == 30
    await clothes.serve(Traffic(clothes.clock, seed=9).predictions(100, shifted=True))
    assert await clothes.none(pb.PredictionFlagged, more_than=50)
    assert await clothes.sql(BOUGHT) == [(0, 50)]


async def test_flag_names_the_prediction_and_the_alert_as_its_causes(clothes):
    await shift(clothes)

    (opened,) = await clothes.collect(pb.AlertOpened, 1)
    (flagged, *_) = await clothes.collect(pb.PredictionFlagged, 1)

    assert flagged.causes == (flagged.message.flag.prediction_id, opened.id)


async def test_wrong_answers_confirm_the_alert_before_all_audits_are_in(clothes):
    alert = await shift(clothes)
    audits = await clothes.flags(20, stream=AUDIT)

    for flag in audits[:8]:
        await clothes.answer(flag, "boot" if flag.predicted_label == "shirt" else "shirt")

    (event,) = await clothes.collect(pb.AlertConfirmed, 1)
    confirmed = event.message.alert
    assert confirmed.alert_id == alert.alert_id
    assert confirmed.state == alert_pb2.Alert.STATE_CONFIRMED
    assert confirmed.quality.accuracy == 0.0
    assert 3 <= confirmed.quality.audits <= 8
    assert len(event.message.label_ids) == confirmed.quality.audits


async def test_right_answers_refute_it_and_the_reference_is_collected_anew(clothes):
    await shift(clothes)
    audits = await clothes.flags(20, stream=AUDIT)

    for flag in audits:
        await clothes.answer(flag, flag.predicted_label)

    (event,) = await clothes.collect(pb.AlertRefuted, 1)
    assert event.message.alert.quality.accuracy == 1.0
    assert event.message.alert.quality.audits == 20
    assert await clothes.sql("select reference_number, reference_frozen from watches") == [(2, False)]
    # the new normal: the same traffic goes on without an alarm
    await clothes.serve(Traffic(clothes.clock, seed=11).predictions(REFERENCE + 300, shifted=True))
    assert await clothes.none(pb.AlertOpened, more_than=1)
    assert await clothes.sql("select reference_number, reference_frozen from watches") == [(2, True)]


async def test_disputed_audits_settle_without_an_outcome(clothes):
    await shift(clothes)
    audits = await clothes.flags(20, stream=AUDIT)

    for flag in audits[:5]:
        await clothes.close(flag)
    for flag in audits[5:]:
        await clothes.answer(flag, flag.predicted_label)

    (event,) = await clothes.collect(pb.AlertRefuted, 1)
    assert event.message.alert.quality.audits == 15


async def test_repeated_and_older_answers_change_nothing(clothes):
    await shift(clothes)
    (flag, *_) = await clothes.flags(20, stream=AUDIT)

    await clothes.answer(flag, flag.predicted_label, revision=2)
    await clothes.settled(1)
    await clothes.answer(flag, "bag" if flag.predicted_label != "bag" else "boot", revision=1)
    await clothes.answer(flag, flag.predicted_label, revision=2)
    await clothes.answer(flag, "bag" if flag.predicted_label != "bag" else "boot", revision=3)

    query = "select correct, settled_revision from picks where settled is not null"

    async def corrected() -> bool:
        return await clothes.sql(query) == [(False, 3)]

    await eventually(corrected)


async def test_alert_is_resolved_when_its_version_leaves_the_route(clothes):
    alert = await shift(clothes)

    event_id = await clothes.route(2, revision=2, left=1)

    (event,) = await clothes.collect(pb.AlertResolved, 1)
    assert event.message.alert.alert_id == alert.alert_id
    assert event.message.route_id == "clothes/route/2"
    assert event.causes == (event_id,)
    assert await clothes.sql("select role from watches order by model_version_id") == [("",), ("champion",)]


async def test_everyday_audits_that_show_harm_open_an_alert_that_is_confirmed_at_once(monitoring):
    await monitoring.apply(project(predictions_per_day=200, predictions_per_false_alarm=1000))
    await monitoring.register(1, accuracy=0.9)
    await monitoring.route(1, revision=1)
    await monitoring.serve(Traffic(monitoring.clock).predictions(200))
    audits = await monitoring.flags(15, stream=AUDIT)

    for flag in audits[:15]:
        await monitoring.answer(flag, "boot" if flag.predicted_label == "shirt" else "shirt")

    (opened,) = await monitoring.collect(pb.AlertOpened, 1)
    (confirmed,) = await monitoring.collect(pb.AlertConfirmed, 1)
    assert opened.message.alert.kind == alert_pb2.Alert.KIND_HARM
    assert opened.message.alert.detector == "audits"
    assert confirmed.message.alert.alert_id == opened.message.alert.alert_id
    assert confirmed.message.alert.state == alert_pb2.Alert.STATE_CONFIRMED
    assert opened.id in confirmed.causes
    assert opened.message.alert.label_id in confirmed.message.label_ids


async def test_refused_input_returns_its_label_and_another_is_picked(clothes):
    traffic = Traffic(clothes.clock, seed=6)
    made = traffic.predictions(300, shifted=True)
    for number, one in enumerate(made[::3]):
        one.input_content = b"broken" + number.to_bytes(2, "big")
        one.input_sha256 = f"{number:064x}"

    await clothes.serve(made)

    async def balanced() -> bool:
        (row,) = await clothes.sql(BOUGHT)
        states = dict(await clothes.sql("select state, count(*) from picks group by state"))
        return row == (0, 50) and states.get("flagged") == 50 and states.get("refused", 0) > 0

    async def more() -> bool:
        await clothes.serve(traffic.predictions(50, shifted=True))
        return await balanced()

    await eventually(more)
    got = await clothes.stub().GetMonitoring(monitoring_service_pb2.GetMonitoringRequest(project_id="clothes"))
    assert got.refused_inputs == (await clothes.sql("select count(*) from picks where state = 'refused'"))[0][0]
    assert sum(stream.spent for stream in got.budget.streams) == 50


async def test_labels_to_learn_from_that_will_not_count_are_asked_for_with_other_inputs(clothes):
    made = Traffic(clothes.clock, seed=6).predictions(300, shifted=True)
    for one in made[::3]:  # imported long ago, with labels
        sample_id = f"clothes/sample/{sha256(one.input_content).hexdigest()}"
        clothes.datasets.samples[sample_id] = sample_pb2.Sample(sample_id=sample_id, use=USE_TRAIN, label="boot")
    known = set(clothes.datasets.samples)

    await clothes.serve(made)

    flags = await clothes.flags(30, stream=SELECTED)
    assert not known & {flag.sample_id for flag in flags}
    for flag in flags[:4]:
        await clothes.close(flag)
    again = await clothes.flags(34, stream=SELECTED)
    assert len({flag.sample_id for flag in again}) == 34
    await clothes.flags(20, stream=AUDIT)
    assert await clothes.none(pb.PredictionFlagged, more_than=34 + 20)
    assert await clothes.sql(BOUGHT) == [(0, 34 + 20)]
    assert await clothes.one("select refused_inputs from monitored_projects") == 0


async def test_window_that_is_open_when_an_alert_is_refuted_is_told(clothes):
    await shift(clothes)
    audits = await clothes.flags(20, stream=AUDIT)

    for flag in audits:
        await clothes.answer(flag, flag.predicted_label)
    await clothes.collect(pb.AlertRefuted, 1)

    windows = [event.message.window for event in await clothes.collect(pb.WindowClosed, 4)]
    assert [window.number for window in windows] == [1, 2, 3, 4]
    assert sum(window.predictions for window in windows) == REFERENCE + 300


async def test_quality_that_is_back_resolves_the_alert(monitoring):
    await monitoring.apply(project(labels_per_day=2000, predictions_per_day=400, predictions_per_false_alarm=1000))
    await monitoring.register(1, accuracy=0.9)
    await monitoring.route(1, revision=1)
    traffic = Traffic(monitoring.clock)
    await monitoring.serve(traffic.predictions(60))
    audits = await monitoring.flags(15, stream=AUDIT)
    for flag in audits[:15]:
        await monitoring.answer(flag, "boot" if flag.predicted_label == "shirt" else "shirt")
    (opened,) = await monitoring.collect(pb.AlertOpened, 1)
    await monitoring.collect(pb.AlertConfirmed, 1)

    await monitoring.serve(traffic.predictions(150))
    for flag in await monitoring.flags(100, stream=AUDIT):
        if flag not in audits:
            await monitoring.answer(flag, flag.predicted_label)

    (resolved,) = await monitoring.collect(pb.AlertResolved, 1)
    assert resolved.message.alert.alert_id == opened.message.alert.alert_id
    assert resolved.message.route_id == ""


async def test_datasets_that_are_away_delay_flags_and_lose_none(clothes):
    clothes.datasets.away = True
    await shift(clothes)

    async def tried() -> bool:
        return await clothes.one("select count(*) from picks where attempts > 0 and state = 'picked'") >= 20

    await eventually(tried)
    clothes.datasets.away = False

    assert len(await clothes.flags(50)) == 50
    assert await clothes.sql(BOUGHT) == [(0, 50)]


async def test_budget_of_the_day_is_never_exceeded_and_a_new_day_brings_a_new_one(monitoring):
    await monitoring.apply(
        project(labels_per_day=20, reserve_share=0.5, audit_share=0.5, predictions_per_day=100_000_000)
    )
    await monitoring.register(1, accuracy=0.85)
    await monitoring.route(1, revision=1)
    await monitoring.serve(Traffic(monitoring.clock, seed=5).predictions(REFERENCE))
    await shift(monitoring)
    await monitoring.flags(10)
    assert await monitoring.none(pb.PredictionFlagged, more_than=10)
    first_day = await monitoring.sql("select day, sum(reserved + spent) from ledger group by day")

    monitoring.clock.advance(hours=13)
    await monitoring.serve(Traffic(monitoring.clock, seed=8).predictions(200, shifted=True))

    await monitoring.flags(20)
    days = await monitoring.sql("select day, sum(reserved + spent) from ledger group by day order by day")
    assert [used for _, used in first_day] == [10]
    assert [used for _, used in days] == [10, 10]


async def test_paused_project_is_watched_but_nothing_is_picked(clothes):
    await clothes.apply(project(revision=2, paused=True, predictions_per_day=100_000_000))
    await clothes.apply(project("tools", predictions_per_day=100_000_000))
    await clothes.route(1, revision=1, name="tools")
    tools = Traffic(clothes.clock, name="tools")

    await shift(clothes)
    await clothes.serve(tools.predictions(REFERENCE) + tools.predictions(300, shifted=True))
    await clothes.flags(30, stream=SELECTED)  # of the other project, which comes later in each pass

    assert await clothes.one("select count(*) from picks where project_id = 'clothes'") == 0
    await clothes.apply(project(revision=3, predictions_per_day=100_000_000))
    await clothes.serve(Traffic(clothes.clock, seed=9).predictions(200, shifted=True))
    assert len(await clothes.flags(100)) == 100


async def test_waiting_says_what_an_open_alert_waits_for(clothes):
    await shift(clothes)
    audits = await clothes.flags(20, stream=AUDIT)
    for flag in audits[:2]:
        await clothes.answer(flag, flag.predicted_label)
    await clothes.settled(2)

    got = await clothes.operations().GetWaiting(operations_service_pb2.GetWaitingRequest(project_id="clothes"))

    lines = {line.stage: line.waits_for for line in got.waiting}
    assert lines["alert open"].startswith("2 of 20 audits settled on clothes/model/1")
    assert " of 400 labels bought today" in lines["label budget"]


async def test_shadows_are_no_everyday_audits(monitoring):
    await monitoring.apply(project(predictions_per_day=100))
    await monitoring.route(1, 2, revision=1)
    traffic = Traffic(monitoring.clock)
    made = traffic.predictions(60, version=2, arm=SHADOW)
    for number, one in enumerate(made):
        one.champion_prediction_id = f"elsewhere-{number}"

    await monitoring.serve(made)

    assert await monitoring.one("select count(*) from picks") == 0
