"""Eight annotators at once: no slot is given twice, no free slot is overlooked."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import grpc
from labeling_world import (
    AUDIT,
    CLASSES,
    DISAGREEMENT,
    SELECTED,
    Clock,
    World,
    flag,
    project,
    running,
    submission,
)

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_runtime import new_id
from relearn_runtime.testing import collect_all, eventually

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


async def test_two_servers_on_one_database_hold_every_promise_in_any_order_of_calls(postgres_url, kafka, tokens):
    clock, caps = Clock(), {"answers_per_day": 90, "answers_per_annotator": 16, "gold_share": 0.2}
    async with (
        running(postgres_url, kafka, tokens, clock) as one,
        running(postgres_url, kafka, tokens, clock) as other,
    ):
        await one.apply(project(overlap_other=2, tasks_in_hand=2, **caps))
        await one.request(*(f"{n}" for n in range(40)))
        for n in range(4):
            await one.set_gold(f"gold-{n}", "boot")
        told: dict[str, pb.SubmitAnnotationResponse] = {}

        workers = [Annotator(name, [one, other], random.Random(seed), told) for seed, name in enumerate(ANNOTATORS)]
        for _ in range(6):
            await asyncio.gather(*(worker.act(12) for worker in workers))
            clock.advance(seconds=70)
            await one.request(*(f"{n}" for n in range(50)), overlap=3)  # again, and some that are new

        await check_books(one, told, **caps)


class Annotator:
    """Does at random what a page, a retry or somebody hostile would do, by either server."""

    def __init__(self, name: str, worlds: list[World], draw: random.Random, told: dict[str, Any]) -> None:
        self._name, self._worlds, self._draw, self._told = name, worlds, draw, told
        self._held: list[str] = []
        self._sent: list[pb.SubmitAnnotationRequest] = []

    async def act(self, times: int) -> None:
        for _ in range(times):
            do = self._draw.choice(
                [self._take, self._take, self._answer, self._answer, self._again, self._keep, self._drop]
            )
            try:
                await do(self._draw.choice(self._worlds).stub(self._name))
            except grpc.aio.AioRpcError as error:
                if error.code() not in _MAY_BE_REFUSED:
                    raise

    async def _take(self, stub: Any) -> None:
        given = await stub.NextTask(pb.NextTaskRequest(project_id="clothes", label_task_ids=self._held))
        if given.HasField("label_task"):
            self._held.append(given.label_task.label_task_id)

    async def _answer(self, stub: Any) -> None:
        if self._held:
            request = submission(self._held.pop(self._draw.randrange(len(self._held))), self._draw.choice(CLASSES))
            self._sent.append(request)
            await self._send(stub, request)

    async def _again(self, stub: Any) -> None:
        if self._sent:
            await self._send(stub, self._draw.choice(self._sent))

    async def _send(self, stub: Any, request: pb.SubmitAnnotationRequest) -> None:
        response = await stub.SubmitAnnotation(request)
        assert self._told.setdefault(request.request_id, response) == response

    async def _keep(self, stub: Any) -> None:
        if self._held:
            await stub.RenewLease(pb.RenewLeaseRequest(label_task_id=self._draw.choice(self._held)))

    async def _drop(self, stub: Any) -> None:
        if self._held:
            task_id = self._held.pop()
            await stub.ReleaseTask(
                pb.ReleaseTaskRequest(label_task_id=task_id, request_id=new_id(), reason=self._draw.randrange(5))
            )


_MAY_BE_REFUSED = (
    grpc.StatusCode.FAILED_PRECONDITION,  # the lease ran out, the task closed
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
)


async def check_books(world: World, told: dict[str, Any], **caps: Any) -> None:
    """No slot was held twice, no answer is lost or doubled, no cap was exceeded, no label was told twice as new."""
    stored = await world.sql("select annotation_id from annotations union all select annotation_id from gold_turns")
    ids = [id for (id,) in stored if id is not None]
    assert sorted(ids) == sorted({response.annotation.annotation_id for response in told.values()})
    days = dict(await world.sql("select annotator, answers from answer_days"))
    assert sum(days.values()) == len(ids) <= caps["answers_per_day"]
    assert max(days.values()) <= caps["answers_per_annotator"]
    counts = await world.sql(
        "select t.answers, count(a.annotation_id), count(distinct a.slot), count(distinct a.annotator), t.overlap"
        " from label_tasks t left join annotations a using (label_task_id) group by t.label_task_id"
    )
    assert all(copied == slots == people == given <= overlap for copied, given, slots, people, overlap in counts)
    await eventually(lambda: all_told(world), deadline_s=60)
    events = await collect_all(world.kafka, events_pb.LabelAccepted)
    labels = Counter(event.message.label.label_id for event in events if not event.message.repeated_for_flag)
    assert labels == Counter(id for (id,) in await world.sql("select label_id from labels"))


async def all_told(world: World) -> bool:
    return await world.sql("select count(*) from outbox") == [(0,)]
