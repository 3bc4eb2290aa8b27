"""Eight annotators at once: no slot is given twice, no free slot is overlooked."""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc
from labeling_world import AUDIT, CLASSES, DISAGREEMENT, SELECTED, flag, project

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_runtime.testing import eventually

ANNOTATORS = [f"annotator-{i}" for i in range(8)]


async def test_eight_annotators_who_ask_at_the_same_moment_get_exactly_the_free_slots(labeling):
    await labeling.apply(project(overlap_audit=3, overlap_selected=2))
    await labeling.flagged(flag("flag-1", AUDIT), flag("flag-2", SELECTED, sample="b"))

    given = await asyncio.gather(*(labeling.next_task(annotator) for annotator in ANNOTATORS))

    samples = Counter(one.label_task.sample_id for one in given if one.HasField("label_task"))
    assert samples == {"clothes/sample/a": 3, "clothes/sample/b": 2}
    slots = await labeling.sql("select label_task_id, slot from leases where ended is null")
    assert len(slots) == len(set(slots)) == 5


async def test_one_annotator_who_asks_eight_times_at_once_holds_one_lease(clothes):
    await clothes.flagged(*(flag(f"flag-{i}", sample=f"{i}") for i in range(3)))

    given = await asyncio.gather(*(clothes.next_task("ann") for _ in range(8)))

    assert len({one.label_task.label_task_id for one in given}) == 1
    assert await clothes.sql("select count(*) from leases where ended is null") == [(1,)]


async def test_eight_annotators_at_work_while_flags_join_answer_every_slot_once_within_the_cap(labeling):
    cap = 70
    await labeling.apply(project(answers_per_day=cap, overlap_disagreement=5))
    streams = (SELECTED, AUDIT, DISAGREEMENT)
    flags = [flag(f"flag-{i}", streams[i % 3], sample=f"{i % 20}") for i in range(60)]

    async def flag_all() -> None:
        for one in flags:
            await labeling.flag(one)

    answered = 0

    async def work(annotator: str, number: int) -> None:
        nonlocal answered
        while answered < cap:  # having no task may also mean that the flags are not consumed yet
            try:
                task = (await labeling.next_task(annotator)).label_task
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                return
            if not task.label_task_id:
                await asyncio.sleep(0.05)
                continue
            await labeling.submit(annotator, task.label_task_id, CLASSES[(number // 3) % 3])
            answered += 1

    async with asyncio.timeout(60):
        await asyncio.gather(flag_all(), *(work(annotator, i) for i, annotator in enumerate(ANNOTATORS)))
    await eventually(lambda: all_flags_are_known(labeling, len(flags)))

    answers = await labeling.sql("select label_task_id, slot, annotator from annotations")
    assert len(answers) == cap == (await labeling.sql("select sum(answers) from answer_days"))[0][0]
    assert len({(task, slot) for task, slot, _ in answers}) == len({(task, who) for task, _, who in answers}) == cap
    counts = await labeling.sql(
        "select t.answers, count(a.annotation_id), t.overlap from label_tasks t"
        " left join annotations a using (label_task_id) group by t.label_task_id"
    )
    assert all(copied == counted <= overlap for copied, counted, overlap in counts)
    assert await labeling.sql("select count(*) from leases where ended is null") == [(0,)]
    assert await labeling.parked() == []
    page = await labeling.stub("eve", "engineer").ListLabelTasks(pb.ListLabelTasksRequest(project_id="clothes"))
    assert page.total == 20


async def all_flags_are_known(labeling, count: int) -> bool:
    return await labeling.sql("select count(*) from flags") == [(count,)]
