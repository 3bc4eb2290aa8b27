"""PredictionFlagged: what a flag does, however often and in whatever order it comes."""

from __future__ import annotations

from dataclasses import replace

from labeling_world import AUDIT, CLASSES, DISAGREEMENT, SELECTED, flag, project

from relearn.labeling.v1 import events_pb2 as pb
from relearn.labeling.v1 import label_task_pb2
from relearn.monitoring.v1 import events_pb2 as monitoring_pb
from relearn.operations.v1 import operations_service_pb2 as operations_pb
from relearn_runtime import new_id, utc_now
from relearn_runtime.envelope import encode
from relearn_runtime.testing import eventually, publish_record


async def test_a_flag_opens_a_task_and_the_event_says_so_with_its_cause(clothes):
    one = flag("flag-1", AUDIT)

    event_id = await clothes.flag(one)

    (opened,) = await clothes.collect(pb.LabelTaskOpened, 1)
    task = opened.message.label_task
    assert (opened.causes, opened.key, opened.message.flag_id) == ((event_id,), task.label_task_id, "flag-1")
    assert opened.message.created
    assert (task.state, task.overlap, list(task.flags)) == (label_task_pb2.LabelTask.STATE_OPEN, 3, [one])


async def test_a_redelivered_event_and_the_same_flag_in_another_event_open_no_second_task(clothes):
    event_id = await clothes.flag(flag("flag-1"))
    await clothes.flag(flag("flag-1"), id=event_id)
    await clothes.flag(flag("flag-1"))

    await clothes.flagged(flag("flag-2", sample="a"))

    opened = await clothes.collect(pb.LabelTaskOpened, 2)
    assert [event.message.flag_id for event in opened] == ["flag-1", "flag-2"]
    assert await clothes.sql("select count(*) from label_tasks") == [(1,)]
    assert await clothes.parked() == []


async def test_flags_are_copied_whole_with_fields_that_this_version_does_not_know(clothes):
    unknown = b"\xfa\x7f\x05hello"  # field 2047, a string
    flag_bytes = flag("flag-1").SerializeToString() + unknown
    message = monitoring_pb.PredictionFlagged.FromString(b"\x0a" + _varint(len(flag_bytes)) + flag_bytes)

    await publish_record(clothes.kafka, encode(message, id=new_id(), time=utc_now()))

    (opened,) = await clothes.collect(pb.LabelTaskOpened, 1)
    assert unknown in opened.message.label_task.flags[0].SerializeToString()


async def test_an_accepted_label_is_told_again_for_a_flag_that_needs_no_more_answers(clothes):
    await clothes.flagged(flag("flag-1"))
    await clothes.answer("ann", "boot")

    event_id = await clothes.flag(flag("flag-2"))

    first, again = await clothes.collect(pb.LabelAccepted, 2)
    assert first.message.label == again.message.label
    assert (first.message.repeated_for_flag, again.message.repeated_for_flag) == (False, True)
    assert (first.message.revision, again.message.revision) == (1, 2)
    assert [one.flag_id for one in again.message.flags] == ["flag-1", "flag-2"]
    assert event_id in again.causes
    assert await clothes.sql("select sum(answers) from answer_days") == [(1,)]


async def test_a_flag_that_needs_more_answers_reopens_the_task_and_they_may_replace_the_label(clothes):
    await clothes.flagged(flag("flag-1", SELECTED))
    await clothes.answer("ann", "boot")

    await clothes.flagged(flag("flag-2", AUDIT))
    await clothes.answer("ben", "bag")
    await clothes.answer("cat", "bag")

    opened = await clothes.collect(pb.LabelTaskOpened, 2)
    assert [event.message.created for event in opened] == [True, False]
    assert opened[1].message.label_task.state == label_task_pb2.LabelTask.STATE_OPEN
    first, second = await clothes.collect(pb.LabelAccepted, 2)
    (superseded,) = await clothes.collect(pb.LabelSuperseded, 1)
    assert superseded.message.label_id == first.message.label.label_id
    assert superseded.message.by_label_id == second.message.label.label_id
    assert (second.message.repeated_for_flag, second.message.label.regions[0].label) == (False, "bag")
    assert second.message.label.agreement == 2 / 3


