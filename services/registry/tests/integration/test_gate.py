"""The gate in front of traffic, told by real events in any order."""

from datetime import timedelta

import pytest

from relearn.labeling.v1.events_pb2 import LabelAccepted
from relearn.operations.v1.operations_service_pb2 import ListParkedEventsRequest
from relearn.registry.v1.events_pb2 import ModelVersionRegistered
from relearn.registry.v1.model_version_pb2 import Judgement
from relearn.registry.v1.project_pb2 import PromotionPolicy
from relearn.serving.v1.events_pb2 import RouteChanged
from relearn_runtime.testing import collect, eventually, publish

PASSED, REJECTED, UNDECIDED = (
    Judgement.VERDICT_PASSED,
    Judgement.VERDICT_REJECTED,
    Judgement.VERDICT_UNDECIDED,
)


async def test_a_challenger_is_compared_with_the_champion_on_its_samples(loop):
    await loop.champion()
    await loop.committed(2)

    await loop.study(right=89, dataset=2)

    _, judged = await loop.judged(2)
    assert (judged.step, judged.verdict) == (1, PASSED)
    assert judged.champion_model_version_id == "fashion/model/1"
    difference = next(m for m in judged.measurements if m.name == "difference/imported")
    assert difference.value == pytest.approx(-0.01)
    assert difference.samples == 100


async def test_a_challenger_clearly_worse_never_reaches_the_shadow(loop):
    await loop.champion()

    await loop.study(right=60)

    _, judged = await loop.judged(2)
    assert judged.verdict == REJECTED
    assert "difference/imported" in judged.reason


async def test_disagreements_settled_for_the_challenger_let_it_pass(loop):
    await loop.in_shadow()

    await loop.answers(10, 0)

    judged = (await loop.judged(3))[2]
    assert (judged.step, judged.verdict, judged.look) == (2, PASSED, 1)
    assert list(judged.label_ids) == [f"label-of-flag-1-2-{i}" for i in range(1, 11)]
    p = next(m for m in judged.measurements if m.name == "sign_test/p_value")
    assert (p.value, p.limit) == (pytest.approx(0.5**10), 0.025)


async def test_a_verdict_names_the_version_the_route_and_the_labels_it_came_from(loop, make_disagreement):
    await loop.in_shadow()
    compared = await loop.compared(asked=10)
    await loop.handled(compared)
    flags = [make_disagreement(i) for i in range(1, 11)]

    told = [await loop.accepted(flag, "shirt") for flag in flags]

    _, step_one, step_two = await loop.judgements(3)
    registered = await collect(loop.kafka, ModelVersionRegistered, 2)
    routes = await collect(loop.kafka, RouteChanged, 2)
    assert step_one.causes == (registered[1].id, routes[0].id)
    assert set(step_two.causes) == {routes[1].id, compared, *told}


async def test_the_same_verdict_comes_from_the_same_events_in_another_order(loop, make_disagreement):
    """Labels first, then the comparison, flags, what it was trained on, and the route last."""
    flags = [make_disagreement(i) for i in range(1, 11)]
    await loop.apply()
    for flag in reversed(flags):
        await loop.accepted(flag, "shirt")
    await loop.compared(asked=10)
    for flag in flags:
        await loop.flagged(flag)
    await loop.champion()
    await loop.study(dataset=2)
    await loop.judged(2)
    await loop.route(2, champion=1, challenger=2, how="shadow")
    await loop.waits_for("are not all known yet")

    await loop.committed(2)

    judged = (await loop.judged(3))[2]
    assert (judged.verdict, judged.look, len(judged.label_ids)) == (PASSED, 1, 10)
    assert next(m for m in judged.measurements if m.name == "shadow/pairs").value == 1000


async def test_a_redelivered_label_counts_once(loop, make_disagreement):
    await loop.in_shadow()
    flag = make_disagreement(1)
    first = await loop.accepted(flag, "shirt")

    (event,) = await collect(loop.kafka, LabelAccepted, 1)
    await publish(loop.kafka, event.message, id=first)
    again = await publish(loop.kafka, event.message)
    await loop.handled(again, await loop.flagged(flag))

    line = await loop.waits_for("1 of 10 disagreements settled")
    assert line.progress == pytest.approx(0.1)
    assert "1 for it, 0 for the champion" in line.waits_for


async def test_an_older_outcome_of_a_task_never_replaces_a_newer(loop, make_disagreement):
    await loop.in_shadow()
    flag = make_disagreement(1)

    await loop.accepted(flag, "shirt", revision=2)
    older = await loop.disputed(flag, revision=1)
    await loop.handled(older, await loop.disputed(make_disagreement(2)))

    line = await loop.waits_for("2 of 10 disagreements settled")
    assert "1 for it, 0 for the champion" in line.waits_for


async def test_a_disputed_disagreement_is_settled_and_counts_for_neither(loop, make_disagreement):
    await loop.in_shadow()
    await loop.answers(8, 0)

    for number in (9, 10):
        await loop.disputed(make_disagreement(number))

    judged = (await loop.judged(3))[2]
    assert judged.verdict == PASSED
    assert next(m for m in judged.measurements if m.name == "sign_test/disputed").value == 2


async def test_labels_the_challenger_was_trained_on_never_count(loop, make_disagreement):
    """The tasks of eight samples had labels that dataset version 2 took in; they are told again for the new flag."""
    await loop.champion()
    await loop.committed(2, *(f"label-of-flag-1-2-{i}" for i in range(1, 9)))
    await loop.study(dataset=2)
    await loop.judged(2)
    await loop.route(2, champion=1, challenger=2, how="shadow")

    await loop.answers(10, 0)

    judged = (await loop.judged(3))[2]
    assert judged.verdict == UNDECIDED
    assert list(judged.label_ids) == ["label-of-flag-1-2-9", "label-of-flag-1-2-10"]
    assert next(m for m in judged.measurements if m.name == "sign_test/trained_on").value == 8


