"""What can't be read or written is told with its place, and stops nothing else; a small file stays small."""

from __future__ import annotations

import json
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.region_pb2 import Attribute, Box, Point, Polygon, Span
from relearn_formats import FORMATS, Media, Options, Problem, Record, Refused, Status, read, write

SIZE = Media(width=100, height=100)
OPTIONS = Options(classes=("cat",), size_of=lambda _: (100, 100), default_class="cat")
BOX = Region(label="cat", box=Box(x=1, y=1, width=5, height=5))
OUTLINE = Region(label="cat", polygon=Polygon(points=[Point(x=1, y=1), Point(x=5, y=1), Point(x=5, y=5)]))
FILES = sorted(name for name, one in FORMATS.items() if not one.is_folder)
LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<annotation><filename>&c;</filename></annotation>
"""
FILE_ENTITY = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations><image name="&x;"/></annotations>'


def written(name, records, tmp_path, file="out"):
    problems: list[Problem] = []
    write(FORMATS[name], records, tmp_path / file, OPTIONS, problems.append)
    return problems


@pytest.mark.parametrize(
    ("name", "regions", "reason"),
    [
        ("yolo", [BOX, OUTLINE], "NO_POLYGON"),
        ("yolo-segmentation", [BOX], "NO_BOX"),
        ("voc", [OUTLINE], "NO_POLYGON"),
        ("coco", [Region(label="cat", whole=Whole())], "NO_WHOLE"),
        ("conll", [BOX], "NO_BOX"),
        ("asr", [BOX], "NO_BOX"),
        ("cvat", [Region(label="cat", span=Span(start=0, end=1))], "NO_SPAN"),
    ],
)
def test_a_record_that_the_format_cannot_hold_is_told_and_left_out_whole(name, regions, reason, tmp_path):
    records = [Record(sample="a.jpg", media=SIZE, regions=tuple(regions))]

    (problem,) = written(name, records, tmp_path)

    assert (problem.place, problem.reason, problem.kept) == ("a.jpg", reason, False)
    assert [one for one in read(FORMATS[name], tmp_path / "out", OPTIONS) if isinstance(one, Record)] == []


def test_an_attribute_that_the_format_cannot_hold_is_told_and_its_box_is_kept(tmp_path):
    region = Region(label="cat", box=BOX.box, attributes=[Attribute(name="colour", value="red")])

    (problem,) = written("yolo", [Record(sample="a.jpg", media=SIZE, regions=(region,))], tmp_path)

    assert (problem.reason, problem.kept) == ("NO_ATTRIBUTES", True)
    assert len(list(read(FORMATS["yolo"], tmp_path / "out", OPTIONS))) == 1


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "cvat", "conll"])
def test_a_sample_that_nobody_answered_is_not_written_as_one_with_nothing_in_it(name, tmp_path):
    (problem,) = written(name, [Record(sample="a.jpg", media=SIZE, status=Status.TASK)], tmp_path)

    assert problem.reason == "UNANSWERED"


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "cvat"])
def test_a_picture_with_two_answers_is_written_once(name, tmp_path):
    records = [Record(sample="a.jpg", media=SIZE, regions=(BOX,), annotator=who) for who in ("ann", "bob")]

    (problem,) = written(name, records, tmp_path)

    assert problem.reason == "REPEATED_SAMPLE"


@pytest.mark.parametrize("sample", ["../../etc/cron.d/a.jpg", "/etc/a.jpg", "a/../../b.jpg", ".."])
@pytest.mark.parametrize("name", ["yolo", "voc"])
def test_no_file_is_written_outside_of_the_folder(name, sample, tmp_path):
    (problem,) = written(name, [Record(sample=sample, media=SIZE, regions=(BOX,))], tmp_path)

    assert problem.reason == "UNSAFE_NAME"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_files_in_it_is_not_written_over(tmp_path):
    (tmp_path / "mine.txt").touch()

    with pytest.raises(Refused, match="name a folder that has none"):
        written("yolo", [], tmp_path, ".")


def test_spans_of_conll_that_overlap_and_texts_that_change_are_told(tmp_path):
    over = tuple(Region(label="PER", span=Span(start=start, end=5)) for start in (0, 4))
    cut = Region(label="PER", span=Span(start=0, end=3))
    records = [
        Record(sample="one", media=Media(text="Ann and"), regions=over),
        Record(sample="two", media=Media(text="Ann's  hat"), regions=(cut,)),
        Record(sample="three", regions=(cut,)),
    ]

    problems = written("conll", records, tmp_path)

    assert [(one.place, one.reason, one.kept) for one in problems] == [
        ("one", "OVERLAPPING_SPANS", False),
        ("two", "TEXT_CHANGED", True),
        ("three", "NO_TEXT", False),
    ]
    (back,) = read(FORMATS["conll"], tmp_path / "out", OPTIONS)
    assert (back.media.text, back.regions[0].span.end) == ("Ann 's hat", 3)


def test_xml_with_entities_is_refused_before_it_grows(tmp_path):
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "laughs.xml").write_text(LAUGHS)
    (tmp_path / "cvat.xml").write_text(LAUGHS.replace("annotation", "annotations"))
    (tmp_path / "file.xml").write_text(FILE_ENTITY)

    found = [
        *read(FORMATS["voc"], tmp_path / "voc", OPTIONS),
        *read(FORMATS["cvat"], tmp_path / "cvat.xml", OPTIONS),
        *read(FORMATS["cvat"], tmp_path / "file.xml", OPTIONS),
    ]

    assert [one.reason for one in found if isinstance(one, Problem)] == ["FORBIDDEN_XML"] * 3


def test_an_archive_that_would_grow_is_refused_file_by_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("classes.txt", "cat\n")
        archive.writestr("labels/a.txt", bytes(20 * 2**20))
        archive.writestr("labels/b.txt", "0 0.5 0.5 0.1 0.1\n")

    problem, record = read(FORMATS["yolo"], tmp_path / "bomb.zip", OPTIONS)

    assert (problem.reason, record.sample) == ("FILE_TOO_LARGE", "b")


def test_a_document_that_breaks_off_gives_what_was_before(tmp_path):
    (tmp_path / "a.json").write_text('[{"data": {"image": "a.jpg"}, "annotations": []}, {"data": {"im')

    record, problem = read(FORMATS["label-studio"], tmp_path / "a.json", OPTIONS)

    assert (record.sample, problem.place, problem.reason) == ("a.jpg", "after task 1", "NOT_JSON")


@pytest.mark.parametrize("name", FILES)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=25, deadline=None)
def test_whatever_a_file_holds_it_is_read_or_told(name, content, tmp_path_factory):
    path = tmp_path_factory.mktemp("f") / "a"
    path.write_bytes(content)

    assert all(isinstance(one, Record | Problem) for one in read(FORMATS[name], path, OPTIONS))


NUMBERS = st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
VALUE_NAMES = ["x", "y", "width", "height", "rotation", "points", "start", "end", "text", "labels", "choices",
               "rectanglelabels", "sequence", "ranges"]  # fmt: skip
RESULT_TYPES = ["rectanglelabels", "polygonlabels", "labels", "choices", "textarea", "videorectangle", "timelinelabels"]


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_whatever_stands_in_the_fields_of_a_task_it_is_read_or_told(data, tmp_path_factory):
    result = st.fixed_dictionaries(
        {
            "type": st.sampled_from(RESULT_TYPES),
            "value": st.one_of(ANYTHING, st.dictionaries(st.sampled_from(VALUE_NAMES), ANYTHING)),
        },
        optional={"id": ANYTHING, "original_width": ANYTHING, "original_height": ANYTHING, "score": ANYTHING},
    )
    results = data.draw(st.one_of(ANYTHING, st.lists(result, max_size=3)))
    annotation = {"result": results, "completed_by": data.draw(ANYTHING), "lead_time": data.draw(ANYTHING)}
    task = {"data": {"text": data.draw(st.text(max_size=5))}, "annotations": [annotation]}
    path = tmp_path_factory.mktemp("f") / "a"
    path.write_text(json.dumps([task, {"data": {"text": "the next"}}]))

    found = list(read(FORMATS["label-studio"], path, OPTIONS))

    assert found[-1] == Record(sample="", status=Status.TASK, media=Media(text="the next"))


@pytest.mark.parametrize("name", ["jsonl", "label-studio", "coco", "cvat", "csv"])
def test_memory_does_not_grow_with_the_file(name, tmp_path):
    def many(count):
        return (Record(sample=f"{n}.jpg", media=SIZE, regions=(BOX,) * 4) for n in range(count))

    def peak(count):
        written(name, many(count), tmp_path, str(count))
        tracemalloc.start()
        for _ in read(FORMATS[name], tmp_path / str(count), OPTIONS):
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(10)
    small, large = peak(100), peak(400)

    assert large < small + 300_000
