"""RequestLabels and AssignTasks: tasks that no flag opened, and tasks for some only."""

from __future__ import annotations

import grpc
from labeling_world import AUDIT, flag, refused

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as service_pb
from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_runtime import new_id
from relearn_runtime.testing import eventually

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


async def test_samples_that_are_asked_for_become_tasks_and_what_has_a_label_already_is_settled(clothes):
    await clothes.flagged(flag("f", sample="labeled"), flag("g", AUDIT, sample="open"))
    await clothes.answer("ann", "boot")

    response = await clothes.request("new", "open", "labeled", "new", reason="for the report")

    assert (response.created, response.joined, response.settled) == (1, 1, 1)
    opened = await clothes.collect(events_pb.LabelTaskOpened, 5)
    asked = {event.message.label_task.sample_id: event.message for event in opened if event.message.label_request_id}
    assert set(asked) == {f"clothes/sample/{sample}" for sample in ("new", "open", "labeled")}
    new = asked["clothes/sample/new"]
    (request,) = new.label_task.requests
    assert (new.flag_id, new.label_request_id, new.created) == ("", request.label_request_id, True)
    assert (request.person, request.reason) == ("mona", "for the report")


async def test_a_request_with_more_answers_reopens_a_task_and_its_label_follows(clothes):
    await clothes.request("a")
    await clothes.answer("ann", "boot")
    assert await clothes.task_state() == "accepted"

    assert (await clothes.request("a", overlap=3)).joined == 1

    for annotator, text in (("ben", "bag"), ("cat", "bag")):
        await clothes.answer(annotator, text)
    first, second = await clothes.collect(events_pb.LabelAccepted, 2)
    assert [first.message.label.regions[0].label, second.message.label.regions[0].label] == ["boot", "bag"]
    assert (second.message.flags, second.causes) != ([], ())


async def test_the_same_request_twice_is_one_whether_by_request_id_or_by_its_own(clothes):
    request = pb.RequestLabelsRequest(
        project_id="clothes",
        sample_ids=["clothes/sample/a"],
        label_request=label_task_pb2.LabelRequest(label_request_id="row-1", value=0.5),
        request_id=new_id(),
    )
    first = await clothes.management().RequestLabels(request)

    assert await clothes.management().RequestLabels(request) == first
    request.request_id = new_id()
    assert (await clothes.management().RequestLabels(request)).joined == 1
    assert await clothes.sql("select label_request_id from label_requests") == [("row-1",)]


async def test_what_can_not_be_asked_for_is_refused(clothes):
    async def ask(**fields):
        request = pb.RequestLabelsRequest(project_id="clothes", sample_ids=["clothes/sample/a"], request_id=new_id())
        request.MergeFrom(pb.RequestLabelsRequest(**fields))
        await clothes.management().RequestLabels(request)

    for wrong in (
        {"sample_ids": ["shoes/sample/a"]},
        {"overlap": 16},
        {"label_request": label_task_pb2.LabelRequest(value=1.5)},
        {"sample_ids": [f"clothes/sample/{n}" for n in range(1000)]},
    ):
        async with refused(INVALID, "INVALID_REQUEST"):
            await ask(**wrong)
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        await clothes.management("ann", "annotator").RequestLabels(pb.RequestLabelsRequest(project_id="clothes"))


async def test_a_task_assigned_to_some_is_handed_to_nobody_else_and_to_them_first(clothes):
    await clothes.request("first")
    await clothes.request("second")
    (task_id,) = (await clothes.sql("select label_task_id from label_tasks where sample_id = 'clothes/sample/second'"))[
        0
    ]
    assign = pb.AssignTasksRequest(label_task_ids=[task_id], annotators=["ben"], request_id=new_id())
    await clothes.management().AssignTasks(assign)

    given = {one: await clothes.next_task(one) for one in ("ann", "ben", "cat")}

    samples = {one: response.label_task.sample_id for one, response in given.items()}
    assert samples == {"ann": "clothes/sample/first", "ben": "clothes/sample/second", "cat": ""}
    assign.annotators[:], assign.request_id = [], new_id()
    await clothes.management().AssignTasks(assign)
    await clothes.release("ben", task_id)
    assert (await clothes.next_task("cat")).label_task.label_task_id == task_id
    async with refused(NOT_FOUND, "TASK_NOT_FOUND"):
        await clothes.management().AssignTasks(pb.AssignTasksRequest(label_task_ids=["none"], request_id=new_id()))


async def test_annotators_see_their_queues_and_their_own_answers_newest_first(clothes):
    await clothes.request("a", "b", "c")
    await clothes.answer("ann", "boot")
    await clothes.answer("ann", "bag")
    stub = clothes.stub("ann")

    (queue,) = (await stub.ListQueues(service_pb.ListQueuesRequest())).queues
    own = await stub.ListOwnAnnotations(service_pb.ListOwnAnnotationsRequest(project_id="clothes", page_size=1))
    token = own.next_page_token
    more = await stub.ListOwnAnnotations(
        service_pb.ListOwnAnnotationsRequest(project_id="clothes", page_size=1, page_token=token)
    )

    assert (queue.project_id, queue.open_tasks, queue.tasks_for_you) == ("clothes", 1, 1)
    assert (queue.answered_today, queue.answers_left_today, queue.tasks_to_review) == (2, 1998, 0)
    assert [one.regions[0].label for one in (*own.annotations, *more.annotations)] == ["bag", "boot"]
    assert more.next_page_token == ""


async def test_a_pace_that_was_measured_moves_new_tasks_of_the_queue(clothes):
    await clothes.sql("insert into paces values ('clothes', 2.5)")

    await clothes.request("a")

    async def known():
        return await clothes.sql("select answer_s from label_tasks") == [(2.5,)]

    await eventually(known)
