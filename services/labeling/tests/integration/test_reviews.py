"""NextReview and ReviewTask, through the doors of the service."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from labeling_world import AUDIT, SELECTED, flag, project, refused

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import label_task_pb2
from relearn.labeling.v1 import labeling_service_pb2 as labeling_pb
from relearn.labeling.v1 import management_service_pb2 as management_pb
from relearn.labeling.v1 import review_service_pb2 as pb
from relearn_runtime import new_id

State = label_task_pb2.LabelTask
PRECONDITION, INVALID = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED


def whole(text: str) -> label_task_pb2.Region:
    return label_task_pb2.Region(whole=label_task_pb2.Whole(), label=text)


def accepting(shown: Any, text: str, **more: Any) -> pb.ReviewTaskRequest:
    return _of(shown, accept=pb.Verdict(regions=[whole(text)], **more))


def rejecting(shown: Any, *annotation_ids: str, reason: str = "it has no laces") -> pb.ReviewTaskRequest:
    return _of(shown, reject=pb.Rejection(annotation_ids=annotation_ids, reason=reason))


def _of(shown: Any, **verdict: Any) -> pb.ReviewTaskRequest:
    return pb.ReviewTaskRequest(
        label_task_id=shown.label_task.label_task_id,
        annotation_ids=[one.annotation_id for one in shown.annotations],
        request_id=new_id(),
        **verdict,
    )


@pytest.fixture
async def disputed(labeling):
    """A task about which two annotators disagree, in front of one with a label that two of three gave."""
    await labeling.apply(project(overlap_selected=2))
    await labeling.flagged(flag("flag-1", AUDIT, sample="b"))
    for annotator, text in (("ann", "boot"), ("ben", "boot"), ("cat", "bag")):
        await labeling.answer(annotator, text)
    await labeling.flagged(flag("flag-2", SELECTED))
    await labeling.answer("ann", "boot")
    await labeling.answer("ben", "bag")
    assert (await labeling.task_state("a"), await labeling.task_state("b")) == ("disputed", "accepted")
    return labeling


async def test_a_reviewer_gets_disputes_first_with_all_answers_and_settles_them_as_they_are_or_corrected(disputed):
    first = await disputed.next_review()
    again = await disputed.next_review()
    second = await disputed.next_review(known=[first.label_task.label_task_id])
    nothing = await disputed.next_review("rob")

    assert first.label_task.sample_id == "clothes/sample/a" == again.label_task.sample_id
    assert [(one.annotator, one.regions[0].label) for one in first.annotations] == [("ann", "boot"), ("ben", "bag")]
    assert (first.agreement, first.HasField("label")) == (0.0, False)
    assert (second.label_task.sample_id, second.label.regions[0].label) == ("clothes/sample/b", "boot")
    assert second.agreement == pytest.approx(1 / 3)
    assert not nothing.HasField("label_task")

    request = accepting(first, "boot", annotation_id=first.annotations[0].annotation_id)
    settled = await disputed.reviews().ReviewTask(request)
    repeated = await disputed.reviews().ReviewTask(request)
    corrected = await disputed.reviews().ReviewTask(accepting(second, "shirt"))

    assert settled == repeated
    assert settled.task_state == State.STATE_ACCEPTED
    label = settled.label
    assert list(label.annotation_ids) == [first.annotations[0].annotation_id]
    assert (label.reviewer, label.agreement) == ("rita", 0.5)
    assert (corrected.label.reviewer, corrected.label.agreement) == ("rita", 0.0)
    (superseded,) = await disputed.collect(events_pb.LabelSuperseded, 1)
    assert superseded.message.label_id == second.label.label_id
    assert superseded.message.by_label_id == corrected.label.label_id
    accepted = await disputed.collect(events_pb.LabelAccepted, 3)
    assert sorted(one.message.label.reviewer for one in accepted) == ["", "rita", "rita"]
    (of_a,) = [one.message for one in accepted if one.message.label.sample_id == "clothes/sample/a"]
    assert [one.flag_id for one in of_a.flags] == ["flag-2"]
    assert not (await disputed.next_review()).HasField("label_task")


async def test_whom_a_reviewer_refuses_gets_the_task_again_with_the_reason_and_their_answer_and_nobody_else_does(
    disputed,
):
    shown = await disputed.next_review()
    refused_id = shown.annotations[1].annotation_id

    answer = await disputed.reviews().ReviewTask(rejecting(shown, refused_id))
    others = await disputed.next_task("cat")
    given = await disputed.next_task("ben")
    own = await disputed.stub("ben").ListOwnAnnotations(labeling_pb.ListOwnAnnotationsRequest(project_id="clothes"))
    done = await disputed.submit("ben", given.label_task.label_task_id, "boot")

    assert answer.task_state == State.STATE_OPEN
    assert not others.HasField("label_task")
    assert given.label_task.sample_id == "clothes/sample/a"
    assert (given.rejected.annotation_id, given.rejected.rejection) == (refused_id, "it has no laces")
    assert given.rejected.regions[0].label == "bag"
    assert [one.rejection for one in own.annotations] == ["it has no laces", ""]
    assert done.task_state == State.STATE_ACCEPTED
    opened = await disputed.collect(events_pb.LabelTaskOpened, 3)
    (again,) = [one.message for one in opened if one.message.label_request_id]
    assert again.label_task.requests[0].source == label_task_pb2.LabelRequest.SOURCE_AGAIN
    task = await disputed.stub("eve", "engineer").GetLabelTask(
        labeling_pb.GetLabelTaskRequest(label_task_id=shown.label_task.label_task_id)
    )
    assert [(one.annotator, bool(one.rejection)) for one in task.annotations] == [
        ("ann", False),
        ("ben", False),
        ("ben", True),
    ]
    assert task.label_task.answers == 2
    report = await disputed.manager().GetLabelingReport(management_pb.GetLabelingReportRequest(project_id="clothes"))
    assert [(one.annotator, one.rejected) for one in report.annotators] == [("ann", 0), ("ben", 1), ("cat", 0)]


async def test_a_review_that_is_nobodys_late_of_an_own_answer_or_of_other_answers_is_refused(disputed):
    shown = await disputed.next_review()
    request = accepting(shown, "boot")

    async with refused(PRECONDITION, "REVIEW_NOT_ASSIGNED"):
        await disputed.reviews("rob").ReviewTask(request)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await disputed.reviews("ann", "annotator").ReviewTask(request)
    assert caught.value.code() is DENIED
    async with refused(INVALID, "NOT_IN_LABEL_SET"):
        await disputed.reviews().ReviewTask(accepting(shown, "hat"))
    async with refused(INVALID, "NO_REASON"):
        await disputed.reviews().ReviewTask(rejecting(shown, shown.annotations[0].annotation_id, reason=" "))
    async with refused(INVALID, "INVALID_REVIEW"):
        await disputed.reviews().ReviewTask(rejecting(shown, "annotation-of-nobody"))
    async with refused(INVALID, "INVALID_REVIEW"):
        await disputed.reviews().ReviewTask(_of(shown))
    del shown.annotations[1]
    async with refused(PRECONDITION, "TASK_MOVED_ON"):
        await disputed.reviews().ReviewTask(accepting(shown, "boot"))
    disputed.clock.advance(minutes=11)
    async with refused(PRECONDITION, "LEASE_EXPIRED"):
        await disputed.reviews().ReviewTask(request)
    assert await disputed.task_state("a") == "disputed"


async def test_a_reviewer_never_sees_what_they_answered_themselves(labeling):
    await labeling.apply(project(overlap_selected=2))
    await labeling.flagged(flag("flag-1"))
    reviewer = labeling.stub("rita", "reviewer")
    own = await reviewer.NextTask(labeling_pb.NextTaskRequest(project_id="clothes"))
    await labeling.submit("rita", own.label_task.label_task_id, "boot")
    await labeling.answer("ann", "bag")

    mine, others = await labeling.next_review("rita"), await labeling.next_review("rob")
    queues = [
        await labeling.stub(one, "reviewer").ListQueues(labeling_pb.ListQueuesRequest()) for one in ("rita", "rob")
    ]
    await labeling.sql("update reviews set reviewer = 'rita'")

    assert (mine.HasField("label_task"), others.HasField("label_task")) == (False, True)
    assert [one.queues[0].tasks_to_review for one in queues] == [0, 1]
    async with refused(DENIED, "OWN_ANSWER"):
        await labeling.reviews("rita").ReviewTask(accepting(others, "boot"))
