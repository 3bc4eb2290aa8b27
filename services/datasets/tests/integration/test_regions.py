"""Labels of every kind, of samples of every modality: accepted, committed, diffed, packed."""

from __future__ import annotations

import polars as pl
from datasets_world import accepted, png, project, tone, video

from relearn.datasets.v1 import datasets_service_pb2 as pb
from relearn.datasets.v1.sample_pb2 import LabelRegions
from relearn.labeling.v1 import region_pb2
from relearn.labeling.v1.events_pb2 import LabelSuperseded
from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.region_pb2 import Attribute, Box, Keyframe, Point, Polygon, Segment, Span, Track
from relearn.registry.v1 import project_pb2 as registry_pb
from relearn_runtime.testing import eventually, publish

TEXT = b"The boot is in the bag."
BOX = Box(x=1, y=2, width=3, height=4)
OTHER_BOX = Box(x=2, y=2, width=3, height=4)


def drawn(part: dict, label: str = "boot", **more) -> Region:
    """As an annotator makes it."""
    return Region(**part, label=label, region_id="r1", origin=region_pb2.REGION_ORIGIN_DRAWN, **more)


KEYFRAMES = [Keyframe(frame=0, box=BOX), Keyframe(frame=9, box=OTHER_BOX, hidden=True)]
WORN = [Attribute(name="worn", value="yes")]
KINDS = {
    "boxes": (registry_pb.INPUT_KIND_IMAGE, ["BOX"], [drawn({"box": BOX}, attributes=WORN)]),
    "outlines": (
        registry_pb.INPUT_KIND_IMAGE,
        ["POLYGON"],
        [drawn({"polygon": Polygon(points=[Point(x=1, y=1), Point(x=5, y=1), Point(x=5, y=5)])})],
    ),
    "nothing-there": (registry_pb.INPUT_KIND_IMAGE, ["BOX"], []),
    "spans": (registry_pb.INPUT_KIND_TEXT, ["SPAN"], [drawn({"span": Span(start=4, end=8)})]),
    "words": (
        registry_pb.INPUT_KIND_AUDIO,
        ["SEGMENT"],
        [drawn({"segment": Segment(start_s=0.01, end_s=0.05)}, transcript="boot")],
    ),
    "transcripts": (registry_pb.INPUT_KIND_AUDIO, ["WHOLE"], [drawn({"whole": Whole()}, transcript="a boot")]),
    "walks": (
        registry_pb.INPUT_KIND_VIDEO,
        ["TRACK"],
        [drawn({"track": Track(keyframes=KEYFRAMES)})],
    ),
}


def said(regions: list[Region]) -> list[Region]:
    """Without what only tells how they came to be."""
    bare = []
    for one in regions:
        bare.append(Region.FromString(one.SerializeToString()))
        for name in ("region_id", "origin", "score", "model_version_id"):
            bare[-1].ClearField(name)
    return bare


async def put_labeled(world, name: str, content: bytes, regions: list[Region], **more) -> None:
    await world.put(content, name=name)
    await publish(world.kafka, accepted(content, name=name, regions=regions, **more))


async def test_a_label_of_every_kind_comes_into_a_version_its_diff_and_its_pack(datasets):
    contents = {
        registry_pb.INPUT_KIND_IMAGE: png(1),
        registry_pb.INPUT_KIND_TEXT: TEXT,
        registry_pb.INPUT_KIND_AUDIO: tone(800),
        registry_pb.INPUT_KIND_VIDEO: video(10),
    }
    for name, (input_kind, kinds, regions) in KINDS.items():
        await datasets.apply(project(name, labels=1, input_kind=input_kind, region_kinds=kinds))
        await put_labeled(datasets, name, contents[input_kind], regions)

    for name, (input_kind, _, regions) in KINDS.items():
        await datasets.committed(1, name)
        content, expected = contents[input_kind], LabelRegions(regions=said(regions))
        sample = (await datasets.sample(content, name=name)).sample
        (change,) = (await datasets.diff(None, 1, name)).changes
        (row,) = (await pack(datasets, name)).iter_rows(named=True)
        class_name = "boot" if name == "transcripts" else ""
        assert sample.HasField("regions"), name
        assert (sample.regions, sample.label) == (expected, class_name)
        assert (change.new_regions, change.new_label, change.HasField("old_regions")) == (expected, class_name, False)
        assert (row["regions"], row["label"]) == (expected.SerializeToString(deterministic=True), class_name or None)
    annotators = (await datasets.sample(png(1), name="boxes", role="annotator")).sample
    assert not annotators.HasField("regions")


