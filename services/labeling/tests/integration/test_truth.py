"""Labels by posterior: who answers is weighed, doubt asks for one more, and a report says how good it all is."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from labeling_world import World, flag, project, refused, submission

from relearn.labeling.v1 import events_pb2, label_task_pb2
from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.registry.v1 import project_pb2
from relearn_runtime.testing import eventually


async def by_posterior(labeling: World, **policy: Any) -> None:
    more = {"overlap_selected": 1, "most_overlap": 3} | policy
    await labeling.apply(project(truth=project_pb2.TRUTH_DAWID_SKENE, **more))


async def test_doubt_asks_for_one_more_answer_and_the_label_says_how_sure_it_is(labeling: World):
    await by_posterior(labeling)
    await labeling.flagged(flag("f"))

    doubted = await labeling.answer("ann", "boot")
    settled = await labeling.answer("ben", "boot")

    assert doubted.task_state == label_task_pb2.LabelTask.STATE_OPEN
    assert settled.task_state == label_task_pb2.LabelTask.STATE_ACCEPTED
    (accepted,) = await labeling.collect(events_pb2.LabelAccepted, 1)
    assert accepted.message.label.posterior > 0.8
    assert accepted.message.label.answers == 2


async def test_annotators_are_learned_and_then_believed_or_not(labeling: World):
    await by_posterior(labeling, overlap_selected=3)
    await labeling.flagged(*(flag(f"f{n}", sample=f"s{n}") for n in range(16)))
    texts = {"ann": "boot", "ben": "boot", "cat": "bag"}  # cat is always wrong
    for _ in range(16):
        for annotator, text in texts.items():
            await labeling.answer(annotator, text)

    async def learned() -> bool:
        rows = await labeling.sql("select annotator, accuracy from skills where votes > 15")
        accuracy = dict(rows)
        return accuracy.keys() == texts.keys() and accuracy["ann"] > 0.8 > 0.5 > accuracy["cat"]

    await eventually(learned, deadline_s=30)
    await by_posterior(labeling, overlap_selected=1, revision=2)
    await labeling.flagged(flag("known", sample="known"), flag("doubted", sample="doubted"))
    believed = await labeling.answer("ann", "boot")
    doubted = await labeling.answer("cat", "bag")

    assert believed.task_state == label_task_pb2.LabelTask.STATE_ACCEPTED
    assert doubted.task_state == label_task_pb2.LabelTask.STATE_OPEN


async def test_a_report_says_how_the_queue_and_the_people_do(labeling: World):
    await labeling.apply(project(overlap_selected=3))
    said = {
        "s0": ("boot", "boot", "boot"),
        "s1": ("bag", "bag", "boot"),
        "s2": ("boot", "bag", "shirt"),
        "s3": ("bag",),
    }
    for sample in said:
        await labeling.flagged(flag(f"f-{sample}", sample=sample))
    for texts in said.values():
        for annotator, text in zip(("ann", "ben", "cat"), texts, strict=False):
            await labeling.answer(annotator, text)

    report = await labeling.management().GetLabelingReport(pb.GetLabelingReportRequest(project_id="clothes"))

    assert (report.open_tasks, report.disputed_tasks, report.labels, report.answers) == (1, 1, 2, 10)
    assert (report.answers_today, report.answers_per_day) == (10, 2000)
    assert report.oldest.ToTimedelta().total_seconds() > 0
    # coincidences of 9 answers in 3 samples: boot 5, bag 3, shirt 1; D_o 5 / 9, D_e (81 - 35) / 72
    assert report.alpha == pytest.approx(1 - (5 / 9) / (46 / 72))
    assert {one.label: one.answers for one in report.classes} == {"shirt": 1, "boot": 5, "bag": 4}
    (bucket,) = report.buckets
    assert (bucket.answers, bucket.labels, bucket.alpha) == (10, 2, pytest.approx(report.alpha))
    people = {one.annotator: one for one in report.annotators}
    assert [(who, one.answers, one.compared, one.agreed) for who, one in people.items()] == [
        ("ann", 4, 2, 2),
        ("ben", 3, 2, 2),
        ("cat", 3, 2, 1),
    ]
    assert [list(row.answers) for row in people["cat"].confusion] == [[0, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert people["ann"].HasField("last_seen_time")


async def test_a_report_of_boxes_compares_them_and_counts_what_became_of_suggestions(labeling: World):
    boxes = project(overlap_selected=2)
    boxes.label_set.region_kinds.append(project_pb2.REGION_KIND_BOX)
    await labeling.apply(boxes)
    await labeling.flagged(*(flag(f"f{n}", sample=f"s{n}") for n in range(2)))
    for number, x in enumerate((0, 100)):
        for annotator, origin in (("ann", "ACCEPTED"), ("ben", "EDITED")):
            task = (await labeling.next_task(annotator)).label_task
            region = label_task_pb2.Region(
                region_id="r",
                box={"x": x + (origin == "EDITED"), "y": 0, "width": 10, "height": 10},
                label="boot" if number else "bag",
                origin=f"REGION_ORIGIN_{origin}",
                model_version_id="clothes/model/1",
            )
            await labeling.stub(annotator).SubmitAnnotation(submission(task.label_task_id, "", regions=[region]))

    report = await labeling.management().GetLabelingReport(pb.GetLabelingReportRequest(project_id="clothes"))

    assert (report.labels, report.alpha) == (2, pytest.approx(1))
    counted = {one.label: (one.answers, one.suggestions_accepted, one.suggestions_edited) for one in report.classes}
    assert counted == {"shirt": (0, 0, 0), "boot": (2, 1, 1), "bag": (2, 1, 1)}
    assert [(one.compared, one.agreed, len(one.confusion)) for one in report.annotators] == [(2, 2, 0)] * 2


async def test_a_report_of_nothing_and_of_the_future(labeling: World):
    await labeling.apply(project())
    report = await labeling.management().GetLabelingReport(pb.GetLabelingReportRequest(project_id="clothes"))
    assert (report.open_tasks, report.answers, report.HasField("alpha"), report.HasField("oldest")) == (
        0,
        0,
        False,
        False,
    )

    request = pb.GetLabelingReportRequest(project_id="clothes")
    request.since.FromDatetime(labeling.clock().replace(year=2030))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT"):
        await labeling.management().GetLabelingReport(request)
