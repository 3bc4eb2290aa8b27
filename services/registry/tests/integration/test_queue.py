"""Who is judged next, what a route and a person make of it, and the names that follow."""

from datetime import timedelta

from relearn.labeling.v1.events_pb2 import LabelAccepted
from relearn.registry.v1.events_pb2 import AliasMoved, ModelVersionRegistered
from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.registry.v1.project_pb2 import PromotionPolicy
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_runtime.testing import collect, publish

PASSED, REJECTED = Judgement.VERDICT_PASSED, Judgement.VERDICT_REJECTED


async def test_a_newer_version_waits_and_replaces_an_older_one_that_waits(loop):
    await loop.in_shadow()
    await loop.study()
    await loop.waits_for("fashion/model/3 waits until fashion/model/2 is champion or out")

    await loop.study()

    event = (await loop.judgements(3))[2]
    judged = event.message.judgement
    assert (judged.model_version_id, judged.verdict) == ("fashion/model/3", REJECTED)
    assert judged.reason.startswith("SUPERSEDED: fashion/model/4")
    assert event.causes == ((await collect(loop.kafka, ModelVersionRegistered, 4))[3].id,)
    await loop.nothing_more(3)


async def test_when_the_way_is_free_the_version_that_waited_meets_the_champion_of_then(loop):
    await loop.in_shadow()
    await loop.study()
    await loop.answers(10, 0)
    await loop.judged(3)
    await loop.handled(await loop.route(3, champion=1, challenger=2, how="canary"))
    await loop.nothing_more(3, 1.0)

    await loop.route(4, champion=2, how="finished", left=1)

    judged = (await loop.judged(4))[3]
    assert (judged.model_version_id, judged.champion_model_version_id) == ("fashion/model/3", "fashion/model/2")
    assert [(await loop.status(n)).standing for n in (1, 2)] == ["was champion", "serves"]


async def test_a_shadow_undone_frees_the_way_and_no_verdict_comes_for_it(loop):
    await loop.in_shadow()
    await loop.study()
    await loop.route(3, champion=1, how="undone", left=2)
    await loop.stands(2, "was taken out")

    await loop.answers(10, 0)

    judged = (await loop.judged(3))[2]
    assert (judged.model_version_id, judged.step) == ("fashion/model/3", 1)
    await loop.nothing_more(3)


async def test_manual_approval_holds_the_first_version_and_a_challenger(loop):
    await loop.apply(approval=PromotionPolicy.APPROVAL_MANUAL)
    await loop.committed(1)
    await loop.study()
    line = await loop.waits_for("promote it, or a newer version replaces it")
    assert line.needs_person
    await loop.nothing_more(0, 1.0)

    first = await loop.promote(1, "looks good")

    assert (first.step, first.verdict, first.person) == (1, PASSED, "test-engineer")
    assert first.reason.startswith("looks good (first version; accuracy 0.900")
    assert any(m.name == "accuracy/imported" for m in first.measurements)
    await loop.handled(await loop.route(1, champion=1, how="first"))
    await loop.study()
    assert (await loop.judged(2))[1].step == 1
    await loop.route(2, champion=1, challenger=2, how="shadow")
    await loop.answers(10, 0)
    await loop.waits_for("better than the champion")
    second = await loop.promote(2)
    assert (second.step, second.person, len(second.label_ids)) == (2, "test-engineer", 10)
    approved = await loop.judgements(3)
    registered = await collect(loop.kafka, ModelVersionRegistered, 2)
    assert approved[0].causes == (registered[0].id,)
    labels = await collect(loop.kafka, LabelAccepted, 10)
    assert {label.id for label in labels} <= set(approved[2].causes)


async def test_a_pass_that_nobody_approves_ends_and_frees_the_way(loop, clock):
    await loop.in_shadow()
    await loop.apply(approval=PromotionPolicy.APPROVAL_MANUAL)
    flags = await loop.answers(10, 0)
    await loop.waits_for("promote it, or it is rejected at")
    clock.ahead = timedelta(hours=20)
    await loop.pause()
    clock.ahead = timedelta(hours=40)
    await loop.resume()
    await loop.nothing_more(2, 0.5)

    clock.ahead = timedelta(hours=45)

    event = (await loop.judgements(3))[2]
    assert (event.message.judgement.step, event.message.judgement.verdict) == (2, REJECTED)
    assert event.message.judgement.reason.startswith("DEADLINE: nobody approved it for 1 day")
    assert len(event.causes) > len(flags)


async def test_a_version_under_approval_meets_the_champion_that_a_person_chose_instead(loop):
    await loop.apply(approval=PromotionPolicy.APPROVAL_MANUAL)
    await loop.study()
    await loop.waits_for("fashion/model/1: first version")
    await loop.study()
    await loop.waits_for("fashion/model/2: first version")
    await loop.promote(1)

    await loop.route(1, champion=1, how="first")

    again = (await loop.judged(3))[2]
    assert (again.model_version_id, again.champion_model_version_id) == ("fashion/model/2", "fashion/model/1")
    assert (again.step, again.verdict) == (1, PASSED)


async def test_after_a_rollback_what_had_passed_meets_the_champion_that_came_back(loop):
    await loop.in_shadow()
    await loop.handled(await loop.route(3, champion=2, how="finished", left=1))
    await loop.study()
    assert (await loop.judged(3))[2].champion_model_version_id == "fashion/model/2"

    await loop.route(4, champion=1, how="rolled back", left=2, barred=[2])

    again = (await loop.judged(4))[3]
    assert (again.model_version_id, again.champion_model_version_id) == ("fashion/model/3", "fashion/model/1")
    assert (await loop.status(1)).standing == "serves"
    assert list((await loop.status(1)).aliases) == ["champion"]
    assert (await loop.status(2)).standing == "was champion, barred by a rollback"


async def test_a_person_overrules_the_gate(loop):
    await loop.champion()
    await loop.study(right=60)
    assert (await loop.judged(2))[1].verdict == REJECTED

    judged = await loop.promote(2, "the old camera is gone")

    assert (judged.step, judged.verdict, judged.person) == (2, PASSED, "test-engineer")
    assert judged.reason == "the old camera is gone (overruled)"
    event = (await loop.judgements(3))[2]
    assert event.message.judgement == judged
    assert event.causes == ((await collect(loop.kafka, ModelVersionRegistered, 2))[1].id,)


async def test_aliases_follow_the_route_and_an_older_one_never_overwrites(loop):
    await loop.in_shadow()
    await loop.route(4, champion=2, how="finished", left=1)
    await loop.route(3, champion=1, challenger=2, how="canary")
    moved = await collect(loop.kafka, AliasMoved, 4)

    told = [(e.message.alias, e.message.model_version_id, e.message.route_revision) for e in moved]

    assert told == [
        ("champion", "fashion/model/1", 1),
        ("challenger", "fashion/model/2", 2),
        ("champion", "fashion/model/2", 4),
        ("challenger", "", 4),
    ]
    assert moved[2].message.previous_model_version_id == "fashion/model/1"
    await loop.study()
    await loop.judged(3)
    assert list((await loop.status(2)).aliases) == ["champion"]
    assert list((await loop.status(1)).aliases) == []


async def test_a_redelivered_route_moves_nothing_twice(loop):
    await loop.champion()
    (event,) = await collect(loop.kafka, RouteChanged, 1)
    await publish(loop.kafka, event.message, id=event.id)
    await publish(loop.kafka, event.message)
    await loop.route(2, champion=1, challenger=2, how="shadow")

    moved = await collect(loop.kafka, AliasMoved, 2)

    assert [e.message.route_revision for e in moved] == [1, 2]