async def test_several_classes_and_none_are_labels_of_a_sample(datasets):
    await datasets.apply(project("tags", labels=3, multi_label=True))
    tagged = {1: ["boot", "bag"], 2: ["boot"], 3: []}

    for number, classes in tagged.items():
        await put_labeled(datasets, "tags", png(number), [drawn({"whole": Whole()}, name) for name in classes])

    version = await datasets.committed(1, "tags")
    assert version.counts.selected == 3
    samples = {number: (await datasets.sample(png(number), name="tags")).sample for number in tagged}
    assert {n: {one.label for one in sample.regions.regions} for n, sample in samples.items()} == {
        number: set(classes) for number, classes in tagged.items()
    }
    assert {number: sample.label for number, sample in samples.items()} == {1: "", 2: "boot", 3: ""}
    assert all(sample.HasField("regions") for sample in samples.values())


async def test_a_label_that_says_something_else_is_a_relabel_and_one_that_says_the_same_confirms(datasets):
    await datasets.apply(project("boxes", labels=1, region_kinds=["BOX"]))
    two = [drawn({"box": BOX}), Region(box=OTHER_BOX, label="bag", region_id="r2", score=0.5, model_version_id="m")]
    await put_labeled(datasets, "boxes", png(1), two, revision=1, label_id="first")
    first = await datasets.committed(1, "boxes")

    confirming = accepted(png(1), name="boxes", regions=said(two)[::-1], revision=2, label_id="confirming")
    await publish(datasets.kafka, confirming)
    confirmed = await datasets.committed(2, "boxes")
    correcting = accepted(png(1), name="boxes", regions=two[:1], revision=3, label_id="correcting")
    correcting.label.reviewer = "rev"
    task_id = correcting.label_task_id
    await publish(
        datasets.kafka, LabelSuperseded(label_id="confirming", by_label_id="correcting", label_task_id=task_id)
    )
    await publish(datasets.kafka, correcting)
    corrected = await datasets.committed(3, "boxes")
    await publish(datasets.kafka, accepted(png(1), name="boxes", regions=[], revision=4, label_id="emptied"))
    emptied = await datasets.committed(4, "boxes")

    assert [one.relabeled for one in (first, confirmed, corrected, emptied)] == [0, 0, 1, 1]
    assert [one.counts.selected for one in (first, confirmed, corrected, emptied)] == [1, 1, 1, 1]
    assert list((await datasets.diff(1, 2, "boxes")).changes) == []
    (change,) = (await datasets.diff(1, 3, "boxes")).changes
    assert (list(change.new_regions.regions), change.label_id) == (said(two[:1]), "correcting")
    assert sorted(map(repr, change.old_regions.regions)) == sorted(map(repr, said(two)))
    (back,) = (await datasets.diff(4, 3, "boxes")).changes
    assert (list(back.old_regions.regions), list(back.new_regions.regions)) == ([], said(two[:1]))
    assert back.HasField("old_regions")
    assert len({one.digest for one in (first, confirmed, corrected, emptied)}) == 4


async def test_a_diff_whose_regions_are_large_has_pages_of_fewer_changes(datasets):
    await datasets.apply(project("outlines", labels=18, region_kinds=["POLYGON"]))
    points = [Point(x=1 + n / 7, y=1 + n / 3) for n in range(1000)]
    large = [drawn({"polygon": Polygon(points=points)}) for _ in range(36)]  # 0.7 MiB

    for number in range(18):
        await datasets.put(png(number), name="outlines")
        await publish(datasets.kafka, accepted(png(number), name="outlines", regions=large))
    await datasets.committed(1, "outlines")

    pages = [await datasets.diff(None, 1, "outlines")]
    while pages[-1].next_page_token:
        pages.append(await datasets.diff(None, 1, "outlines", page_token=pages[-1].next_page_token))
    assert len(pages) > 1
    assert sum(len(page.changes) for page in pages) == 18
    assert {page.added for page in pages} == {18}
    assert len({change.sample_id for page in pages for change in page.changes}) == 18


async def pack(world, name: str) -> pl.DataFrame:
    """The index of the first version's pack."""

    async def ready():
        response = await world.stub("service").GetPack(pb.GetPackRequest(dataset_version_id=f"{name}/data/1"))
        return response if response.ready else None

    response = await eventually(ready)
    return pl.read_parquet(world.objects / response.prefix / "index.parquet")
