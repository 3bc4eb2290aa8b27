"""Events of different topics and keys come in any order, twice, or late."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from training_world import NAME, project, samples

from relearn.serving.v1.events_pb2 import RouteChanged
from relearn.training.v1.events_pb2 import StudySkipped, StudyStarted
from relearn.training.v1.study_pb2 import Study
from relearn_runtime import utc_now
from relearn_runtime.testing import NotInTime, collect, eventually

ENOUGH = [*samples(60, "train"), *samples(30, "validation")]
MORE = [*ENOUGH, *samples(30, "train", stream="selected", probability=0.5, version_n=2)]
LONG_AGO = timedelta(days=1)


async def serving(training, **policy) -> str:
    """A project whose first version was studied long ago and whose champion serves."""
    applied = project(**policy)
    await training.studied(training.datasets.commit(1, ENOUGH), applied, ended_at=utc_now() - LONG_AGO)
    await training.apply(applied)
    await training.handled(await training.committed(training.datasets.versions[f"{NAME}/data/1"]))
    champion = await training.register(1)
    await training.handled(await training.route(champion, revision=1))
    return champion


async def nothing_started(training) -> None:
    with pytest.raises(NotInTime):
        await collect(training.kafka, StudyStarted, 1, 1.0)


async def test_an_older_version_that_comes_late_starts_nothing_and_is_not_the_newest(training):
    await serving(training, new_labels=1000)
    training.datasets.commit(3, MORE)
    older = training.datasets.commit(2, ENOUGH)
    await training.handled(await training.committed(training.datasets.versions[f"{NAME}/data/3"]))

    await training.handled(await training.committed(older))

    assert await training.sql("select dataset_version_n, train from situations") == [(3, 90)]
    skipped = await collect(training.kafka, StudySkipped, 3)
    assert [one.message.dataset_version_id for one in skipped] == [f"{NAME}/data/{n}" for n in (1, 3, 2)]
    assert skipped[2].message.detail == "30 of 1000 new train labels since the last study"
    kept = await training.sql("select decision, detail, project_revision from decisions order by decision_id desc")
    assert kept[0] == ("TOO_FEW_NEW_LABELS", skipped[2].message.detail, 1)


async def test_a_route_that_is_older_than_the_known_one_or_comes_again_changes_nothing(training):
    first = await serving(training, new_labels=1000)
    second = await training.register(2)
    await training.handled(await training.route(second, revision=5))

    late = await training.route(first, revision=4, outcome=RouteChanged.OUTCOME_ROLLED_BACK)
    again = await training.route(second, revision=5)
    await training.handled(late, again)

    assert await training.sql("select champion, route_revision, rolled_back_at from situations") == [(second, 5, None)]


async def test_an_alert_that_is_over_before_its_confirmation_comes_hurries_nothing(training):
    champion = await serving(training, new_labels=1000, new_labels_after_alert=20)
    await training.handled(await training.commit(2, MORE))
    over = await training.resolve_alert("resolved", champion), await training.refute_alert("refuted", champion)
    await training.handled(*over)

    late = [await training.confirm_alert(alert_id, champion) for alert_id in ("resolved", "refuted")]
    late.append(await training.open_alert("resolved", champion))
    await training.handled(*late)

    assert (await training.waits_for())[0].waits_for == "30 of 1000 new train labels since the last study"
    await nothing_started(training)


async def test_an_alert_confirmed_twice_and_before_it_opened_starts_one_study(training):
    champion = await serving(training, new_labels=1000, new_labels_after_alert=20)
    await training.handled(await training.commit(2, MORE, content=b"no picture"))

    confirmed = await training.confirm_alert("alert", champion)
    again = await training.confirm_alert("alert", champion)
    await training.handled(confirmed, again, await training.open_alert("alert", champion))

    started = await collect(training.kafka, StudyStarted, 1)
    assert started[0].message.study.trigger == Study.TRIGGER_CONFIRMED_ALERT
    assert confirmed in started[0].causes
    assert await training.sql("select count(*) from studies where trigger = 'confirmed_alert'") == [(1,)]


async def test_audits_count_since_the_alert_opened_whichever_topic_is_read_first(training):
    champion = await serving(training, new_labels=1000, new_labels_after_alert=20)
    opened_at = utc_now()
    await training.handled(await training.commit(2, MORE, content=b"no picture"))

    await training.handled(await training.open_alert("alert", champion, at=opened_at))
    await training.confirm_alert("alert", champion, at=opened_at)

    await collect(training.kafka, StudyStarted, 1)
    plan = await training.sql("select plan->>'audits_since_n' from studies where trigger = 'confirmed_alert'")
    assert plan == [("1",)]


async def test_a_study_by_hand_on_an_older_version_does_not_make_known_labels_new(training):
    await serving(training, new_labels=20)
    newest = training.datasets.commit(2, MORE)
    await training.studied(newest, project(), ended_at=utc_now() - LONG_AGO / 2)
    await training.studied(training.datasets.versions[f"{NAME}/data/1"], project(), ended_at=utc_now() - LONG_AGO / 3)

    await training.handled(await training.committed(newest))

    assert (await training.waits_for())[0].waits_for == "0 of 20 new train labels since the last study"
    await nothing_started(training)


async def test_a_study_starts_by_itself_when_the_cool_down_ends(training):
    await serving(training, new_labels=20, seconds={"cool_down": 3600.0})
    version = training.datasets.commit(2, ENOUGH)
    await training.studied(version, project())

    await training.commit(3, MORE, content=b"no picture")

    skipped = (await collect(training.kafka, StudySkipped, 2))[1].message
    assert skipped.reason == "COOL_DOWN"
    await training.let_pass("1 hour")
    started = (await collect(training.kafka, StudyStarted, 1))[0].message.study
    assert started.trigger == Study.TRIGGER_NEW_LABELS
    assert started.start_time.ToMilliseconds() > skipped.decide_time.ToMilliseconds()


async def test_a_rollback_cools_down(training):
    await serving(training, new_labels=20, seconds={"cool_down": 3600.0})
    first = await training.register(2)
    back = await training.route(first, revision=2, outcome=RouteChanged.OUTCOME_ROLLED_BACK)
    await training.handled(back)

    await training.commit(2, MORE)

    skipped = (await collect(training.kafka, StudySkipped, 2))[1].message
    assert skipped.reason == "COOL_DOWN"
    assert "30 of 20 new train labels" in skipped.detail


async def test_a_project_resumed_while_an_event_decides_by_its_pause_is_not_forgotten(training):
    """The handler of the version waits while the project is saved; it decides by what it finds then."""
    await training.apply(project(paused=True))
    training.datasets.commit(1, ENOUGH)
    await training.sql("insert into situations (project_id) values (:p) on conflict do nothing", p=NAME)
    engine = create_async_engine(training.database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as resuming:
        await resuming.execute(sa.text("select 1 from situations for update"))
        await training.committed(training.datasets.versions[f"{NAME}/data/1"])
        await eventually(lambda: somebody_waits_for_a_lock(training))

        await resuming.execute(sa.text("update projects set body = :b"), {"b": project(revision=2).SerializeToString()})
    await engine.dispose()

    started = (await collect(training.kafka, StudyStarted, 1))[0].message.study
    assert started.project_revision == 2


async def somebody_waits_for_a_lock(world) -> bool:
    return bool(await world.sql("select 1 from pg_stat_activity where wait_event_type = 'Lock'"))
