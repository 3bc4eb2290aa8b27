"""A small file of each tool, and what becomes of it; see data/README.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import FORMATS, Media, Options, Problem, Record, Status, read

DATA = Path(__file__).parent.parent / "data"
OPTIONS = Options(size_of=lambda _: (640, 480), default_class="speech")


def of(name: str, file: str, options: Options = OPTIONS) -> tuple[list[Record], dict[str, str]]:
    """The records, and the reasons of what was not read by their places."""
    found = list(read(FORMATS[name], DATA / file, options))
    problems = {one.place: one.reason for one in found if isinstance(one, Problem)}
    return [one for one in found if isinstance(one, Record)], problems


def box(region: Region) -> tuple[float, float, float, float]:
    return region.box.x, region.box.y, region.box.width, region.box.height


def test_label_studio():
    records, problems = of("label-studio", "label-studio.json")

    picture, suggested, text, sound, video, task = records
    assert problems == {
        "task 1 (id 101), annotation 1, result qC3": "ROTATED_BOX",
        "task 1 (id 101), annotation 2": "SKIPPED",
    }
    assert (picture.sample, picture.annotator, picture.time_spent_s) == ("street_1.jpg", "ann@example.org", 5.25)
    assert (picture.media, picture.complete) == (Media(width=640, height=480), False)
    car, road = picture.regions
    assert (car.label, car.region_id, box(car)) == ("car", "qA1", (64, 120, 320, 60))
    assert [(one.name, one.value) for one in car.attributes] == [("colour", "red")]
    assert [(point.x, point.y) for point in road.polygon.points] == [(0, 0), (320, 0), (320, 240)]
    assert (suggested.status, suggested.annotator, suggested.regions[0].score) == (Status.SUGGESTION, "v3", 0.75)
    assert (text.sample, text.media.text, text.status) == ("", "😀 Ann was here.", Status.LABEL)
    person, positive = text.regions
    assert (person.span.start, person.span.end) == (3, 6)  # the smile is two code units, one code point
    assert (positive.WhichOneof("part"), positive.label) == ("whole", "positive")
    assert (sound.sample, sound.media.duration_s) == ("calls/one.wav", 12.5)
    assert (sound.regions[0].segment.start_s, sound.regions[0].transcript) == (0.5, "hello there")
    assert (video.sample, video.media) == ("media/cam 1.mp4", Media(width=320, height=240, frames=100, duration_s=4))
    track, turn = video.regions
    seen = [(key.frame, key.box.x, key.hidden) for key in track.track.keyframes]
    assert seen == [(0, 0, False), (10, 160, False), (11, 160, True)]
    assert (turn.segment.start_s, turn.segment.end_s) == (1.0, 2.0)
    assert (task.sample, task.status) == ("batch/two.jpg", Status.TASK)


def test_coco():
    records, problems = of("coco", "coco.json")

    first, second, empty = records
    assert problems == {"annotation 3 (id 3)": "RLE", "annotation 4": "UNKNOWN_IMAGE"}
    car, person = first.regions
    assert (first.sample, first.media) == ("street_1.jpg", Media(width=640, height=480))
    assert (car.label, box(car)) == ("car", (10.5, 20, 100, 50))
    assert {one.name: one.value for one in car.attributes} == {"occluded": "false", "colour": "red"}
    assert (person.label, len(person.polygon.points)) == ("person", 3)
    assert (second.sample, second.complete) == ("sub/street_2.jpg", False)
    assert (empty.regions, empty.status, empty.complete) == ((), Status.ANSWER, True)


def test_yolo():
    records, problems = of("yolo", "yolo")
    (outlined,), _ = of("yolo-segmentation", "yolo-segmentation")

    broken, empty, first = records
    assert problems == {"labels/broken.txt, line 1": "UNKNOWN_CLASS", "labels/broken.txt, line 2": "NO_NUMBER"}
    assert (broken.complete, empty.regions, empty.complete) == (False, (), True)
    person, car = first.regions
    assert (first.sample, person.label, box(person)) == ("street_1", "person", (240, 120, 160, 240))
    assert (car.label, car.score) == ("car", 0.875)
    assert [(point.x, point.y) for point in outlined.regions[0].polygon.points] == [(0, 0), (320, 0), (320, 240)]


def test_yolo_needs_the_size_of_the_pictures():
    records, problems = of("yolo", "yolo", Options())

    assert (records, set(problems.values())) == ([], {"NO_SIZE"})


def test_voc():
    (record,), problems = of("voc", "voc")

    assert problems == {"Annotations/street_1.xml, object 2": "EMPTY_BOX"}
    assert (record.sample, record.media, record.complete) == ("street_1.jpg", Media(width=640, height=480), False)
    assert box(record.regions[0]) == (10, 20, 100, 50)
    assert [(one.name, one.value) for one in record.regions[0].attributes] == [("truncated", "1")]


def test_cvat_pictures():
    (first, empty), problems = of("cvat", "cvat-images.xml")

    assert problems == {"image 1 (street_1.jpg), mask 4": "UNKNOWN_KIND"}
    car, road, tag = first.regions
    assert (car.label, box(car)) == ("car", (10.5, 20, 100, 50))
    assert {one.name: one.value for one in car.attributes} == {"colour": "red", "occluded": "1"}
    assert (len(road.polygon.points), tag.WhichOneof("part"), tag.label) == (3, "whole", "daylight")
    assert (empty.sample, empty.regions, empty.complete) == ("empty.jpg", (), True)


def test_cvat_tracks():
    (video,), problems = of("cvat", "cvat-video.xml")

    assert problems == {"track 0": "CHANGING_ATTRIBUTE", "track 1": "UNKNOWN_KIND"}
    assert (video.sample, video.complete) == ("vtest.avi", False)
    assert video.media == Media(width=768, height=576, frames=100)
    (walker,) = video.regions
    assert [(key.frame, key.hidden) for key in walker.track.keyframes] == [(0, False), (2, True)]
    assert [(one.name, one.value) for one in walker.attributes] == [("pose", "walking")]


def test_conll():
    records, problems = of("conll", "conll2003.txt")

    first, last = records
    assert problems == {"line 15": "NO_TAG"}
    assert first.media.text == "EU rejects German call .\nPeter Blackburn"
    assert [(one.label, one.span.start, one.span.end) for one in first.regions] == [
        ("ORG", 0, 2),
        ("MISC", 11, 17),
        ("PER", 25, 40),
    ]
    assert (last.media.text, last.regions[1].label) == ("Zoë 😀 Rome", "LOC")
    assert (last.regions[1].span.start, last.regions[1].span.end) == (7, 11)


def test_asr():
    records, problems = of("asr", "asr.jsonl")

    hello, nothing, call = records
    assert problems == {"line 5": "NOT_JSON", "line 6": "NO_TEXT"}
    assert (hello.sample, hello.media.duration_s) == ("prompts/hello.wav", 1.5)
    assert (hello.regions[0].label, hello.regions[0].transcript) == ("speech", "hello world")
    assert (nothing.status, nothing.regions) == (Status.TASK, ())
    said = [(one.segment.start_s, one.segment.end_s, one.transcript) for one in call.regions]
    assert said == [(0.5, 1.75, "hello"), (3, 4, "goodbye")]


def test_asr_needs_a_class():
    records, problems = of("asr", "asr.jsonl", Options())

    assert [one.sample for one in records] == ["prompts/none.wav"]
    assert problems["line 1"] == "NO_CLASS"


def test_csv():
    records, problems = of("csv", "classes.csv")

    assert problems == {}
    told = [(one.sample, one.status, *(region.label for region in one.regions)) for one in records]
    assert told == [
        ("street_1.jpg", Status.ANSWER, "car"),
        ("a, b.jpg", Status.ANSWER, "person"),
        ("street_2.jpg", Status.TASK),
    ]


def test_jsonl():
    records, problems = of("jsonl", "labels.jsonl")

    assert problems == {"line 6": "NO_NUMBER"}
    kinds = [[region.WhichOneof("part") for region in one.regions] for one in records]
    assert kinds == [["box"], ["track"], ["span"], ["segment"], []]
    assert (records[0].agreement, records[0].status, records[4].status) == (1.0, Status.LABEL, Status.TASK)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_file_that_is_not_there_is_a_problem_and_no_error(name, tmp_path):
    (problem,) = read(FORMATS[name], tmp_path / "nowhere", OPTIONS)

    assert isinstance(problem, Problem)
