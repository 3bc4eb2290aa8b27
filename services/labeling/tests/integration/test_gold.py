"""Gold tasks reach annotators unseen; and no RPC shows an annotator what others or a model answered."""

from __future__ import annotations

import grpc
from google.protobuf.message_factory import GetMessageClass
from labeling_world import AUDIT, flag, project, refused

from relearn.labeling.v1 import (
    labeling_service_pb2,
    management_service_pb2,
    review_service_pb2,
)
from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_runtime import new_id

SECRETS = (b"the model said boot", b"flag-1", b"ben", b"mona", b"bag", b"margin")


async def test_a_gold_answer_is_scored_and_counted_in_the_caps_and_becomes_no_label(labeling):
    await labeling.apply(project(gold_share=0.5, answers_per_annotator=6))
    await labeling.request(*(f"{n}" for n in range(10)))
    for n in range(3):
        await labeling.set_gold(f"gold-{n}", "boot")

    for n in range(6):
        await labeling.answer("ann", "boot" if n % 2 else "bag")
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "ANSWERS_PER_ANNOTATOR"):
        await labeling.next_task("ann")

    turns = await labeling.sql("select score, regions is not null from gold_turns where ended = 'answered'")
    ((answers,),) = await labeling.sql("select count(*) from annotations")
    ((labels,),) = await labeling.sql("select count(*) from labels")
    assert 1 <= len(turns) <= 3
    assert all(score in (0.0, 1.0) and kept for score, kept in turns)
    assert (answers + len(turns), labels) == (6, answers)
    report = await labeling.management().GetLabelingReport(
        management_service_pb2.GetLabelingReportRequest(project_id="clothes")
    )
    (ann,) = report.annotators
    assert (ann.gold_answers, ann.gold_right) == (len(turns), sum(score == 1 for score, _ in turns))
    own = await labeling.stub("ann").ListOwnAnnotations(pb.ListOwnAnnotationsRequest(project_id="clothes"))
    assert len({one.annotation_id for one in own.annotations}) == 6


async def test_nothing_that_an_annotator_gets_tells_a_gold_task_from_another(labeling):
    await labeling.apply(project(gold_share=1.0))
    await labeling.request("plain")
    await labeling.set_gold("gold", "boot")

    gold = await labeling.next_task("ann")
    assert gold.label_task.sample_id == "clothes/sample/gold"
    again = await labeling.next_task("ann")
    renewed = await labeling.stub("ann").RenewLease(pb.RenewLeaseRequest(label_task_id=gold.label_task.label_task_id))
    plain = await labeling.next_task("ann", known=[gold.label_task.label_task_id])

    assert again == gold
    assert renewed.lease_expire_time.ToDatetime() >= gold.lease_expire_time.ToDatetime()
    assert shape(gold.label_task) == shape(plain.label_task)
    answers = [await labeling.submit("ann", one.label_task.label_task_id, "bag") for one in (gold, plain)]
    assert shape(answers[0].annotation) == shape(answers[1].annotation)
    assert answers[0].task_state == answers[1].task_state
    for one in (gold, plain):
        async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TASK_CLOSED"):
            await labeling.submit("ann", one.label_task.label_task_id, "bag")
    for stranger in (gold, plain):
        request = pb.RenewLeaseRequest(label_task_id=stranger.label_task.label_task_id)
        async with refused(grpc.StatusCode.FAILED_PRECONDITION, "TASK_NOT_ASSIGNED", "TASK_CLOSED"):
            await labeling.stub("cat").RenewLease(request)


async def test_a_gold_task_that_is_given_back_does_not_come_again(labeling):
    await labeling.apply(project(gold_share=1.0))
    await labeling.request("plain")
    await labeling.set_gold("gold", "boot")

    gold = await labeling.next_task("ann")
    await labeling.release("ann", gold.label_task.label_task_id)

    assert (await labeling.next_task("ann")).label_task.sample_id == "clothes/sample/plain"


async def test_an_annotator_sees_by_no_rpc_what_a_model_or_another_answered(labeling):
    await labeling.apply(project(overlap_audit=3))
    await labeling.flagged(flag("flag-1", AUDIT))
    await labeling.request("a", overlap=3, reason="margin 0.04")
    await labeling.answer("ben", "bag")
    task_id = (await labeling.next_task("ann")).label_task.label_task_id
    known = {"project_id": "clothes", "label_task_id": task_id, "request_id": new_id(), "sample_id": "clothes/sample/a"}

    reached = [method async for method, told in calls(labeling, known) if told is not None]
    told = {method: said async for method, said in calls(labeling, known)}

    assert {"NextTask", "RenewLease", "ListQueues", "ListOwnAnnotations"} <= set(reached)
    assert not {"GetLabelTask", "ListLabelTasks"} & set(reached)
    leaks = {method: secret for method, said in told.items() for secret in SECRETS if secret in (said or b"")}
    assert set(leaks.values()) <= {b"bag"}, leaks  # "bag" is also a class of the label set
    assert {method for method, secret in leaks.items()} <= {"NextTask", "ListQueues"}


async def calls(labeling, known):
    """Every unary RPC of labeling as "ann" calls it with what she knows: its name and the answer's bytes, if any."""
    services = [
        labeling_service_pb2.DESCRIPTOR.services_by_name["LabelingService"],
        management_service_pb2.DESCRIPTOR.services_by_name["ManagementService"],
        review_service_pb2.DESCRIPTOR.services_by_name["ReviewService"],
    ]
    for method in (method for service in services for method in service.methods):
        if method.client_streaming or method.server_streaming:
            continue
        request_type = GetMessageClass(method.input_type)
        fields = request_type.DESCRIPTOR.fields_by_name
        request = request_type(**{name: value for name, value in known.items() if name in fields})
        try:
            yield (
                method.name,
                await labeling.raw("ann", f"/{method.containing_service.full_name}/{method.name}", request),
            )
        except grpc.aio.AioRpcError:
            yield method.name, None


def shape(message) -> dict[str, object]:
    """The fields that are set: the length of ids of tasks, nothing of other ids and times, the others as they are."""

    def told(name: str, value: object) -> object:
        if name == "label_task_id":
            return len(str(value))
        return None if name.endswith(("_id", "_time")) else str(value)

    return {field.name: told(field.name, value) for field, value in message.ListFields()}
