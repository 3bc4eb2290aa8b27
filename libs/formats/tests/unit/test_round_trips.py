"""Each format: what is written is read back, up to what its documentation says."""

from __future__ import annotations

import io
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.region_pb2 import (
    REGION_ORIGIN_DRAWN,
    REGION_ORIGIN_EDITED,
    Attribute,
    Box,
    Keyframe,
    Point,
    Polygon,
    Segment,
    Span,
    Track,
)
from relearn_formats import FORMATS, Media, Offsets, Options, Record, Status, read, write

WIDTH, HEIGHT = 640, 480
CLASSES = ("cat", "dog", "Zebra crossing", "naïve 猫")
OPTIONS = Options(classes=CLASSES, size_of=lambda _: (WIDTH, HEIGHT))
PRECISION = 1e-6  # pixels and seconds, and shares of the score

labels = st.sampled_from(CLASSES)
words = st.text(alphabet=string.ascii_letters + "äß猫😀-,;\"'<&>", min_size=1, max_size=8)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
xml_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20)


def attributes(values=texts):
    names = st.sampled_from(["truncated", "occluded", "pose", "colour", "side_2"])
    pairs = st.dictionaries(names, values, max_size=3)
    return pairs.map(lambda found: [Attribute(name=name, value=value) for name, value in sorted(found.items())])


@st.composite
def boxes(draw):
    x, right = sorted(draw(st.lists(st.integers(0, WIDTH * 64), min_size=2, max_size=2, unique=True)))
    y, lower = sorted(draw(st.lists(st.integers(0, HEIGHT * 64), min_size=2, max_size=2, unique=True)))
    return Box(x=x / 64, y=y / 64, width=(right - x) / 64, height=(lower - y) / 64)


points = st.builds(Point, x=st.floats(0, WIDTH), y=st.floats(0, HEIGHT))
# a last point that repeats the first closes the outline a second time, and is left out by readers
polygons = st.lists(points, min_size=3, max_size=6, unique_by=lambda one: (one.x, one.y)).map(
    lambda found: Polygon(points=found)
)
seconds = st.floats(0, 1e4, allow_nan=False)
segments = (
    st.tuples(seconds, seconds)
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: Segment(start_s=min(ends), end_s=max(ends)))
)


@st.composite
def tracks(draw):
    frames = sorted(draw(st.sets(st.integers(0, 200), min_size=1, max_size=6)))
    hidden = [False, *draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))]
    keys = [Keyframe(frame=frame, box=draw(boxes()), hidden=hidden[n]) for n, frame in enumerate(frames)]
    return Track(keyframes=keys)


@st.composite
def region(draw, parts, *, attribute_values=texts, transcripts=False, scores=False):
    made = Region(label=draw(labels), **draw(parts))
    made.attributes.extend(draw(attributes(attribute_values)) if attribute_values is not None else [])
    if transcripts:
        made.transcript = draw(texts)
    if scores and draw(st.booleans()):
        made.score = draw(st.floats(0, 1))
    return made


def part(name, values):
    return values.map(lambda value: {name: value})


wholes = st.just({"whole": Whole()})
box_parts, polygon_parts = part("box", boxes()), part("polygon", polygons)
track_parts, segment_parts = part("track", tracks()), part("segment", segments)


@st.composite
def spans(draw, text):
    """Spans of a text in code units, never in the middle of a character."""
    if not text:
        return []
    offsets = Offsets(text)
    places = st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True).map(sorted)
    found = draw(st.lists(places, max_size=4))
    return [
        Region(label=draw(labels), span=Span(start=offsets.to_code_units(a), end=offsets.to_code_units(b)))
        for a, b in found
    ]


@st.composite
def records(draw, regions, *, statuses=(Status.ANSWER,), name="{}.jpg", media=None, annotators=False):
    """Records of distinct samples, their regions with ids."""
    found = []
    for number in range(draw(st.integers(0, 4))):
        listed = draw(regions)
        status = draw(st.sampled_from(statuses))
        listed = [] if status is Status.TASK else listed
        for count, one in enumerate(listed):
            one.region_id = "" if one.HasField("whole") else f"r{count}"
        sample = name.format(f"{draw(words.filter(lambda word: set(word).isdisjoint(BAD)))}{number}")
        found.append(
            Record(
                sample=sample,
                regions=tuple(listed),
                status=status,
                media=media or Media(width=WIDTH, height=HEIGHT),
                annotator=draw(words) if annotators and status is not Status.TASK else "",
            )
        )
    return found