async def test_a_better_label_of_a_sample_that_was_trained_on_does_not_count_either(loop, make_disagreement):
    await loop.champion()
    await loop.committed(2, "first-answer")
    await loop.study(dataset=2)
    await loop.judged(2)
    await loop.route(2, champion=1, challenger=2, how="shadow")
    flag = make_disagreement(1)

    await loop.accepted(flag, "coat", label_id="first-answer", revision=1)
    await loop.handled(await loop.accepted(flag, "shirt", label_id="second-answer", revision=2))

    line = await loop.waits_for("1 of 10 disagreements settled")
    assert "0 for it, 0 for the champion" in line.waits_for


async def test_labels_of_later_dataset_versions_count(loop):
    await loop.in_shadow()
    await loop.committed(3, *(f"label-of-flag-1-2-{i}" for i in range(1, 11)))

    await loop.answers(10, 0)

    assert (await loop.judged(3))[2].verdict == PASSED


async def test_an_undecided_look_asks_for_more_and_the_last_one_decides(loop):
    await loop.in_shadow()
    await loop.answers(7, 3)
    first = (await loop.judged(3))[2]
    assert (first.verdict, first.look) == (UNDECIDED, 1)

    await loop.answers(9, 1, first=11)

    last = (await loop.judged(4))[3]
    assert (last.verdict, last.look, len(last.label_ids)) == (PASSED, 2, 20)  # 16 of 20: p = 0.006


async def test_a_last_look_that_shows_nothing_rejects(loop):
    await loop.in_shadow()
    await loop.answers(7, 3)
    await loop.judged(3)

    await loop.answers(4, 6, first=11)

    last = (await loop.judged(4))[3]
    assert (last.verdict, last.look) == (REJECTED, 2)


@pytest.mark.parametrize(
    ("requirement", "stop", "verdict"),
    [
        (PromotionPolicy.REQUIREMENT_BETTER, "TOO_FEW_DISAGREEMENTS", REJECTED),
        (PromotionPolicy.REQUIREMENT_NOT_WORSE, "TOO_FEW_DISAGREEMENTS", PASSED),
        (PromotionPolicy.REQUIREMENT_BETTER, "BUDGET_EXHAUSTED", REJECTED),
    ],
)
async def test_a_shadow_that_asks_no_more_ends_step_two(loop, requirement, stop, verdict):
    await loop.apply(requirement=requirement)
    await loop.in_shadow()

    await loop.compared(stop=stop, asked=3, revision=2)
    await loop.compared(stop="", asked=3, revision=1)

    judged = (await loop.judged(3))[2]
    assert (judged.step, judged.verdict) == (2, verdict)
    assert judged.reason.startswith(stop)


async def test_the_deadline_rejects_by_itself(loop, clock):
    await loop.in_shadow()
    await loop.nothing_more(2, 0.5)

    clock.ahead = timedelta(hours=25)

    event = (await loop.judgements(3))[2]
    assert event.message.judgement.verdict == REJECTED
    assert event.message.judgement.reason.startswith("DEADLINE: undecided for 1 day")
    assert event.causes == ((await collect(loop.kafka, RouteChanged, 2))[1].id,)


async def test_a_paused_project_judges_nothing_until_it_is_resumed(loop):
    await loop.apply()
    await loop.pause()
    await loop.study()
    await loop.registered(1)
    await loop.nothing_more(0)

    await loop.resume()

    assert (await loop.judged(1))[0].verdict == PASSED


async def test_a_shadow_gets_the_time_of_a_pause_back(loop, clock):
    await loop.in_shadow()
    await loop.stands(2, "0 of 10 disagreements settled")
    await loop.pause()
    clock.ahead = timedelta(hours=20)
    await loop.apply(max_loss=0.1)  # a policy that changes in the pause does not shorten it
    clock.ahead = timedelta(hours=26)
    await loop.nothing_more(2, 0.5)

    await loop.resume()

    await loop.nothing_more(2, 1.0)
    await loop.answers(10, 0)
    assert (await loop.judged(3))[2].verdict == PASSED


async def test_a_champion_that_can_not_be_compared_with_does_not_block_what_follows(loop):
    await loop.apply()
    broken = loop.finished_study()
    broken.files[0].CopyFrom(broken.files[1])
    broken.files[0].name = "validation.parquet"
    await publish(loop.kafka, broken)
    await loop.judged(1)
    await loop.promote(1, "its numbers are in another file")
    await loop.handled(await loop.route(1, champion=1, how="first"))

    await loop.study()

    judged = (await loop.judged(3))[2]
    assert (judged.model_version_id, judged.verdict) == ("fashion/model/2", PASSED)
    assert judged.reason.startswith("no validation sample to compare on: the champion's validation.parquet")


async def test_a_champion_whose_file_is_away_is_waited_for_and_why_says_so(loop):
    await loop.champion()
    path = loop.objects / "models/fashion/1/validation.parquet"
    right = path.read_bytes()
    path.unlink()

    await loop.study()

    assert (await loop.waits_for("models/fashion/1/validation.parquet is not in object storage")).needs_person
    path.write_bytes(right)
    assert (await loop.judged(2))[1].verdict == PASSED


async def test_a_disagreement_without_a_place_is_parked(loop, make_disagreement):
    await loop.apply()
    flag = make_disagreement(1)
    flag.disagreement.number = 0

    await loop.flagged(flag)

    async def there():
        return (await loop.operations.ListParkedEvents(ListParkedEventsRequest())).parked_events

    (row,) = await eventually(there)
    assert row.reason == "INVALID_DISAGREEMENT"
