"""NextTask and ReleaseTask: who gets which task."""

from __future__ import annotations

from datetime import timedelta

import grpc
from labeling_world import AUDIT, CLASSES, DISAGREEMENT, SELECTED, flag, project, refused

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_runtime import new_id

FAILED, EXHAUSTED = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED


def sample_of(response: pb.NextTaskResponse) -> str:
    return response.label_task.sample_id.removeprefix("clothes/sample/")


async def test_the_most_valuable_task_comes_first_and_the_older_one_among_equals(clothes):
    await clothes.flagged(
        flag("1", AUDIT, sample="everyday"),
        flag("2", SELECTED, sample="selected"),
        flag("3", SELECTED, sample="selected-later"),
        flag("4", AUDIT, sample="alert", alert="alert-1"),
        flag("5", DISAGREEMENT, sample="disagreement"),
    )

    order = []
    for _ in range(5):
        task = await clothes.next_task("ann")
        order.append(sample_of(task))
        await clothes.submit("ann", task.label_task.label_task_id, "boot")

    assert order == ["alert", "disagreement", "selected", "selected-later", "everyday"]


async def test_an_annotator_sees_neither_flags_nor_what_a_model_answered(clothes):
    await clothes.flagged(flag("1", AUDIT))

    response = await clothes.next_task("ann")

    assert list(response.label_task.flags) == []
    assert "boot" not in response.label_task.why
    assert response.label_task.why
    assert tuple(response.classes) == CLASSES
    left = response.lease_expire_time.ToDatetime() - clothes.clock().replace(tzinfo=None)
    assert timedelta(seconds=100) < left <= timedelta(seconds=120)


async def test_asking_again_gives_the_task_in_hand_with_the_same_expiry(clothes):
    await clothes.flagged(flag("1"), flag("2", sample="b"))

    first, again = await clothes.next_task("ann"), await clothes.next_task("ann")

    assert again == first


async def test_a_page_that_lists_what_it_holds_is_given_more_until_its_hands_are_full(clothes):
    await clothes.flagged(*(flag(f"{n}", sample=f"{n}") for n in range(5)))

    held: list[str] = []
    for _ in range(3):
        held.append((await clothes.next_task("ann", known=held)).label_task.label_task_id)

    assert len(set(held)) == 3
    assert (await clothes.next_task("ann", known=held)).none_reason == "HANDS_FULL"
    await clothes.submit("ann", held[0], "boot")
    assert (await clothes.next_task("ann", known=held[1:])).label_task.label_task_id not in held


async def test_a_page_that_was_reloaded_is_given_the_same_tasks_in_the_same_order(clothes):
    await clothes.flagged(*(flag(f"{n}", sample=f"{n}") for n in range(4)))
    held, again = list[str](), list[str]()
    for _ in range(3):
        held.append((await clothes.next_task("ann", known=held)).label_task.label_task_id)

    for _ in range(3):
        again.append((await clothes.next_task("ann", known=again)).label_task.label_task_id)

    assert again == held