BAD = set("<>&;\"',😀")


def there_and_back(name: str, given_records, tmp: Path):
    """What comes back, and what the writer and the reader had to say."""
    problems = []
    path = tmp / "labels"
    write(FORMATS[name], iter(given_records), path, OPTIONS, problems.append)
    back = list(read(FORMATS[name], path, OPTIONS))
    return [one for one in back if isinstance(one, Record)], [
        *problems,
        *(one for one in back if not isinstance(one, Record)),
    ]


def same(one: Record, other: Record, *, ids: bool = False, ordered: bool = True) -> None:
    """Fails where two records say something else."""
    assert replace(one, regions=()) == replace(other, regions=())
    assert len(one.regions) == len(other.regions)
    ours, theirs = (
        (list(one.regions), list(other.regions)) if ordered else (_sorted(one.regions), _sorted(other.regions))
    )
    for first, second in zip(ours, theirs, strict=True):
        assert _words(first, ids=ids) == _words(second, ids=ids)
        assert _numbers(first) == pytest.approx(_numbers(second), abs=PRECISION)
        assert (first.score if first.HasField("score") else None) == pytest.approx(
            second.score if second.HasField("score") else None, abs=PRECISION
        )


def _sorted(regions):
    return sorted(regions, key=lambda one: (_numbers(one), one.label, one.transcript))


def _words(one: Region, *, ids: bool):
    said = sorted((attribute.name, attribute.value) for attribute in one.attributes)
    return one.WhichOneof("part"), one.label, one.transcript, said, one.region_id if ids else ""


def _numbers(one: Region) -> list[float]:
    if one.HasField("box"):
        return [one.box.x, one.box.y, one.box.width, one.box.height]
    if one.HasField("polygon"):
        return [side for point in one.polygon.points for side in (point.x, point.y)]
    if one.HasField("segment"):
        return [one.segment.start_s, one.segment.end_s]
    if one.HasField("span"):
        return [one.span.start, one.span.end]
    return [
        number
        for key in one.track.keyframes
        for number in (key.frame, key.box.x, key.box.y, key.box.width, key.box.height, key.hidden)
    ]


def every_kind(**more):
    parts = st.one_of(wholes, box_parts, polygon_parts, track_parts, segment_parts)
    return st.lists(region(parts, transcripts=True, scores=True, **more), max_size=4)


