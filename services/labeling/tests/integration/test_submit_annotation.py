"""SubmitAnnotation: success, each refusal, and the repeated request."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from labeling_world import AUDIT, DISAGREEMENT, SELECTED, flag, project, refused, submission

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import label_task_pb2
from relearn_labeling import jobs
from relearn_labeling.store import Transaction
from relearn_runtime import Store, database, new_id
from relearn_runtime.testing import eventually

FAILED, INVALID = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT
State = label_task_pb2.LabelTask


async def test_the_last_answer_accepts_the_label_of_the_majority_and_tells_what_it_rests_on(clothes):
    flag_event = await clothes.flag(flag("flag-1", AUDIT))
    await eventually(lambda: clothes.knows("flag-1"))

    states = [
        (await clothes.answer(a, text)).task_state for a, text in [("ann", "boot"), ("ben", "bag"), ("cat", "boot")]
    ]

    assert states == [State.STATE_OPEN, State.STATE_OPEN, State.STATE_ACCEPTED]
    answers = await clothes.collect(events_pb.AnnotationSubmitted, 3)
    (accepted,) = await clothes.collect(events_pb.LabelAccepted, 1)
    ids = [event.message.annotation.annotation_id for event in answers]
    assert [event.id for event in answers] == ids
    assert list(accepted.message.label.annotation_ids) == [ids[0], ids[2]]
    assert accepted.causes == (flag_event, *ids)
    assert (accepted.message.label.regions[0].label, accepted.message.label.answers) == ("boot", 3)
    assert [one.flag_id for one in accepted.message.flags] == ["flag-1"]
    assert [event.message.annotation.annotator for event in answers] == ["ann", "ben", "cat"]


async def test_answers_without_a_majority_close_the_task_as_disputed(clothes):
    await clothes.flagged(flag("flag-1", AUDIT))

    for annotator, text in [("ann", "boot"), ("ben", "bag"), ("cat", "shirt")]:
        last = await clothes.answer(annotator, text)

    (closed,) = await clothes.collect(events_pb.LabelTaskClosed, 1)
    assert last.task_state == State.STATE_DISPUTED
    assert (closed.message.reason, closed.message.label_task.answers) == ("DISPUTED", 3)
    assert len(closed.causes) == 4


async def test_the_same_request_gets_the_same_answer_and_is_counted_once(clothes):
    await clothes.flagged(flag("flag-1"))
    task_id, request_id = (await clothes.next_task("ann")).label_task.label_task_id, new_id()

    first = await clothes.submit("ann", task_id, "boot", request_id=request_id)
    again = await clothes.submit("ann", task_id, "boot", request_id=request_id)

    assert again == first
    assert await clothes.sql("select sum(answers) from answer_days") == [(1,)]
    assert await clothes.sql("select count(*) from annotations") == [(1,)]
    async with refused(INVALID, "REQUEST_ID_REUSED"):
        await clothes.submit("ann", task_id, "bag", request_id=request_id)


async def test_who_holds_no_lease_is_refused(clothes):
    await clothes.flagged(flag("flag-1", AUDIT))
    task_id = (await clothes.next_task("ann")).label_task.label_task_id

    async with refused(FAILED, "TASK_NOT_ASSIGNED"):
        await clothes.submit("ben", task_id, "boot")
    async with refused(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"):
        await clothes.submit("ann", "no-task", "boot")


async def test_an_answer_after_the_lease_ran_out_is_refused_as_such_whoever_has_the_slot(clothes):
    await clothes.flagged(flag("flag-1"))
    task_id = (await clothes.next_task("ann")).label_task.label_task_id
    clothes.clock.advance(seconds=121)

    async with refused(FAILED, "LEASE_EXPIRED"):
        await clothes.submit("ann", task_id, "boot")
    await clothes.next_task("ben")
    async with refused(FAILED, "LEASE_EXPIRED"):
        await clothes.submit("ann", task_id, "boot")
    await clothes.submit("ben", task_id, "boot")
    async with refused(FAILED, "TASK_CLOSED"):
        await clothes.submit("ann", task_id, "boot")


@pytest.mark.parametrize(
    ("regions", "reason"),
    [
        ([], "NO_REGION"),
        ([label_task_pb2.Region(label="boot")], "NO_REGION"),
        ([label_task_pb2.Region(whole=label_task_pb2.Whole(), label="boot")] * 2, "TOO_MANY_REGIONS"),
        ([label_task_pb2.Region(whole=label_task_pb2.Whole(), label="hat")], "NOT_IN_LABEL_SET"),
    ],
)
async def test_an_answer_that_is_no_class_of_the_whole_sample_is_refused(clothes, regions, reason):
    await clothes.flagged(flag("flag-1"))
    task_id = (await clothes.next_task("ann")).label_task.label_task_id

    async with refused(INVALID, reason):
        await clothes.submit("ann", task_id, "", regions=regions)
    assert (await clothes.submit("ann", task_id, "boot")).task_state == State.STATE_ACCEPTED


async def test_a_time_spent_beyond_an_hour_and_a_request_without_an_id_are_refused(clothes):
    await clothes.flagged(flag("flag-1"))
    request = submission((await clothes.next_task("ann")).label_task.label_task_id, "boot")

    request.time_spent.FromTimedelta(timedelta(hours=2))
    async with refused(INVALID, "INVALID_INPUT"):
        await clothes.stub("ann").SubmitAnnotation(request)
    request.time_spent.FromTimedelta(timedelta(seconds=3))
    request.request_id = ""
    async with refused(INVALID, "INVALID_REQUEST_ID"):
        await clothes.stub("ann").SubmitAnnotation(request)


async def test_a_cap_that_was_lowered_after_the_lease_holds(labeling):
    await labeling.apply(project(answers_per_day=5))
    await labeling.flagged(flag("flag-1"), flag("flag-2", SELECTED, sample="b"))
    await labeling.answer("ann", "boot")
    task_id = (await labeling.next_task("ann")).label_task.label_task_id

    await labeling.apply(project(revision=2, answers_per_day=1))

    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "ANSWERS_PER_DAY"):
        await labeling.submit("ann", task_id, "boot")


async def test_a_task_that_waits_for_nobody_is_decided_by_the_answers_there_are(labeling):
    await labeling.apply(project(patience_s=600))
    await labeling.flagged(flag("one", AUDIT), flag("two", AUDIT, sample="b"), flag("none", AUDIT, sample="c"))
    await labeling.flagged(flag("broken", DISAGREEMENT, sample="d"))
    await labeling.answer("ann", "boot")  # "d", which is settled first and can't be
    await labeling.sql("update flags set content = '\\xff' where flag_id = 'broken'")
    await labeling.answer("ann", "boot")  # "a"
    await labeling.answer("ann", "boot")  # "b"
    returned = (await labeling.next_task("ben")).label_task.label_task_id  # "d"
    await labeling.release("ben", returned)
    await labeling.answer("ben", "bag")  # "a"
    await labeling.answer("ben", "boot")  # "b"
    assert await labeling.task_state("a") == "open"

    labeling.clock.advance(seconds=601)

    (accepted,) = await labeling.collect(events_pb.LabelAccepted, 1)
    (closed,) = await labeling.collect(events_pb.LabelTaskClosed, 1)
    assert (accepted.message.label.sample_id, accepted.message.label.answers) == ("clothes/sample/b", 2)
    assert closed.message.label_task.sample_id == "clothes/sample/a"
    assert await labeling.task_state("c") == "open"
    assert await labeling.task_state("d") == "open"


async def test_a_task_that_somebody_gave_back_is_not_held_open_by_them(labeling):
    await labeling.apply(project(patience_s=600))
    await labeling.flagged(flag("flag-1", DISAGREEMENT), flag("flag-2", SELECTED, sample="b"))
    await labeling.answer("ann", "boot")
    await labeling.release("ben", (await labeling.next_task("ben")).label_task.label_task_id)
    labeling.clock.advance(seconds=599)
    await labeling.answer("ben", "bag")  # "b": ben works on

    labeling.clock.advance(seconds=2)

    await eventually(lambda: is_accepted(labeling))


async def test_a_task_waits_on_while_somebody_who_could_answer_is_around_though_the_cap_refuses_them(labeling):
    await labeling.apply(project(patience_s=600, answers_per_day=1))
    await labeling.flagged(flag("flag-1", AUDIT))
    await labeling.answer("ann", "boot")
    labeling.clock.advance(seconds=500)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "ANSWERS_PER_DAY"):
        await labeling.next_task("ben")

    labeling.clock.advance(seconds=200)  # the task is untouched for 700 s, ben was there 200 s ago
    await settle_abandoned_tasks(labeling)
    assert await labeling.task_state("a") == "open"

    labeling.clock.advance(seconds=401)
    await eventually(lambda: is_accepted(labeling))


async def settle_abandoned_tasks(labeling) -> None:
    """One pass of the job."""
    store = Store(database(labeling.database_url), Transaction)
    await jobs.settle_abandoned_tasks(store, new_id=new_id, now=labeling.clock)
    await store.database.close()


async def is_accepted(labeling) -> bool:
    return await labeling.task_state("a") == "accepted"