async def test_a_lease_is_renewed_while_it_lives_by_whoever_holds_it(clothes):
    await clothes.flagged(flag("1"))
    request = pb.RenewLeaseRequest(label_task_id=(await clothes.next_task("ann")).label_task.label_task_id)
    clothes.clock.advance(seconds=100)

    renewed = await clothes.stub("ann").RenewLease(request)

    assert renewed.lease_expire_time.ToDatetime() > clothes.clock().replace(tzinfo=None) + timedelta(seconds=100)
    clothes.clock.advance(seconds=100)
    await clothes.stub("ann").RenewLease(request)
    async with refused(FAILED, "TASK_NOT_ASSIGNED"):
        await clothes.stub("ben").RenewLease(request)
    clothes.clock.advance(seconds=121)
    async with refused(FAILED, "LEASE_EXPIRED"):
        await clothes.stub("ann").RenewLease(request)
    async with refused(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"):
        await clothes.stub("ann").RenewLease(pb.RenewLeaseRequest(label_task_id="none"))


async def test_a_task_that_two_annotators_can_not_answer_closes_and_the_reasons_are_kept(clothes):
    await clothes.flagged(flag("1"))

    for annotator in ("ann", "ben"):
        task_id = (await clothes.next_task(annotator)).label_task.label_task_id
        request = pb.ReleaseTaskRequest(
            label_task_id=task_id, request_id=new_id(), reason=pb.SKIP_REASON_UNUSABLE, comment="all black"
        )
        await clothes.stub(annotator).ReleaseTask(request)

    (closed,) = await clothes.collect(events_pb.LabelTaskClosed, 1)
    assert (closed.message.reason, [one.flag_id for one in closed.message.flags]) == ("UNANSWERABLE", ["1"])
    assert await clothes.task_state() == "disputed"
    kept = await clothes.sql("select annotator, reason, comment from skips order by annotator")
    assert kept == [("ann", "unusable", "all black"), ("ben", "unusable", "all black")]
    request.comment, request.request_id = "x" * 1001, new_id()
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_SKIP"):
        await clothes.stub("ben").ReleaseTask(request)


async def test_an_annotator_gets_no_more_than_their_own_answers_of_a_day(labeling):
    await labeling.apply(project(answers_per_annotator=2))
    await labeling.flagged(*(flag(f"{n}", sample=f"{n}") for n in range(4)))
    await labeling.answer("ann", "boot")
    held = (await labeling.next_task("ann")).label_task.label_task_id

    async with refused(EXHAUSTED, "ANSWERS_PER_ANNOTATOR"):
        await labeling.next_task("ann", known=[held])
    await labeling.submit("ann", held, "boot")
    async with refused(EXHAUSTED, "ANSWERS_PER_ANNOTATOR"):
        await labeling.next_task("ann")
    assert (await labeling.answer("ben", "boot")).annotation.annotator == "ben"


async def test_there_is_no_task_in_a_project_without_flags(clothes):
    response = await clothes.next_task("ann")

    assert (response.HasField("label_task"), response.none_reason) == (False, "NO_OPEN_TASK")


async def test_there_is_no_task_when_all_slots_are_leased(clothes):
    await clothes.flagged(flag("1"))
    await clothes.next_task("ann")

    assert (await clothes.next_task("ben")).none_reason == "ALL_LEASED_OR_ANSWERED_BY_YOU"


async def test_an_annotator_is_never_asked_twice_about_one_sample(clothes):
    await clothes.flagged(flag("1", AUDIT))
    await clothes.answer("ann", "boot")

    assert (await clothes.next_task("ann")).none_reason == "ALL_LEASED_OR_ANSWERED_BY_YOU"
    assert sample_of(await clothes.next_task("ben")) == "a"


async def test_an_unknown_project_is_refused(clothes):
    async with refused(grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await clothes.next_task("ann", name="shoes")


async def test_tasks_of_another_project_are_never_handed_out(clothes):
    await clothes.apply(project("shoes"))
    await clothes.flagged(flag("1", name="shoes"))

    assert (await clothes.next_task("ann")).none_reason == "NO_OPEN_TASK"
    assert (await clothes.next_task("ann", name="shoes")).label_task.project_id == "shoes"


async def test_a_lease_that_ran_out_goes_to_another(clothes):
    await clothes.flagged(flag("1"))
    await clothes.next_task("ann")

    clothes.clock.advance(seconds=121)

    assert sample_of(await clothes.next_task("ben")) == "a"


async def test_who_let_a_lease_run_out_may_take_the_task_again(clothes):
    await clothes.flagged(flag("1"), flag("2", sample="b"))
    first = await clothes.next_task("ann")
    clothes.clock.advance(seconds=121)

    again = await clothes.next_task("ann")

    assert again.label_task.label_task_id == first.label_task.label_task_id
    assert again.lease_expire_time.ToDatetime() > first.lease_expire_time.ToDatetime()


async def test_the_cap_counts_leases_and_answers_of_the_utc_day_and_tasks_wait_beyond_it(labeling):
    await labeling.apply(project(answers_per_day=2))
    await labeling.flagged(flag("1"), flag("2", sample="b"), flag("3", sample="c"))
    await labeling.answer("ann", "boot")
    await labeling.next_task("ann")

    async with refused(EXHAUSTED, "ANSWERS_PER_DAY"):
        await labeling.next_task("ben")
    in_hand = await labeling.next_task("ann")
    await labeling.submit("ann", in_hand.label_task.label_task_id, "bag")
    async with refused(EXHAUSTED, "ANSWERS_PER_DAY"):
        await labeling.next_task("ann")

    labeling.clock.advance(days=1)

    assert sample_of(await labeling.next_task("ann")) == "c"


async def test_a_lease_that_ran_out_gives_its_answer_of_the_day_back(labeling):
    await labeling.apply(project(answers_per_day=1, lease_s=1))
    await labeling.flagged(flag("1"), flag("2", sample="b"))
    await labeling.next_task("ann")

    labeling.clock.advance(seconds=2)

    assert sample_of(await labeling.next_task("ben")) == "a"


async def test_a_released_task_is_free_for_others_and_last_for_who_gave_it_back(clothes):
    await clothes.flagged(flag("1"), flag("2", sample="b"))
    task = (await clothes.next_task("ann")).label_task

    await clothes.release("ann", task.label_task_id)

    assert sample_of(await clothes.next_task("ann")) == "b"
    assert sample_of(await clothes.next_task("ben")) == "a"


async def test_releasing_a_task_again_with_the_same_request_id_changes_nothing(clothes):
    await clothes.flagged(flag("1"))
    task, request_id = (await clothes.next_task("ann")).label_task, new_id()
    await clothes.release("ann", task.label_task_id, request_id)
    await clothes.next_task("ann")

    await clothes.release("ann", task.label_task_id, request_id)

    assert (await clothes.next_task("ben")).none_reason == "ALL_LEASED_OR_ANSWERED_BY_YOU"


async def test_only_its_holder_releases_a_task(clothes):
    await clothes.flagged(flag("1"))
    task = (await clothes.next_task("ann")).label_task

    async with refused(FAILED, "TASK_NOT_ASSIGNED"):
        await clothes.release("ben", task.label_task_id)
    async with refused(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"):
        await clothes.release("ann", "no-task")


async def test_a_paused_project_still_has_its_human_work_done(labeling):
    await labeling.apply(project())
    await labeling.apply(project(revision=2, paused=True))
    await labeling.flagged(flag("1"))

    assert (await labeling.answer("ann", "boot")).task_state == 2