async def test_a_dispute_is_told_again_for_a_new_flag_and_reopened_for_a_higher_overlap(labeling):
    await labeling.apply(project(overlap_audit=2, overlap_disagreement=3))
    await labeling.flagged(flag("flag-1", AUDIT))
    await labeling.answer("ann", "boot")
    await labeling.answer("ben", "bag")

    await labeling.flagged(flag("flag-2", AUDIT))
    closed = await labeling.collect(pb.LabelTaskClosed, 2)
    await labeling.flagged(flag("flag-3", DISAGREEMENT))

    assert [(event.message.reason, event.message.revision) for event in closed] == [("DISPUTED", 1), ("DISPUTED", 2)]
    assert [one.flag_id for one in closed[1].message.flags] == ["flag-1", "flag-2"]
    assert await labeling.task_state() == "open"
    await labeling.answer("cat", "bag")
    (accepted,) = await labeling.collect(pb.LabelAccepted, 1)
    assert (accepted.message.revision, accepted.message.label.answers) == (3, 3)


async def test_a_flag_waits_for_its_project_and_projects_never_mix(labeling):
    await labeling.flag(flag("flag-1", name="shoes"))
    await labeling.apply(project("clothes"))
    await labeling.flagged(flag("flag-2", name="clothes"))
    assert not await labeling.knows("flag-1")

    await labeling.apply(project("shoes", overlap_selected=2))

    await eventually(lambda: labeling.knows("flag-1"))
    overlaps = await labeling.sql("select project_id, overlap from label_tasks order by 1")
    assert overlaps == [("clothes", 1), ("shoes", 2)]


async def test_events_that_can_never_become_tasks_are_parked_and_later_ones_go_on(clothes):
    good = encode(monitoring_pb.PredictionFlagged(flag=flag("x")), id=new_id(), time=utc_now())
    await publish_record(clothes.kafka, replace(good, value=b"\xff\xff"))
    await clothes.flag(flag("no-stream", stream=0, sample="b"))
    stranger = flag("stranger", sample="c")
    stranger.project_id = "clothes"
    stranger.sample_id = "shoes/sample/c"
    await clothes.flag(stranger)

    await clothes.flagged(flag("good", sample="d"))

    async def all_parked() -> bool:
        return len(await clothes.parked()) == 3

    await eventually(all_parked)
    reasons = sorted(event.reason for event in await clothes.parked())
    assert reasons == ["INVALID_FLAG", "INVALID_FLAG", "MALFORMED_EVENT"]


async def test_a_flag_is_handled_once_the_database_answers_again(clothes):
    ours = "datname = current_database() and pid <> pg_backend_pid()"
    await clothes.sql("alter table label_tasks rename to away")
    await clothes.flag(flag("flag-1"))
    await clothes.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where {ours}")

    await clothes.sql("alter table away rename to label_tasks")

    async def handled_or_retried() -> bool:
        for parked in await clothes.parked():  # where the attempts were over before
            request = operations_pb.RetryParkedEventRequest(parked_event_id=parked.parked_event_id, request_id=new_id())
            await clothes.operations().RetryParkedEvent(request)
        return await clothes.knows("flag-1")

    await eventually(handled_or_retried)
    assert await clothes.sql("select count(*) from label_tasks") == [(1,)]


async def test_a_project_that_is_paused_has_tasks_opened_for_the_flags_already_made(labeling):
    await labeling.apply(project(paused=True))

    await labeling.flagged(flag("flag-1"))

    assert await labeling.task_state() == "open"
    assert tuple((await labeling.next_task("ann")).classes) == CLASSES


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
