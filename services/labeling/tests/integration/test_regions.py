"""Answers of every kind, through the service: one that is right, each that is refused, and a hostile annotator."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from labeling_world import AUDIT, SELECTED, flag, project, refused, submission

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.labeling.v1 import management_service_pb2 as management_pb
from relearn.labeling.v1 import region_pb2
from relearn.labeling.v1.label_task_pb2 import LabelTask, Region, Whole
from relearn.registry.v1 import project_pb2 as registry_pb
from relearn_runtime import new_id
from relearn_runtime.testing import eventually

INVALID, FAILED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
BOX = region_pb2.Box(x=1.5, y=2, width=10, height=20)
TRIANGLE = region_pb2.Polygon(points=[region_pb2.Point(x=x, y=y) for x, y in [(0, 0), (9, 0), (9, 9)]])
TRACK = region_pb2.Track(keyframes=[region_pb2.Keyframe(box=BOX), region_pb2.Keyframe(frame=9, box=BOX, hidden=True)])


def label_set(*kinds: int, version: int = 1, **more: Any) -> registry_pb.LabelSet:
    return registry_pb.LabelSet(version=version, classes=["car", "van"], region_kinds=kinds, **more)


def region(label: str = "car", **more: Any) -> Region:
    return Region(**{"label": label, "region_id": "r1", **more})


def whole(label: str, **more: Any) -> Region:
    return Region(whole=Whole(), label=label, **more)


@dataclass
class Kind:
    """A project of one kind: an answer that is right, and answers that are refused, with their reasons."""

    input_kind: int
    label_set: registry_pb.LabelSet
    right: list[Region]
    wrong: list[tuple[list[Region], str]] = field(default_factory=list)


KINDS = {
    "one": Kind(
        registry_pb.INPUT_KIND_TEXT,
        label_set(),
        [whole("car")],
        [
            ([], "NO_REGION"),
            ([Region(label="car")], "NO_REGION"),
            ([whole("car"), whole("van")], "TOO_MANY_REGIONS"),
            ([whole("hat")], "NOT_IN_LABEL_SET"),
            ([region(box=BOX)], "INVALID_REGION"),
            ([whole("car", transcript="brum")], "INVALID_REGION"),
        ],
    ),
    "several": Kind(
        registry_pb.INPUT_KIND_IMAGE,
        label_set(multi_label=True),
        [whole("car"), whole("van")],
        [([whole("car"), whole("car")], "INVALID_REGION"), ([whole("hat")], "NOT_IN_LABEL_SET")],
    ),
    "boxes": Kind(
        registry_pb.INPUT_KIND_IMAGE,
        label_set(registry_pb.REGION_KIND_BOX, registry_pb.REGION_KIND_POLYGON),
        [
            region(box=BOX, origin=region_pb2.REGION_ORIGIN_EDITED, model_version_id="boxes/model/2", score=0.25),
            region("van", polygon=TRIANGLE, region_id="<b>2</b>"),
        ],
        [
            ([region(box=BOX), region(polygon=TRIANGLE)], "INVALID_REGION"),
            ([region(box=region_pb2.Box(width=math.nan, height=1))], "INVALID_REGION"),
            ([region(box=region_pb2.Box(x=math.inf, width=1, height=1))], "INVALID_REGION"),
            ([region(box=region_pb2.Box(x=-1, width=1, height=1))], "INVALID_REGION"),
            ([region(box=region_pb2.Box(width=1e300, height=1))], "INVALID_REGION"),
            ([region(box=region_pb2.Box())], "INVALID_REGION"),
            ([region(polygon=region_pb2.Polygon())], "INVALID_REGION"),
            ([region(track=TRACK)], "INVALID_REGION"),
            ([region(box=BOX, score=math.nan)], "INVALID_REGION"),
            ([region(box=BOX, region_id="")], "INVALID_REGION"),
            ([whole("car")], "INVALID_REGION"),
        ],
    ),
    "tracks": Kind(
        registry_pb.INPUT_KIND_VIDEO,
        label_set(registry_pb.REGION_KIND_TRACK),
        [region(track=TRACK)],
        [
            ([region(track=region_pb2.Track())], "INVALID_REGION"),
            ([region(track=region_pb2.Track(keyframes=[*TRACK.keyframes, TRACK.keyframes[0]]))], "INVALID_REGION"),
            ([region(track=region_pb2.Track(keyframes=[region_pb2.Keyframe(frame=-1, box=BOX)]))], "INVALID_REGION"),
        ],
    ),
    "spans": Kind(
        registry_pb.INPUT_KIND_TEXT,
        label_set(registry_pb.REGION_KIND_SPAN),
        [region(span=region_pb2.Span(end=7)), region(span=region_pb2.Span(start=3, end=9), region_id="r2")],
        [
            ([region(span=region_pb2.Span(start=3, end=3))], "INVALID_REGION"),
            ([region(span=region_pb2.Span(start=-2, end=3))], "INVALID_REGION"),
        ],
    ),
    "segments": Kind(
        registry_pb.INPUT_KIND_AUDIO,
        label_set(
            registry_pb.REGION_KIND_SEGMENT,
            transcripts=True,
            attributes=[registry_pb.AttributeSpec(name="speaker", values=["ann", "ben"], required=True)],
        ),
        [
            region(
                segment=region_pb2.Segment(start_s=0.25, end_s=1.5),
                transcript="<script>alert('ü')</script>",
                attributes=[region_pb2.Attribute(name="speaker", value="ann")],
            )
        ],
        [
            ([region(segment=region_pb2.Segment(start_s=1))], "INVALID_REGION"),
            ([region(segment=region_pb2.Segment(start_s=-1, end_s=1))], "INVALID_REGION"),
            ([region(segment=region_pb2.Segment(start_s=0, end_s=1))], "INVALID_REGION"),  # no speaker
        ],
    ),
}


async def test_each_kind_refuses_what_it_does_not_ask_for_and_tells_what_it_does(labeling):
    told: dict[str, list[Region]] = {}
    for name, kind in KINDS.items():
        await labeling.apply(project(name, input_kind=kind.input_kind, label_set=kind.label_set))
        await labeling.flagged(flag(f"flag-{name}", name=name))
        task = await labeling.next_task("ann", name)
        assert task.label_set == kind.label_set
        for regions, reason in kind.wrong:
            async with refused(INVALID, reason):
                await labeling.submit("ann", task.label_task.label_task_id, "", regions=regions)

        answered = await labeling.submit("ann", task.label_task.label_task_id, "", regions=kind.right)

        assert (list(answered.annotation.regions), answered.task_state) == (kind.right, LabelTask.STATE_ACCEPTED), name
    for event in await labeling.collect(events_pb.LabelAccepted, len(KINDS)):
        told[event.message.label.project_id] = list(event.message.label.regions)
    assert told == {name: kind.right for name, kind in KINDS.items()}


async def test_nothing_found_is_an_answer_and_the_label_says_so(labeling):
    await labeling.apply(project("boxes", label_set=KINDS["boxes"].label_set))
    await labeling.flagged(flag("one", name="boxes"))

    await labeling.submit("ann", (await labeling.next_task("ann", "boxes")).label_task.label_task_id, "", regions=[])

    (accepted,) = await labeling.collect(events_pb.LabelAccepted, 1)
    assert (len(accepted.message.label.regions), accepted.message.label.agreement) == (0, 1.0)


async def test_several_classes_are_accepted_each_by_its_own_majority_and_the_time_of_all_is_told(labeling):
    await labeling.apply(project("several", label_set=KINDS["several"].label_set))
    await labeling.flagged(flag("one", AUDIT, name="several"))

    for annotator, classes in [("ann", ["car", "van"]), ("ben", ["car"]), ("cat", ["van", "car"])]:
        task_id = (await labeling.next_task(annotator, "several")).label_task.label_task_id
        request = submission(task_id, "", regions=[whole(name) for name in classes])
        request.time_spent.FromMilliseconds(1500)
        await labeling.stub(annotator).SubmitAnnotation(request)

    (accepted,) = await labeling.collect(events_pb.LabelAccepted, 1)
    label = accepted.message.label
    assert [region.label for region in label.regions] == ["car", "van"]
    assert (label.answers, label.time_spent.ToMilliseconds()) == (3, 4500)
    assert label.agreement == pytest.approx((1 + 2 / 3 + 1) / 3)
    (answer, *_) = await labeling.collect(events_pb.AnnotationSubmitted, 3)
    assert answer.message.annotation.time_spent.ToMilliseconds() == 1500
    assert answer.message.annotation.label_set_version == 1


async def test_a_task_in_hand_is_answered_in_its_label_set_and_others_follow_the_project(labeling):
    old = label_set(registry_pb.REGION_KIND_BOX)
    new = registry_pb.LabelSet(version=2, classes=["lorry"], region_kinds=[registry_pb.REGION_KIND_POLYGON])
    await labeling.apply(project("boxes", label_set=old))
    await labeling.flagged(flag("one", name="boxes"), flag("two", sample="b", name="boxes"))
    held = await labeling.next_task("ann", "boxes")
    other = {"a": "b", "b": "a"}[held.label_task.sample_id[-1]]

    await labeling.apply(project("boxes", label_set=new, revision=2))

    await eventually(lambda: is_in(labeling, other, 2))
    request = submission(held.label_task.label_task_id, "", regions=[region(box=BOX)])
    request.label_set_version = 2
    async with refused(FAILED, "LABEL_SET_CHANGED"):
        await labeling.stub("ann").SubmitAnnotation(request)
    request.label_set_version, request.request_id = 1, new_id()
    await labeling.stub("ann").SubmitAnnotation(request)
    moved = await labeling.next_task("ben", "boxes")
    async with refused(INVALID, "INVALID_REGION"):
        await labeling.submit("ben", moved.label_task.label_task_id, "", regions=[region(box=BOX)])
    last = region("lorry", polygon=TRIANGLE)
    await labeling.submit("ben", moved.label_task.label_task_id, "", regions=[last])

    assert (held.label_set, moved.label_set, moved.label_task.label_set_version) == (old, new, 2)
    accepted = await labeling.collect(events_pb.LabelAccepted, 2)
    assert [event.message.label.label_set_version for event in accepted] == [1, 2]


async def test_a_task_that_was_given_back_unanswered_follows_too_and_one_with_an_answer_does_not(labeling):
    await labeling.apply(project("boxes", label_set=label_set(registry_pb.REGION_KIND_BOX)))
    await labeling.flagged(flag("one", AUDIT, name="boxes"))
    await labeling.submit(
        "ann", (await labeling.next_task("ann", "boxes")).label_task.label_task_id, "", regions=[region(box=BOX)]
    )
    await labeling.flagged(flag("two", AUDIT, sample="b", name="boxes"))
    held = (await labeling.next_task("ann", "boxes")).label_task
    await labeling.apply(project("boxes", label_set=label_set(registry_pb.REGION_KIND_BOX, version=2), revision=2))

    await labeling.release("ann", held.label_task_id)

    await eventually(lambda: is_in(labeling, "b", 2))
    assert await is_in(labeling, "a", 1)
    gold = management_pb.SetGoldRequest(project_id="boxes", sample_id="boxes/sample/b", request_id=new_id())
    await labeling.management().SetGold(gold)
    assert await labeling.sql("select label_task_id from gold_tasks") == [(held.label_task_id,)]  # one task, one id


async def is_in(labeling: Any, sample: str, version: int) -> bool:
    """Whether the task of a sample is answered in this label set."""
    query = "select label_set_version from label_tasks where sample_id = :sample"
    return await labeling.sql(query, sample=f"boxes/sample/{sample}") == [(version,)]


async def test_a_hostile_annotator_is_refused_quickly_and_the_service_goes_on(labeling):
    await labeling.apply(project("boxes", label_set=KINDS["boxes"].label_set))
    await labeling.flagged(flag("one", AUDIT, name="boxes"))
    task_id = (await labeling.next_task("ann", "boxes")).label_task.label_task_id
    crowded = region_pb2.Polygon(points=[region_pb2.Point(x=i, y=i) for i in range(200_000)])
    hostile: list[tuple[pb.SubmitAnnotationRequest, grpc.StatusCode, str]] = [
        (submission(task_id, "", regions=[region(box=BOX)] * 5001), INVALID, "TOO_MANY_REGIONS"),
        (submission(task_id, "", regions=[region(polygon=crowded)]), INVALID, "INVALID_REGION"),
        (submission(task_id, "", regions=[region(box=BOX, transcript="x" * 1_000_000)]), INVALID, "INVALID_REGION"),
        (submission(task_id, "", regions=[region("x" * 500_000, box=BOX)]), INVALID, "NOT_IN_LABEL_SET"),
        (submission(task_id, "", regions=[region(box=BOX, region_id="\x1b[2J")]), INVALID, "INVALID_REGION"),
    ]
    late = submission(task_id, "", regions=[region(box=BOX)])
    late.time_spent.seconds = -5
    hostile.append((late, INVALID, "INVALID_INPUT"))

    for request, code, reason in hostile:
        async with refused(code, reason):
            await labeling.stub("ann").SubmitAnnotation(request)
    async with refused(INVALID, "TOO_MANY_REGIONS"):
        await submit_bytes(labeling, task_id, regions=1_000_000)
    with pytest.raises(grpc.aio.AioRpcError) as too_large:
        await submit_bytes(labeling, task_id, regions=5_000_000)  # 35 MB
    async with refused(FAILED, "TASK_NOT_ASSIGNED"):
        await labeling.submit("ben", task_id, "", regions=[region(box=BOX)])

    assert too_large.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await labeling.sql("select count(*) from annotations") == [(0,)]
    answered = await labeling.submit("ann", task_id, "", regions=[region(box=BOX)])
    assert answered.task_state == LabelTask.STATE_OPEN


async def submit_bytes(labeling: Any, task_id: str, *, regions: int) -> None:
    """A request that no client of ours would send."""
    head = submission(task_id, "", regions=[]).SerializeToString()
    one = pb.SubmitAnnotationRequest(regions=[Region(label="car")]).SerializeToString()
    token = labeling.tokens.add(subject="ann", role="annotator")
    async with grpc.aio.insecure_channel(labeling.address, options=[("grpc.max_send_message_length", -1)]) as raw:
        submit = raw.unary_unary("/relearn.labeling.v1.LabelingService/SubmitAnnotation")
        await submit(head + one * regions, metadata=(("authorization", f"Bearer {token}"),), timeout=30)


async def test_an_answer_as_large_as_can_be_is_told_beside_as_many_flags_as_can_be(labeling):
    await labeling.apply(project("boxes", label_set=KINDS["boxes"].label_set))
    long = "x" * 290_000
    first = flag("one", SELECTED, name="boxes")
    first.reason = long
    await labeling.flagged(first)
    task_id = (await labeling.next_task("ann", "boxes")).label_task.label_task_id
    full = region_pb2.Polygon(points=[region_pb2.Point(x=0.1 * i, y=0.3) for i in range(1, 1001)])
    regions = [region(polygon=full, region_id=str(i)) for i in range(28)]

    await labeling.submit("ann", task_id, "", regions=regions)

    (accepted,) = await labeling.collect(events_pb.LabelAccepted, 1)
    assert list(accepted.message.label.regions) == regions
