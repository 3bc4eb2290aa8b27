"""Records as COCO: pictures at once, annotations by way of a temporary file, categories last."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any, BinaryIO

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.holding import Holds, check, held
from relearn_formats.records import Options, Record, Refused, Report

HOLDS = Holds(kinds=frozenset({"box", "polygon"}), attributes=True)


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """One document; a picture comes once, whoever else has answered it."""
    categories = {name: number for number, name in enumerate(options.classes, start=1)}
    images = annotations = 0
    last = None
    with tempfile.TemporaryFile() as spooled:
        stream.write(b'{"images":[')
        for one in held(records, HOLDS, report):
            try:
                image = _image(one, images + 1, options, last)
            except Refused as error:
                report(error.at(one.sample or one.place))
                continue
            last = one.sample
            stream.write((b",\n" if images else b"\n") + _json(image))
            images += 1
            for region in one.regions:
                category = categories.setdefault(region.label, len(categories) + 1)
                told = _annotation(region, annotations + 1, image["id"], category)
                spooled.write((b",\n" if annotations else b"\n") + _json(told))
                annotations += 1
        stream.write(b'\n],"annotations":[')
        spooled.seek(0)
        shutil.copyfileobj(spooled, stream, 2**20)
    named = [{"id": number, "name": name, "supercategory": ""} for name, number in categories.items()]
    stream.write(b'\n],"categories":' + _json(named) + b"}\n")


def _image(record: Record, number: int, options: Options, last: str | None) -> dict[str, Any]:
    check(record)
    if record.sample == last:
        raise Refused("REPEATED_SAMPLE", "the format holds one answer a picture")
    size = (record.media.width, record.media.height)
    width, height = size if all(size) else options.size_of(record.sample) or (None, None)
    if width is None or height is None:
        raise Refused("NO_SIZE", "a picture is told with its size, which is not known")
    return {"id": number, "file_name": record.sample, "width": width, "height": height}


def _annotation(region: Region, number: int, image: int, category: int) -> dict[str, Any]:
    told: dict[str, Any] = {"id": number, "image_id": image, "category_id": category, "iscrowd": 0}
    if region.HasField("box"):
        sides = region.box
        told |= {"bbox": [sides.x, sides.y, sides.width, sides.height], "segmentation": []}
        told["area"] = sides.width * sides.height
    else:
        left, upper, right, lower = regions.corners(region.polygon)
        told["bbox"] = [left, upper, right - left, lower - upper]
        told["segmentation"] = [[side for point in region.polygon.points for side in (point.x, point.y)]]
        told["area"] = _area(region)
    if region.attributes:
        told["attributes"] = {one.name: one.value for one in region.attributes}
    return told | ({"score": region.score} if region.HasField("score") else {})


def _area(region: Region) -> float:
    """Of an outline that does not cross itself, in square pixels: the shoelace formula."""
    points = [(point.x, point.y) for point in region.polygon.points]
    joined = zip(points, [*points[1:], points[0]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in joined)) / 2


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
