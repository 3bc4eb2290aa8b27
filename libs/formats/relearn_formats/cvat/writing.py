"""Records as CVAT's XML 1.1, written as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element, SubElement  # built and told, never parsed

from relearn.labeling.v1.label_task_pb2 import Region
from relearn.labeling.v1.region_pb2 import Box
from relearn_formats.holding import Holds, check, held
from relearn_formats.records import Options, Record, Refused, Report
from relearn_formats.xml import told

HOLDS: Final = Holds(kinds=frozenset({"whole", "box", "polygon", "track"}), attributes=True)
_HEAD: Final = b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """Pictures, or one video: a file can't say which of several a track is of."""
    stream.write(_HEAD)
    number, last, video = 0, None, False
    for one in held(records, HOLDS, report):
        try:
            check(one)
            if one.sample == last:
                raise Refused("REPEATED_SAMPLE", "the format holds one answer a sample")
            if video or (number and _is_video(one)):
                raise Refused("SEVERAL_VIDEOS", "a file holds the tracks of one video, or pictures")
            parts = _video(one, options) if _is_video(one) else [told(_image(one, number, options))]
        except Refused as error:
            report(error.at(one.sample or one.place))
            continue
        stream.writelines(parts)
        last, video, number = one.sample, _is_video(one), number + 1
    stream.write(b"</annotations>\n")


def _is_video(record: Record) -> bool:
    return any(region.HasField("track") for region in record.regions)


def _size(record: Record, options: Options) -> tuple[int, int]:
    if record.media.width and record.media.height:
        return record.media.width, record.media.height
    if (known := options.size_of(record.sample)) is not None:
        return known
    raise Refused("NO_SIZE", "a sample is told with its size, which is not known")


def _image(record: Record, number: int, options: Options) -> Element:
    width, height = _size(record, options)
    image = Element("image", id=str(number), name=record.sample, width=str(width), height=str(height))
    for region in record.regions:
        values = {one.name: one.value for one in region.attributes}
        shape = SubElement(image, "tag", label=region.label, source="manual")
        if region.HasField("box"):
            shape.tag = "box"
            _place(shape, region.box, values)
        elif region.HasField("polygon"):
            shape.tag = "polygon"
            shape.set("points", ";".join(f"{_n(point.x)},{_n(point.y)}" for point in region.polygon.points))
            _flag(shape, values)
        _say(shape, values)
    return image


def _video(record: Record, options: Options) -> list[bytes]:
    if other := next((region for region in record.regions if not region.HasField("track")), None):
        raise Refused("MIXED_KINDS", f"a video is told by tracks alone, not with a {other.WhichOneof('part')}")
    meta = Element("meta")
    task = SubElement(meta, "task")
    SubElement(task, "name").text = record.sample
    SubElement(task, "size").text = str(record.media.frames or "")
    SubElement(task, "mode").text = "interpolation"
    size = SubElement(task, "original_size")
    for name, value in zip(("width", "height"), _size(record, options), strict=True):
        SubElement(size, name).text = str(value)
    SubElement(task, "source").text = record.sample
    return [told(meta), *(told(_track(region, number)) for number, region in enumerate(record.regions))]


def _track(region: Region, number: int) -> Element:
    track = Element("track", id=str(number), label=region.label, source="manual")
    for key in region.track.keyframes:
        values = {one.name: one.value for one in region.attributes}
        shape = SubElement(track, "box", frame=str(key.frame), outside=str(int(key.hidden)), keyframe="1")
        _place(shape, key.box, values)
        _say(shape, values)
    return track


def _place(shape: Element, box: Box, values: dict[str, str]) -> None:
    for name, value in (
        ("xtl", box.x),
        ("ytl", box.y),
        ("xbr", box.x + box.width),
        ("ybr", box.y + box.height),
    ):
        shape.set(name, _n(value))
    _flag(shape, values)


def _flag(shape: Element, values: dict[str, str]) -> None:
    shape.set("occluded", values.pop("occluded") if values.get("occluded") == "1" else "0")
    shape.set("z_order", "0")


def _say(shape: Element, values: dict[str, str]) -> None:
    for name, value in values.items():
        SubElement(shape, "attribute", name=name).text = value


def _n(value: float) -> str:
    return repr(value).removesuffix(".0")
