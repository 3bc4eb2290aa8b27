"""GetLabelTask, ListLabelTasks and GetWaiting; who may call what."""

from __future__ import annotations

import grpc
from labeling_world import AUDIT, SELECTED, flag, refused

from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.operations.v1 import operations_service_pb2 as operations_pb

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_a_task_is_shown_with_its_flags_answers_and_label(clothes):
    await clothes.flagged(flag("flag-1"))
    task_id = (await clothes.next_task("ann")).label_task.label_task_id
    await clothes.submit("ann", task_id, "boot")

    shown = await clothes.stub("eve", "engineer").GetLabelTask(pb.GetLabelTaskRequest(label_task_id=task_id))

    assert [one.flag_id for one in shown.label_task.flags] == ["flag-1"]
    assert [(one.annotator, one.regions[0].label) for one in shown.annotations] == [("ann", "boot")]
    assert shown.label.annotation_ids == [shown.annotations[0].annotation_id]
    assert "the model said boot" in shown.label_task.why
    async with refused(grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"):
        await clothes.stub("eve", "engineer").GetLabelTask(pb.GetLabelTaskRequest(label_task_id="none"))
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"):
        await clothes.stub("ann").GetLabelTask(pb.GetLabelTaskRequest(label_task_id=task_id))


async def test_tasks_are_listed_newest_first_in_pages_by_state_with_their_number(clothes):
    await clothes.flagged(*(flag(f"flag-{i}", AUDIT, sample=f"{i}") for i in range(4)), flag("s", SELECTED, sample="s"))
    await clothes.answer("ann", "boot")  # the selected one goes first
    stub = clothes.stub("eve", "engineer")

    samples, token = [], ""
    while True:
        request = pb.ListLabelTasksRequest(
            project_id="clothes", state=label_task_pb2.LabelTask.STATE_OPEN, page_size=3, page_token=token
        )
        page = await stub.ListLabelTasks(request)
        samples += [task.sample_id for task in page.label_tasks]
        assert page.total == 4
        if not (token := page.next_page_token):
            break

    assert samples == [f"clothes/sample/{i}" for i in (3, 2, 1, 0)]
    everything = await stub.ListLabelTasks(pb.ListLabelTasksRequest(project_id="clothes"))
    assert (len(everything.label_tasks), everything.total, everything.next_page_token) == (5, 5, "")
    async with refused(INVALID, "INVALID_INPUT"):
        await stub.ListLabelTasks(pb.ListLabelTasksRequest(project_id="clothes", page_size=-1))
    async with refused(INVALID, "INVALID_INPUT"):
        await stub.ListLabelTasks(pb.ListLabelTasksRequest(project_id="clothes", page_token="ä"))
    async with refused(INVALID, "INVALID_INPUT"):
        await stub.ListLabelTasks(pb.ListLabelTasksRequest(project_id="clothes", state=77))
    async with refused(grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await stub.ListLabelTasks(pb.ListLabelTasksRequest(project_id="shoes"))


async def test_labeling_says_what_it_waits_for(clothes):
    async def waiting():
        response = await clothes.operations().GetWaiting(operations_pb.GetWaitingRequest(project_id="clothes"))
        return [(line.waits_for, line.needs_person) for line in response.waiting]

    assert await waiting() == [("flags: no open task; 0 of 2000 answers today", False)]

    await clothes.flagged(flag("flag-1", AUDIT), flag("flag-2"))
    await clothes.answer("ann", "boot")
    await clothes.next_task("ben")

    assert await waiting() == [("1 open task, 1 under lease, 2 answers wanted; 1 of 2000 answers today", True)]
    async with refused(grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await clothes.operations().GetWaiting(operations_pb.GetWaitingRequest(project_id="shoes"))
