"""ImportAnnotations and ExportAnnotations: by the thousand, each record once, whatever is killed or sent again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import asyncpg
import grpc
from labeling_world import CLASSES, World, project, refused

from relearn.labeling.v1 import events_pb2
from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.management_service_pb2_grpc import ManagementServiceStub
from relearn.labeling.v1.region_pb2 import REGION_ORIGIN_IMPORTED
from relearn_runtime.testing import collect_all, eventually


def sample_id(number: int) -> str:
    return f"clothes/sample/{hashlib.sha256(str(number).encode()).hexdigest()}"


def record(number: int, label: str = "", *, annotator: str = "ann", key: str = "", **more: Any) -> pb.AnnotatedSample:
    answer = pb.ImportedAnswer(regions=[Region(whole=Whole(), label=label)], annotator=annotator) if label else None
    key = key or f"{number} {label} {annotator}"
    return pb.AnnotatedSample(key=key, sample_id=sample_id(number), answer=answer, place=f"line {number}", **more)


def manager(world: World) -> ManagementServiceStub:
    return ManagementServiceStub(world._channel("mia", "manager"))


async def bring(world: World, *batches: list[pb.AnnotatedSample]) -> list[pb.ImportAnnotationsResponse]:
    """Imports batches, a message each; what was answered before the stream ended."""
    first = {"project_id": "clothes", "source": "a test"}
    messages = [
        pb.ImportAnnotationsRequest(samples=batch, **(first if number == 0 else {}))
        for number, batch in enumerate(batches)
    ]
    return [one async for one in manager(world).ImportAnnotations(iter(messages), timeout=60)]


async def export(world: World, **asked: Any) -> tuple[list[pb.ExportedTask], str]:
    """Everything, and where a later export goes on."""
    request = pb.ExportAnnotationsRequest(project_id="clothes", **asked)
    found, cursor = [], ""
    async for one in manager(world).ExportAnnotations(request, timeout=60):
        found += one.tasks
        cursor = one.cursor or cursor
    return found, cursor


async def test_what_is_imported_twice_is_there_once_and_told_once(clothes):
    batch = [record(1), record(2, "boot"), record(3, "bag")]

    (first,) = await bring(clothes, batch)
    (again,) = await bring(clothes, batch)

    assert (first.taken, first.repeated_records, list(first.refused)) == (3, 0, [])
    assert (again.taken, again.repeated_records, list(again.refused)) == (3, 3, [])
    states = "select state, answers from label_tasks order by state, answers"
    assert await clothes.sql(states) == [("accepted", 1), ("accepted", 1), ("open", 0)]
    accepted = await clothes.collect(events_pb2.LabelAccepted, 2)
    assert {one.message.label.sample_id for one in accepted} == {sample_id(2), sample_id(3)}
    (region,) = accepted[0].message.label.regions
    assert region.origin == REGION_ORIGIN_IMPORTED
    submitted = await clothes.collect(events_pb2.AnnotationSubmitted, 2)
    assert {one.message.annotation.annotator for one in submitted} == {"import:ann"}
    assert [one.id for one in submitted] == [one.message.annotation.annotation_id for one in submitted]
    await eventually(lambda: is_empty(clothes, "outbox"), deadline_s=30)
    assert len(await collect_all(clothes.kafka, events_pb2.LabelTaskOpened)) == 3


async def test_records_that_cannot_be_taken_are_told_and_stop_nobody_else(clothes):
    stranger = pb.AnnotatedSample(key="s", sample_id=sample_id(1).replace("clothes", "shoes"), place="line 5")
    batch = [
        record(1, "boot"),
        record(1, "boot", annotator="bob"),
        record(1, "bag", key="another"),
        record(2, "hat"),
        stranger,
        pb.AnnotatedSample(sample_id=sample_id(3), place="line 6"),
        pb.AnnotatedSample(key="r", sample_id=sample_id(3), answer=pb.ImportedAnswer(regions=[Region(label="bag")])),
        record(4),
        record(4),
    ]

    (response,) = await bring(clothes, batch)

    assert (response.taken, response.repeated_records) == (4, 1)
    assert sorted((one.place, one.reason) for one in response.refused) == [
        ("", "NO_REGION"),
        ("line 1", "ANSWERED_ALREADY"),
        ("line 2", "NOT_IN_LABEL_SET"),
        ("line 5", "SAMPLE_NOT_FOUND"),
        ("line 6", "INVALID_REQUEST"),
    ]
    ((answers, agreement),) = await clothes.sql("select answers, agreement from labels")
    assert (answers, agreement) == (2, 1.0)


async def test_an_import_says_where_it_belongs_and_each_message_holds_so_many(clothes):
    many = [record(number) for number in range(501)]

    async with refused(grpc.StatusCode.NOT_FOUND, "PROJECT_NOT_FOUND"):
        unknown = pb.ImportAnnotationsRequest(project_id="nobody", samples=[record(1)])
        _ = [one async for one in manager(clothes).ImportAnnotations(iter([unknown]))]
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        nameless = pb.ImportAnnotationsRequest(samples=[record(1)])
        _ = [one async for one in manager(clothes).ImportAnnotations(iter([nameless]))]
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await bring(clothes, many)
    assert await clothes.sql("select count(*) from label_tasks") == [(0,)]


async def test_two_imports_of_the_same_records_at_once_leave_them_once(clothes):
    batches = [[record(number, "boot") for number in range(start, start + 50)] for start in range(0, 200, 50)]

    found = await asyncio.gather(*(bring(clothes, *batches) for _ in range(4)))

    assert sum(one.taken - one.repeated_records for told in found for one in told) == 200
    assert await clothes.sql("select count(*), sum(answers) from label_tasks") == [(200, 200)]
    await eventually(lambda: is_empty(clothes, "outbox"), deadline_s=30)
    assert len(await collect_all(clothes.kafka, events_pb2.LabelAccepted)) == 200


async def test_an_export_has_everything_and_a_later_one_what_changed_since(clothes):
    await bring(clothes, [record(1), record(2, "boot")])
    everything, cursor = await export(clothes)
    nothing, _ = await export(clothes, after=cursor)

    response = await clothes.answer("zoe", "bag")
    later, last = await export(clothes, after=cursor, finished_only=True)
    await bring(clothes, [record(3)])
    unfinished, _ = await export(clothes, after=last, finished_only=True)

    told = {one.label_task.sample_id: one.HasField("label") for one in everything}
    assert (told, len(everything)) == ({sample_id(1): False, sample_id(2): True}, 2)
    assert nothing == []
    (task,) = later
    assert (task.label_task.sample_id, task.label_task.answers) == (sample_id(1), 1)
    assert task.annotations[0].annotator == "zoe"
    assert task.annotations[0].regions == response.annotation.regions
    assert (task.label.label_id != "", task.label.regions[0].label) == (True, "bag")
    assert unfinished == []
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT"):
        await export(clothes, after="made up")


async def test_what_a_transaction_changed_that_ended_after_an_export_is_in_the_next_one(clothes):
    await bring(clothes, [record(1), record(2)])
    _, cursor = await export(clothes)
    began, may_end = asyncio.Event(), asyncio.Event()
    slow = asyncio.create_task(touch(clothes, sample_id(1), began, may_end))
    await began.wait()

    await clothes.sql("update label_tasks set updated_at = now() where sample_id = :s", s=sample_id(2))
    meanwhile, later = await export(clothes, after=cursor)
    may_end.set()
    await slow
    last, _ = await export(clothes, after=later)

    assert [one.label_task.sample_id for one in meanwhile] == [sample_id(2)]
    assert sample_id(1) in [one.label_task.sample_id for one in last]


async def touch(world: World, sample: str, began: asyncio.Event, may_end: asyncio.Event) -> None:
    """A transaction that changes a task first, and ends when it may."""
    connection = await asyncpg.connect(world.database_url)
    async with connection.transaction():
        await connection.execute("update label_tasks set updated_at = now() where sample_id = $1", sample)
        began.set()
        await may_end.wait()
    await connection.close()


async def test_an_export_misses_no_task_that_annotators_answer_meanwhile(clothes):
    await clothes.apply(project(revision=2, answers_per_day=100_000))
    for start in range(0, 1500, 500):
        await bring(clothes, [record(number) for number in range(start, start + 500)])
    done = asyncio.Event()

    async def work(annotator: str) -> None:
        while not done.is_set():
            await clothes.answer(annotator, CLASSES[0])

    async def many_are_answered() -> bool:
        ((count,),) = await clothes.sql("select count(*) from label_tasks where label_id is not null")
        return count > 10

    workers = [asyncio.create_task(work(f"worker-{number}")) for number in range(4)]
    await eventually(many_are_answered, deadline_s=60)
    found, cursor = await export(clothes)
    done.set()
    await asyncio.gather(*workers)
    rest, _ = await export(clothes, after=cursor)

    assert {one.label_task.sample_id for one in found} == {sample_id(number) for number in range(1500)}
    newest = {one.label_task.sample_id: one for one in [*found, *rest]}
    answered = [one.label_task.sample_id for one in newest.values() if one.HasField("label")]
    rows = await clothes.sql("select sample_id from label_tasks where label_id is not null")
    assert sorted(answered) == sorted(row[0] for row in rows)


async def is_empty(world: World, table: str) -> bool:
    return await world.sql(f"select 1 from {table} limit 1") == []
