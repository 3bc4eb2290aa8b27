"""CVAT's pictures, one at a time, and its tracks, which are of one video and so become one record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element  # what the safe reader gives; nothing is parsed by it

from relearn.labeling.v1.label_task_pb2 import Region, Whole
from relearn.labeling.v1.region_pb2 import Box
from relearn_formats import regions
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused
from relearn_formats.xml import elements, text_of

_CORNERS: Final = ("xtl", "ytl", "xbr", "ybr")


@dataclass(slots=True)
class _Video:
    """What the file says of the video that its tracks are of."""

    name: str = ""
    media: Media = field(default_factory=Media)
    tracks: int = 0
    found: list[Region] = field(default_factory=list)
    complete: bool = True
    seen: bool = False


def read(stream: BinaryIO, options: Options) -> Read:
    """Records of a file, a problem for each shape that has no place here.

    Raises:
        Refused: the file is no XML, or ends early.
    """
    video, images = _Video(), 0
    for element in elements(stream, {"meta", "image", "track"}):
        if element.tag == "meta":
            _note(element, video)
        elif element.tag == "image":
            images += 1
            yield from _image(element, images)
        else:
            video.tracks += 1
            yield from _track(element, video)
    if video.tracks or (video.seen and not images):
        yield Record(
            sample=video.name,
            media=video.media,
            regions=tuple(video.found),
            complete=video.complete,
            place=f"{video.tracks} tracks",
        )


def _note(meta: Element, video: _Video) -> None:
    source = next((one for one in meta.iter("source") if (one.text or "").strip()), None)
    video.name = (source.text or "").strip() if source is not None else ""
    task = meta.find("task")
    if task is None:
        task = meta.find("job")
    if task is None:
        return
    video.name = video.name or text_of(task, "name")
    video.seen = text_of(task, "mode") == "interpolation"
    frames = text_of(task, "size")
    size = task.find("original_size")
    if size is None:
        size = meta.find("original_size")
    sides = ["", ""] if size is None else [text_of(size, side) for side in ("width", "height")]
    width, height = (int(side) if side.isdigit() else None for side in sides)
    video.media = Media(width=width, height=height, frames=int(frames) if frames.isdigit() else None)


def _image(element: Element, number: int) -> Read:
    name = element.get("name", "")
    place = f"image {number} ({name})"
    found: list[Region] = []
    complete = True
    for shape_number, shape in enumerate(element, start=1):
        try:
            found.append(_shape(shape))
        except Refused as error:
            complete = False
            yield error.at(f"{place}, {shape.tag} {shape_number}", kept=True)
    try:
        if not name:
            raise Refused("NO_SAMPLE", "an image without a name")
        media = Media(width=regions.size(element.get("width")), height=regions.size(element.get("height")))
        yield Record(sample=name, media=media, regions=tuple(found), complete=complete, place=place)
    except Refused as error:
        yield error.at(place)


def _shape(shape: Element) -> Region:
    region = Region(label=_label(shape), attributes=regions.attributes(_attributes(shape)))
    if shape.tag == "tag":
        region.whole.CopyFrom(Whole())
    elif shape.tag == "box":
        region.box.CopyFrom(_box(shape))
    elif shape.tag == "polygon":
        points = [point.split(",") for point in shape.get("points", "").split(";") if point]
        if any(len(point) != 2 for point in points):
            raise Refused("ODD_COORDINATES", "points are x,y;x,y;...")
        region.polygon.CopyFrom(regions.polygon((x, y) for x, y in points))
    else:
        raise Refused("UNKNOWN_KIND", f"a shape {shape.tag!r} has no place here")
    return region


def _box(shape: Element) -> Box:
    if regions.number(shape.get("rotation", 0)) % 360:
        raise Refused("ROTATED_BOX", f"boxes are upright, this one is rotated by {shape.get('rotation')} degrees")
    left, upper, right, lower = (regions.number(shape.get(corner)) for corner in _CORNERS)
    return regions.box(left, upper, right - left, lower - upper)


def _track(element: Element, video: _Video) -> Read:
    place = f"track {element.get('id', video.tracks)}"
    try:
        keys = [shape for shape in element if shape.get("keyframe", "1") == "1"]
        if other := next((shape.tag for shape in keys if shape.tag != "box"), None):
            raise Refused("UNKNOWN_KIND", f"a track of shapes {other!r} has no place here")
        made = regions.track(
            regions.keyframe(shape.get("frame"), _box(shape), hidden=shape.get("outside") == "1") for shape in keys
        )
        said = [_attributes(shape) for shape in keys]
        label = _label(element)
    except Refused as error:
        video.complete = False
        yield error.at(place, kept=True)
        return
    if any(values != said[0] for values in said):
        message = "an attribute that changes along a track: its first value is taken"
        yield Problem(place=place, reason="CHANGING_ATTRIBUTE", message=message, kept=True)
    name = f"track-{element.get('id', video.tracks)}"
    video.found.append(Region(label=label, track=made, region_id=name, attributes=regions.attributes(said[0])))


def _label(shape: Element) -> str:
    if not (label := shape.get("label", "")):
        raise Refused("NO_CLASS", "a shape without a label")
    return label


def _attributes(shape: Element) -> dict[str, str]:
    values = {one.get("name", ""): one.text or "" for one in shape.iterfind("attribute")}
    return values | ({"occluded": "1"} if shape.get("occluded") == "1" else {})