@pytest.mark.parametrize("name", ["jsonl", "csv"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_our_own_format_and_the_table_give_back_everything(name, data, tmp_path_factory):
    origins = st.sampled_from([0, REGION_ORIGIN_DRAWN, REGION_ORIGIN_EDITED])
    given_records = data.draw(
        records(every_kind(), statuses=tuple(Status), annotators=True, media=Media(text=data.draw(words)))
    )
    for one in given_records:
        for each in one.regions:
            each.origin, each.model_version_id = data.draw(origins), data.draw(words)

    back, problems = there_and_back(name, given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    assert back == given_records


@given(
    given_records=records(
        every_kind(), statuses=tuple(Status), annotators=True, media=Media(width=3, height=4, frames=5, duration_s=1.5)
    )
)
@settings(max_examples=20, deadline=None)
def test_our_own_format_keeps_what_a_label_rests_on(given_records, tmp_path_factory):
    given_records = [
        replace(one, agreement=0.5, posterior=0.25, time_spent_s=2.5, create_time="2026-01-01T00:00:00Z")
        for one in given_records
    ]

    back, problems = there_and_back("jsonl", given_records, tmp_path_factory.mktemp("f"))

    assert (back, problems) == (given_records, [])


@given(
    given_records=records(
        st.lists(region(st.one_of(box_parts, polygon_parts), transcripts=True, scores=True), max_size=4),
        statuses=tuple(Status),
        annotators=True,
    )
)
@settings(max_examples=20, deadline=None)
def test_label_studio_gives_back_pictures(given_records, tmp_path_factory):
    back, problems = there_and_back("label-studio", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    for one, other in zip(back, given_records, strict=True):
        media = other.media if other.regions else Media()  # its size stands in the results
        same(one, replace(other, media=media), ids=True)


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_label_studio_gives_back_texts_and_their_classes(data, tmp_path_factory):
    text = data.draw(texts.filter(len))
    found = [*data.draw(spans(text)), Region(label="cat", whole=Whole(), attributes=data.draw(attributes()))]
    for number, one in enumerate(found[:-1]):
        one.region_id = f"s{number}"
    record = Record(sample="a.txt", regions=tuple(found), media=Media(text=text))

    back, problems = there_and_back("label-studio", [record], tmp_path_factory.mktemp("f"))

    assert problems == []
    same(back[0], record, ids=True)


@given(given_records=records(st.lists(region(segment_parts, transcripts=True), max_size=4), name="{}.wav"))
@settings(max_examples=20, deadline=None)
def test_label_studio_gives_back_sounds(given_records, tmp_path_factory):
    given_records = [replace(one, media=Media(duration_s=1e4)) for one in given_records if one.regions]

    back, problems = there_and_back("label-studio", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    for one, other in zip(back, given_records, strict=True):
        same(one, other, ids=True)


@given(track=tracks())
@settings(max_examples=20, deadline=None)
def test_label_studio_shows_a_track_in_the_same_frames_at_the_same_places(track, tmp_path_factory):
    media = Media(width=WIDTH, height=HEIGHT, frames=210, duration_s=7.0)
    record = Record(
        sample="a.mp4", media=media, regions=(Region(label="cat", region_id="t", track=track),), status=Status.LABEL
    )

    back, problems = there_and_back("label-studio", [record], tmp_path_factory.mktemp("f"))

    assert problems == []
    read_back = back[0].regions[0].track
    for frame in range(210):
        assert _seen(read_back, frame) == pytest.approx(_seen(track, frame), abs=PRECISION), frame
    assert back[0].media == replace(media, width=None, height=None)


def _seen(track: Track, frame: int):
    """The box of a frame by the contract's words, None where it isn't seen."""
    before = [key for key in track.keyframes if key.frame <= frame]
    if not before or before[-1].hidden:
        return None
    first, after = before[-1], [key for key in track.keyframes if key.frame > frame]
    share = (frame - first.frame) / (after[0].frame - first.frame) if after else 0
    towards = after[0].box if after else first.box
    pairs = ((getattr(first.box, side), getattr(towards, side)) for side in ("x", "y", "width", "height"))
    return [one + share * (other - one) for one, other in pairs]


@given(given_records=records(st.lists(region(st.one_of(box_parts, polygon_parts), scores=True), max_size=4)))
@settings(max_examples=20, deadline=None)
def test_coco_gives_back_boxes_and_outlines(given_records, tmp_path_factory):
    back, problems = there_and_back("coco", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    for one, other in zip(back, given_records, strict=True):
        same(one, other)


@pytest.mark.parametrize(("name", "parts"), [("yolo", box_parts), ("yolo-segmentation", polygon_parts)])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_yolo_gives_back_boxes_or_outlines_by_the_name_without_ending(name, parts, data, tmp_path_factory):
    scores = name == "yolo"
    given_records = data.draw(records(st.lists(region(parts, attribute_values=None, scores=scores), max_size=4)))

    back, problems = there_and_back(name, given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    given_records = sorted(given_records, key=lambda one: one.sample)
    for one, other in zip(sorted(back, key=lambda one: one.sample), given_records, strict=True):
        same(one, replace(other, sample=other.sample.removesuffix(".jpg")))


@given(given_records=records(st.lists(region(box_parts, attribute_values=xml_texts), max_size=4)))
@settings(max_examples=20, deadline=None)
def test_voc_gives_back_boxes_and_attributes(given_records, tmp_path_factory):
    back, problems = there_and_back("voc", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    given_records = sorted(given_records, key=lambda one: one.sample)
    for one, other in zip(sorted(back, key=lambda one: one.sample), given_records, strict=True):
        same(one, other)


@given(
    given_records=records(
        st.lists(region(st.one_of(wholes, box_parts, polygon_parts), attribute_values=xml_texts), max_size=4)
    )
)
@settings(max_examples=20, deadline=None)
def test_cvat_gives_back_pictures(given_records, tmp_path_factory):
    back, problems = there_and_back("cvat", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    for one, other in zip(back, given_records, strict=True):
        same(one, other)


@given(found=st.lists(region(track_parts, attribute_values=xml_texts), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_cvat_gives_back_the_tracks_of_a_video(found, tmp_path_factory):
    record = Record(sample="a.mp4", regions=tuple(found), media=Media(width=WIDTH, height=HEIGHT, frames=210))

    back, problems = there_and_back("cvat", [record], tmp_path_factory.mktemp("f"))

    assert problems == []
    same(back[0], record)


@st.composite
def tokenized(draw):
    """A text as CoNLL holds it, with spans of whole tokens that don't overlap."""
    sentences = draw(st.lists(st.lists(words, min_size=1, max_size=5), min_size=1, max_size=3))
    text = "\n".join(" ".join(sentence) for sentence in sentences)
    offsets, found, begins = Offsets(text), [], 0
    for sentence in sentences:
        ends, place = [], begins
        for word in sentence:
            ends.append((place, place + len(word)))
            place += len(word) + 1
        begins = place
        number = 0
        while number < len(sentence):
            length = draw(st.integers(0, 2))
            if length:
                last = min(number + length, len(sentence)) - 1
                span = Span(start=offsets.to_code_units(ends[number][0]), end=offsets.to_code_units(ends[last][1]))
                found.append(Region(label=draw(st.sampled_from(["PER", "LOC"])), span=span))
            number += max(length, 1)
    return Record(sample="", regions=tuple(found), media=Media(text=text))


@given(given_records=st.lists(tokenized(), max_size=3))
@settings(max_examples=20, deadline=None)
def test_conll_gives_back_texts_of_tokens_with_their_spans(given_records, tmp_path_factory):
    back, problems = there_and_back("conll", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    for one, other in zip(back, given_records, strict=True):
        same(one, other)


@given(
    given_records=records(
        st.one_of(
            st.lists(region(wholes, attribute_values=None, transcripts=True), min_size=1, max_size=1),
            st.lists(region(segment_parts, attribute_values=None, transcripts=True), max_size=4),
        ),
        statuses=(Status.TASK, Status.ANSWER),
        name="{}.wav",
        annotators=True,
        media=Media(duration_s=12.5),
    )
)
@settings(max_examples=20, deadline=None)
def test_the_asr_manifest_gives_back_transcripts_in_the_order_of_time(given_records, tmp_path_factory):
    back, problems = there_and_back("asr", given_records, tmp_path_factory.mktemp("f"))

    assert problems == []
    for one, other in zip(back, given_records, strict=True):
        same(one, other, ordered=False)


@given(text=texts)
def test_places_of_a_text_are_the_same_in_code_units_and_in_code_points(text):
    offsets = Offsets(text)

    units = [offsets.to_code_units(place) for place in range(len(text) + 1)]

    assert units == [len(text[:place].encode("utf-16-le")) // 2 for place in range(len(text) + 1)]
    assert [offsets.to_code_points(unit) for unit in units] == list(range(len(text) + 1))
    assert offsets.code_units == units[-1]


def test_an_archive_is_as_good_as_a_folder(tmp_path):
    record = Record(
        sample="a/b.jpg",
        regions=(Region(label="cat", box=Box(x=1, y=2, width=3, height=4)),),
        media=Media(width=WIDTH, height=HEIGHT),
    )
    problems: list[object] = []

    write(FORMATS["voc"], [record], tmp_path / "a.zip", OPTIONS, problems.append)

    (back,) = read(FORMATS["voc"], tmp_path / "a.zip", OPTIONS)
    same(back, record)
    assert problems == []


def test_a_file_is_under_its_name_only_when_it_is_whole(tmp_path):
    def broken():
        yield Record(sample="a.jpg", media=Media(width=1, height=1))
        raise KeyError("the source's own error")

    with pytest.raises(KeyError):
        write(FORMATS["coco"], broken(), tmp_path / "a.json", OPTIONS, lambda _: None)

    assert list(tmp_path.iterdir()) == []


def test_streams_are_read_without_files(tmp_path):
    files = FORMATS["jsonl"].files
    assert files is not None
    stream = io.BytesIO(b'{"sample": "a.jpg", "regions": [{"kind": "whole", "label": "cat"}]}\n')

    (record,) = files[0](stream, Options())

    assert (record.sample, record.regions[0].label, record.status) == ("a.jpg", "cat", Status.ANSWER)
