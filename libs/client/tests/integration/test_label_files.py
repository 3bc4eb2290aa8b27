"""Labels in the formats of other tools come in once, with their media, and go out again."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from client_stack import CLASSES, png, project

from relearn_client import InvalidInput
from relearn_formats import FORMATS, Options, Record, read


@pytest.fixture
def boxes(relearn):
    """The name of a project of this test's own, whose answers are boxes with a colour."""
    name = f"boxes-{uuid4().hex[:8]}"
    schema = {"classes": list(CLASSES), "region_kinds": ["box"], "attributes": [{"name": "colour"}]}
    relearn.apply_project(project(name) | {"label_set": schema})
    return name


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    seed = uuid4().int % 2**31
    for number, name in enumerate(["one.png", "two.png", "sub/three.png"]):
        (folder / name).write_bytes(png(seed + number))
    return folder


@pytest.fixture
def coco(tmp_path):
    """Three pictures and one that is not there; what is 8 x 8 pixels large has no place for much."""
    box = {"category_id": 7, "bbox": [1, 2, 3.5, 4], "segmentation": [], "iscrowd": 0}
    colours = {"colour": "red", "occluded": False}
    document = {
        "images": [
            {"id": number, "file_name": name, "width": 8, "height": 8}
            for number, name in enumerate(["one.png", "two.png", "sub/three.png", "gone.png"])
        ],
        "categories": [{"id": 7, "name": CLASSES[0]}, {"id": 9, "name": "hat"}],
        "annotations": [
            box | {"id": 1, "image_id": 0, "attributes": colours},
            box | {"id": 2, "image_id": 1, "category_id": 9},
            box | {"id": 3, "image_id": 2, "segmentation": {"counts": [1], "size": [8, 8]}},
        ],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(document))
    return path


def test_a_coco_file_comes_in_with_its_pictures_and_twice_is_once(relearn, boxes, coco, pictures):
    first = relearn.import_labels(boxes, coco, format="coco", media=pictures)
    again = relearn.import_labels(boxes, coco, format="coco", media=pictures)

    assert (first.records, first.taken, first.repeated, first.uploaded) == (4, 1, 0, 2)
    assert (again.taken, again.repeated, again.uploaded) == (1, 1, 0)
    told = {one.reason: one.place for one in first.problems}
    assert told == {
        "RLE": "annotation 3 (id 3)",
        "INCOMPLETE": "image 3",
        "NO_MEDIA": "image 4",
        "NOT_IN_LABEL_SET": "image 2",
        "UNKNOWN_ATTRIBUTE": "image 1",
    }
    (task,) = relearn.label_tasks(boxes)
    assert task.state == "accepted"
    partial = relearn.import_labels(boxes, coco, format="coco", media=pictures, partial=True)
    assert (partial.taken, partial.repeated, partial.uploaded) == (2, 1, 1)


def test_what_came_in_goes_out_in_another_format_and_later_only_what_changed(relearn, boxes, coco, pictures, tmp_path):
    relearn.import_labels(boxes, coco, format="coco", media=pictures)

    done = relearn.export_labels(boxes, tmp_path / "labels.xml", format="cvat", media=pictures, finished_only=True)
    nameless = relearn.export_labels(boxes, tmp_path / "yolo", format="yolo")
    later, give_up = done, time.monotonic() + 60
    while later.tasks and time.monotonic() < give_up:  # what is told beside open transactions may come twice
        later = relearn.export_labels(boxes, tmp_path / "later.jsonl", format="jsonl", since=later.cursor)

    assert (done.tasks, done.problems) == (1, ())
    (record,) = read(FORMATS["cvat"], tmp_path / "labels.xml", Options())
    assert isinstance(record, Record)
    (region,) = record.regions
    assert (record.sample, region.label, region.box.width) == ("one.png", CLASSES[0], 3.5)
    assert [(one.name, one.value) for one in region.attributes] == [("colour", "red")]
    assert [one.reason for one in nameless.problems] == ["NO_ATTRIBUTES"]  # its size was asked of datasets
    assert len([*(tmp_path / "yolo" / "labels").iterdir()]) == 1
    assert later.tasks == 0


def test_answers_go_out_and_come_in_by_sample_id_without_media(relearn, boxes, coco, pictures, tmp_path):
    relearn.import_labels(boxes, coco, format="coco", media=pictures)

    out = relearn.export_labels(boxes, tmp_path / "answers.jsonl", format="jsonl", answers=True)
    back = relearn.import_labels(boxes, tmp_path / "answers.jsonl", format="jsonl")

    (line,) = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert json.loads(line)["annotator"] == "import:instances.json"
    assert (out.tasks, back.taken, back.problems) == (1, 1, ())
    assert relearn.label_tasks(boxes)[0].answers == 2
    with pytest.raises(InvalidInput, match="one answer a sample"):
        relearn.export_labels(boxes, tmp_path / "coco.json", format="coco", answers=True)
    with pytest.raises(InvalidInput, match="no format 'cocoa'"):
        relearn.import_labels(boxes, coco, format="cocoa")


def test_a_picture_that_datasets_refuses_stops_no_other(relearn, fruit, pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    (tmp_path / "labels.csv").write_text("sample,label\none.png,boot\nbroken.png,boot\ntwo.png,shirt\n")

    done = relearn.import_labels(fruit, tmp_path / "labels.csv", format="csv", media=pictures)

    assert (done.taken, done.uploaded) == (2, 2)
    assert [(one.place, one.reason) for one in done.problems] == [("line 3", "IMAGE_UNDECODABLE")]
