"""YOLO as Ultralytics reads it: a text file a picture, a line a region, numbers as shares of the picture's size.

`class x-centre y-centre width height` is a box (a sixth number is a score), `class x1 y1 x2 y2 x3 y3 ...` an outline.
Classes are numbered by `classes.txt`, `obj.names` or the `names` of a YAML file. A picture is known by its file's name
without the ending, and its size by the media at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.folders import Folder, inside
from relearn_formats.holding import Holds, check, held
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Report

DETECTION: Final = Holds(kinds=frozenset({"box"}))
SEGMENTATION: Final = Holds(kinds=frozenset({"polygon"}))
_NAMES: Final = frozenset({"classes.txt", "obj.names"})
_NO_LABELS: Final = _NAMES | {"train.txt", "val.txt", "valid.txt", "test.txt", "readme.txt", "notes.txt"}


def read(folder: Folder, options: Options) -> Read:
    """A record a label file, boxes and outlines alike; an empty file is an answer that found nothing.

    Raises:
        Refused: nothing says what the classes are called.
    """
    names = folder.names()
    classes = _classes(folder, names) or dict(enumerate(options.classes))
    if not classes:
        raise Refused("NO_CLASSES", "no classes.txt, obj.names or data.yaml says what the classes are called")
    for name in _label_files(names):
        yield from _record(name, folder, classes, options)


def write_detection(records: Iterable[Record], folder: Folder, options: Options, report: Report) -> None:
    """Boxes."""
    _write(held(records, DETECTION, report), folder, options, report)


def write_segmentation(records: Iterable[Record], folder: Folder, options: Options, report: Report) -> None:
    """Outlines."""
    _write(held(records, SEGMENTATION, report), folder, options, report)


def _record(name: str, folder: Folder, classes: Mapping[int, str], options: Options) -> Read:
    sample = _sample(name)
    found: list[Region] = []
    complete = True
    try:
        text = folder.read(name).decode("utf-8-sig")
        if (size := options.size_of(sample)) is None:
            raise Refused("NO_SIZE", f"numbers are shares of the size of {sample}, which is not at hand")
    except UnicodeDecodeError:
        yield Problem(place=name, reason="NOT_UTF8", message="the file is no UTF-8")
        return
    except Refused as error:
        yield error.at(name)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not (fields := line.split()):
            continue
        try:
            found.append(_region(fields, classes, size))
        except Refused as error:
            complete = False
            yield error.at(f"{name}, line {number}", kept=True)
    media = Media(width=size[0], height=size[1])
    yield Record(sample=sample, regions=tuple(found), media=media, complete=complete, place=name)


def _region(fields: list[str], classes: Mapping[int, str], size: tuple[int, int]) -> Region:
    if (label := classes.get(number := regions.whole_number(fields[0]))) is None:
        raise Refused("UNKNOWN_CLASS", f"there is no class {number}")
    width, height = size
    numbers = [regions.number(field) for field in fields[1:]]
    if len(numbers) in (4, 5):
        x, y, w, h = numbers[0] * width, numbers[1] * height, numbers[2] * width, numbers[3] * height
        region = Region(label=label, box=regions.snapped(regions.box(x - w / 2, y - h / 2, w, h), width, height))
        if len(numbers) == 5:
            region.score = numbers[4]
        return region
    outline = regions.polygon((x * width, y * height) for x, y in regions.pairs(numbers))
    return Region(label=label, polygon=outline)


def _write(records: Iterable[Record], folder: Folder, options: Options, report: Report) -> None:
    classes = {name: number for number, name in enumerate(options.classes)}
    last = None
    for one in records:
        try:
            check(one)
            path = str(PurePosixPath("labels", inside(one.sample)).with_suffix(".txt"))
            if path == last:
                raise Refused("REPEATED_SAMPLE", "the format holds one answer a picture")
            folder.add(path, _text(one, classes, options).encode())
            last = path
        except Refused as error:
            report(error.at(one.sample))
    folder.add("classes.txt", "".join(f"{name}\n" for name in classes).encode())


def _text(record: Record, classes: dict[str, int], options: Options) -> str:
    size = (record.media.width, record.media.height)
    width, height = size if all(size) else options.size_of(record.sample) or (None, None)
    if not width or not height:
        raise Refused("NO_SIZE", "numbers are shares of the picture's size, which is not known")
    lines: list[str] = []
    for region in record.regions:
        if "\n" in region.label or region.label != region.label.strip():
            raise Refused("CLASS_NAME", f"classes.txt can't hold the class {region.label!r}")
        number = classes.setdefault(region.label, len(classes))
        lines.append(" ".join([str(number), *(f"{share:.12g}" for share in _shares(region, width, height))]))
    return "".join(f"{line}\n" for line in lines)


def _shares(region: Region, width: int, height: int) -> list[float]:
    if region.HasField("polygon"):
        return [share for point in region.polygon.points for share in (point.x / width, point.y / height)]
    sides = region.box
    shares = [
        (sides.x + sides.width / 2) / width,
        (sides.y + sides.height / 2) / height,
        sides.width / width,
        sides.height / height,
    ]
    return [*shares, region.score] if region.HasField("score") else shares


def _label_files(names: Iterable[str]) -> list[str]:
    texts = [name for name in names if name.endswith(".txt") and PurePosixPath(name).name.lower() not in _NO_LABELS]
    beneath = [name for name in texts if "labels" in PurePosixPath(name).parts[:-1]]
    return beneath or texts


def _sample(name: str) -> str:
    """`labels/train/a.txt` is of `train/a`, as Ultralytics pairs it with `images/train/a.jpg`."""
    parts = PurePosixPath(name).with_suffix("").parts
    return "/".join(parts[parts.index("labels") + 1 :] if "labels" in parts[:-1] else parts)


def _classes(folder: Folder, names: Iterable[str]) -> dict[int, str]:
    for name in names:
        path = PurePosixPath(name)
        if path.name.lower() in _NAMES:
            lines = folder.read(name).decode("utf-8-sig", "replace").splitlines()
            return dict(enumerate(line.strip() for line in lines if line.strip()))
        if path.suffix in (".yaml", ".yml") and (found := _yaml_names(folder.read(name))):
            return found
    return {}


def _yaml_names(content: bytes) -> dict[int, str]:
    try:
        told: Any = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError):
        return {}
    found = told.get("names") if isinstance(told, dict) else None
    if isinstance(found, list):
        return {number: str(name) for number, name in enumerate(found)}
    if isinstance(found, dict):
        return {int(number): str(name) for number, name in found.items() if str(number).isdigit()}
    return {}
