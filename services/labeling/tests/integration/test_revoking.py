"""RevokeAnnotator, through the doors of the service."""

from __future__ import annotations

import grpc
from labeling_world import AUDIT, SELECTED, flag, project, refused

from relearn.labeling.v1 import events_pb2 as events_pb
from relearn.labeling.v1 import labeling_service_pb2 as labeling_pb
from relearn_runtime import new_id

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_what_rests_on_the_annotator_alone_is_asked_again_of_others_and_the_rest_is_decided_anew(labeling):
    await labeling.apply(project())
    await labeling.flagged(flag("flag-1", AUDIT, sample="b"))
    for annotator, text in (("bad", "bag"), ("ben", "boot"), ("cat", "boot")):
        await labeling.answer(annotator, text)
    await labeling.flagged(flag("flag-2", SELECTED))
    await labeling.answer("bad", "bag")
    alone = next(one.label for one in await accepted(labeling, 2) if one.label.sample_id == "clothes/sample/a")
    request_id = new_id()

    done = await labeling.revoke("bad", request_id=request_id)
    repeated = await labeling.revoke("bad", request_id=request_id)
    anew = await labeling.revoke("bad")

    assert (done.answers, done.reopened, done.decided) == (2, 1, 1)
    assert repeated == done
    assert (anew.answers, anew.reopened, anew.decided) == (0, 0, 0)
    (superseded,) = await labeling.collect(events_pb.LabelSuperseded, 1)
    assert (superseded.message.label_id, superseded.message.by_label_id) == (alone.label_id, "")
    assert superseded.message.sample_id == "clothes/sample/a"
    (kept,) = [one for one in await accepted(labeling, 3) if one.repeated_for_flag]
    assert (kept.label.answers, kept.label.agreement, kept.label.sample_id) == (2, 1.0, "clothes/sample/b")
    assert not (await labeling.next_task("bad")).HasField("label_task")
    assert (await labeling.next_task("ben")).label_task.sample_id == "clothes/sample/a"
    own = await labeling.stub("bad").ListOwnAnnotations(labeling_pb.ListOwnAnnotationsRequest(project_id="clothes"))
    assert [one.revoked for one in own.annotations] == [True, True]


async def accepted(labeling, n):
    return [event.message for event in await labeling.collect(events_pb.LabelAccepted, n)]


async def test_a_revocation_of_nobody_or_without_a_reason_is_refused(clothes):
    async with refused(grpc.StatusCode.NOT_FOUND, "ANNOTATOR_NOT_FOUND"):
        await clothes.revoke("nobody")
    async with refused(INVALID, "NO_REASON"):
        await clothes.revoke("nobody", reason="")
