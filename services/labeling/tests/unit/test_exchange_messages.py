"""Records of imports and exports on the wire."""

from __future__ import annotations

from datetime import timedelta

import pytest
from labeling_values import LABEL_SET, NOW, whole

from relearn.labeling.v1 import label_task_pb2 as task_pb
from relearn.labeling.v1 import management_service_pb2 as pb
from relearn.labeling.v1.region_pb2 import REGION_ORIGIN_DRAWN
from relearn_labeling import region_messages
from relearn_labeling.domain.answer_check import MOST_ANSWER_BYTES, MOST_REGIONS
from relearn_labeling.domain.errors import (
    InvalidRegion,
    InvalidRequest,
    NoRegion,
    NotInLabelSet,
    SampleNotFound,
    TooManyRegions,
)
from relearn_labeling.domain.regions import Origin
from relearn_labeling.exchange_messages import check_record, exported, given_answer

SAMPLE = "clothes/sample/" + "0a" * 32


def given(*regions, annotator="ann"):
    answer = pb.ImportedAnswer(regions=regions, annotator=annotator)
    return given_answer(answer, label_set=LABEL_SET, source="a file", id="a1")


def boot(**more):
    return task_pb.Region(whole=task_pb.Whole(), label="boot", **more)


def test_an_answer_is_told_as_imported_whatever_it_says_and_nobody_here_gave_it():
    answer = given(boot(origin=REGION_ORIGIN_DRAWN))

    assert answer.regions == (whole("boot", origin=Origin.IMPORTED),)
    assert (answer.annotator, given(boot(), annotator="").annotator) == ("import:ann", "import:a file")
    assert len(given(boot(), annotator="a" * 1000).annotator) == len("import:") + 200


@pytest.mark.parametrize(
    ("regions", "error"),
    [
        ([boot()] * (MOST_REGIONS + 1), TooManyRegions),
        ([boot(transcript="a" * MOST_ANSWER_BYTES)], InvalidRegion),
        ([task_pb.Region(label="boot")], NoRegion),
        ([], NoRegion),
        ([task_pb.Region(whole=task_pb.Whole(), label="hat")], NotInLabelSet),
    ],
)
def test_an_answer_that_no_annotator_could_give_is_refused(regions, error):
    with pytest.raises(error):
        given(*regions)


@pytest.mark.parametrize("sample_id", ["", "a", SAMPLE[:-1], SAMPLE + "0", SAMPLE.upper(), f"shoes{SAMPLE[7:]}"])
def test_a_sample_of_no_or_another_project_is_refused(sample_id):
    with pytest.raises(SampleNotFound):
        check_record(pb.AnnotatedSample(key="k", sample_id=sample_id), project_id="clothes")


def test_a_record_needs_a_key_that_can_be_kept():
    check_record(pb.AnnotatedSample(key="k" * 200, sample_id=SAMPLE), project_id="clothes")

    for key in ("", "k" * 201):
        with pytest.raises(InvalidRequest):
            check_record(pb.AnnotatedSample(key=key, sample_id=SAMPLE), project_id="clothes")


def test_rows_are_exported_as_they_are():
    regions = region_messages.content((whole("boot"),))
    task = {
        "label_task_id": "t1", "project_id": "clothes", "sample_id": SAMPLE, "label_set_version": 2,
        "state": "accepted", "overlap": 3, "answers": 1, "created_at": NOW, "updated_at": NOW, "label_id": "l1",
        "regions": regions, "annotation_ids": ["a1"], "label_answers": 1, "agreement": 0.5, "posterior": None,
        "time_spent": timedelta(seconds=2), "reviewer": "rita", "accepted_at": NOW,
    }  # fmt: skip
    answer = {"annotation_id": "a1", "label_task_id": "t1", "annotator": "ann", "regions": regions, "time_spent": None}

    told = exported(task, [answer | {"created_at": NOW}])
    open_task = exported(task | {"state": "open", "label_id": None}, [])

    assert (told.label_task.state, told.label_task.overlap) == (task_pb.LabelTask.STATE_ACCEPTED, 3)
    assert (told.label.label_id, told.label.reviewer, told.label.time_spent.seconds) == ("l1", "rita", 2)
    assert (told.label.HasField("posterior"), told.annotations[0].HasField("time_spent")) == (False, False)
    assert [*told.annotations[0].regions] == [*told.label.regions] == [boot()]
    assert (told.annotations[0].annotator, told.annotations[0].create_time.ToDatetime(NOW.tzinfo)) == ("ann", NOW)
    assert (open_task.HasField("label"), [*open_task.annotations]) == (False, [])
