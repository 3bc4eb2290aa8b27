"""Pascal VOC: an XML file a picture, with boxes as edges in pixels.

Edges are counted from 0, as LabelImg, CVAT and Label Studio write them; the challenge itself counted pixels from 1, so
that its own boxes are off by at most one pixel. Attributes are the elements `truncated`, `difficult`, `occluded` and
`pose` where they say something, and `attributes` as CVAT writes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element, ParseError, SubElement  # built and told; defusedxml parses

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.folders import Folder, inside
from relearn_formats.holding import Holds, check, held
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Report
from relearn_formats.xml import text_of, told

HOLDS: Final = Holds(kinds=frozenset({"box"}), attributes=True)
_FLAGS: Final = ("truncated", "difficult", "occluded")
_NO_POSE: Final = frozenset({"", "Unspecified"})
_EDGES: Final = ("xmin", "ymin", "xmax", "ymax")


def read(folder: Folder, options: Options) -> Read:
    """A record an XML file, a problem for each object that has no place here."""
    for name in folder.names():
        if not name.endswith(".xml"):
            continue
        try:
            root = fromstring(folder.read(name), forbid_dtd=True)
        except ParseError as error:
            yield Problem(place=name, reason="NOT_XML", message=f"no well-formed XML: {error}")
        except DefusedXmlException as error:
            message = f"XML with a document type or entities is not read: {error}"
            yield Problem(place=name, reason="FORBIDDEN_XML", message=message)
        except Refused as error:
            yield error.at(name)
        else:
            yield from _record(root, name)


def write(records: Iterable[Record], folder: Folder, options: Options, report: Report) -> None:
    """`Annotations/<sample>.xml`."""
    last = None
    for one in held(records, HOLDS, report):
        try:
            check(one)
            path = str(PurePosixPath("Annotations", inside(one.sample)).with_suffix(".xml"))
            if path == last:
                raise Refused("REPEATED_SAMPLE", "the format holds one answer a picture")
            folder.add(path, told(_element(one, options)))
            last = path
        except Refused as error:
            report(error.at(one.sample))


def _record(root: Element, name: str) -> Read:
    if root.tag != "annotation":
        yield Problem(place=name, reason="NO_ANNOTATION", message=f"the file is no annotation but {root.tag!r}")
        return
    found: list[Region] = []
    complete = True
    for number, element in enumerate(root.iterfind("object"), start=1):
        try:
            found.append(_region(element))
        except Refused as error:
            complete = False
            yield error.at(f"{name}, object {number}", kept=True)
    try:
        media = _media(root)
    except Refused as error:
        yield error.at(f"{name}, size")
        return
    sample = text_of(root, "filename") or PurePosixPath(name).stem
    yield Record(sample=sample, regions=tuple(found), media=media, complete=complete, place=name)


def _media(root: Element) -> Media:
    """Its size; 0, which some tools write, is none."""
    sides = [text_of(root, f"size/{side}") for side in ("width", "height")]
    width, height = (None if side in ("", "0") else regions.size(side) for side in sides)
    return Media(width=width, height=height)


def _region(element: Element) -> Region:
    if not (label := text_of(element, "name")):
        raise Refused("NO_CLASS", "an object without a name")
    if (box := element.find("bndbox")) is None:
        raise Refused("NO_BOX", f"an object without a box: {label}")
    left, upper, right, lower = (regions.number(text_of(box, edge)) for edge in _EDGES)
    values = {flag: "1" for flag in _FLAGS if text_of(element, flag) == "1"}
    if (pose := text_of(element, "pose")) not in _NO_POSE:
        values["pose"] = pose
    for one in element.iterfind("attributes/attribute"):
        values[text_of(one, "name")] = one.findtext("value") or ""
    sides = regions.box(left, upper, right - left, lower - upper)
    return Region(label=label, box=sides, attributes=regions.attributes(values))


def _element(record: Record, options: Options) -> Element:
    size = (record.media.width, record.media.height)
    width, height = size if all(size) else options.size_of(record.sample) or (None, None)
    if width is None or height is None:
        raise Refused("NO_SIZE", "a picture is told with its size, which is not known")
    root = Element("annotation")
    _add(root, "filename", record.sample)
    _add(SubElement(root, "source"), "database", "Unknown")
    sides = SubElement(root, "size")
    for name, value in (("width", width), ("height", height), ("depth", 3)):
        _add(sides, name, str(value))
    _add(root, "segmented", "0")
    root.extend(_object(region) for region in record.regions)
    return root


def _object(region: Region) -> Element:
    values = {one.name: one.value for one in region.attributes}
    made = Element("object")
    _add(made, "name", region.label)
    has_pose = values.get("pose", "").strip() not in _NO_POSE
    _add(made, "pose", values.pop("pose") if has_pose else "Unspecified")
    for flag in _FLAGS:
        _add(made, flag, values.pop(flag) if values.get(flag) == "1" else "0")
    edges, sides = SubElement(made, "bndbox"), region.box
    places = (sides.x, sides.y, sides.x + sides.width, sides.y + sides.height)
    for edge, place in zip(_EDGES, places, strict=True):
        _add(edges, edge, repr(place).removesuffix(".0"))
    if values:
        listed = SubElement(made, "attributes")
        for name, value in values.items():
            one = SubElement(listed, "attribute")
            _add(one, "name", name)
            _add(one, "value", value)
    return made


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
