"""Annotations of COCO brought to their pictures: by a table on disk, since the document has them in any order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, BinaryIO

import ijson

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.json_list import Peeked
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused

_ROWS_AT_ONCE = 1000


def read(stream: BinaryIO, options: Options) -> Read:
    """A record a picture, in the order of the document, a problem for each annotation that has no place here.

    Args:
        stream: is read three times, so it must be able to seek.

    Raises:
        Refused: the document is no COCO, or breaks off: a picture's annotations may be in what is missing.
    """
    # "" is a database in a temporary file, gone when it is closed
    with closing(sqlite3.connect("", isolation_level=None)) as kept:
        try:
            classes = dict(_category(one) for one in _items(stream, "categories.item"))
            yield from _keep(kept, stream)
        except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
            raise Refused("NOT_JSON", f"no JSON: {error}") from error
        for number, key, row in kept.execute("select number, key, row from images order by number"):
            yield from _record(json.loads(row), f"image {number}", _annotations(kept, key), classes)
        for number, key in kept.execute(
            "select number, image from annotations where image not in (select key from images)"
        ):
            message = f"it is of image {key}, which the document does not have"
            yield Problem(place=f"annotation {number}", reason="UNKNOWN_IMAGE", message=message)


def _items(stream: BinaryIO, path: str) -> Iterator[Any]:
    stream.seek(0)
    peeked = Peeked(stream)
    if not peeked.beginning.lstrip().startswith(b"{"):
        raise Refused("NO_OBJECT", "the file is no JSON object with images, annotations and categories")
    return iter(ijson.items(peeked, path, use_float=True))


def _keep(kept: sqlite3.Connection, stream: BinaryIO) -> Iterator[Problem]:
    kept.execute("pragma journal_mode = off")
    kept.execute("create table images (number integer primary key, key text unique, row text)")
    kept.execute("create table annotations (number integer primary key, image text, row text)")
    kept.execute("begin")
    for number, image in enumerate(_items(stream, "images.item"), start=1):
        try:
            told = regions.table(image, what="an image")
            kept.execute("insert into images values (?, ?, ?)", (number, _key(told.get("id")), json.dumps(told)))
        except Refused as error:
            yield error.at(f"image {number}")
        except sqlite3.IntegrityError:
            yield Problem(place=f"image {number}", reason="REPEATED_ID", message=f"a second image {told.get('id')}")
    for number, annotation in enumerate(_items(stream, "annotations.item"), start=1):
        try:
            told = regions.table(annotation, what="an annotation")
            row = (number, _key(told.get("image_id")), json.dumps(told))
            kept.execute("insert into annotations values (?, ?, ?)", row)
        except Refused as error:
            yield error.at(f"annotation {number}")
    kept.execute("create index annotations_image on annotations (image)")
    kept.execute("commit")


def _annotations(kept: sqlite3.Connection, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    found = kept.execute("select number, row from annotations where image = ? order by number", (key,))
    return ((number, json.loads(row)) for number, row in found)


def _record(
    image: Mapping[str, Any],
    place: str,
    annotations: Iterator[tuple[int, Mapping[str, Any]]],
    classes: Mapping[str, str],
) -> Read:
    found: list[Region] = []
    complete = True
    for number, annotation in annotations:
        try:
            found.append(_region(annotation, classes))
        except Refused as error:
            complete = False
            yield error.at(f"annotation {number} (id {annotation.get('id')})", kept=True)
    try:
        yield Record(
            sample=regions.text(image.get("file_name"), what="file_name"),
            media=Media(width=regions.size(image.get("width")), height=regions.size(image.get("height"))),
            regions=tuple(found),
            complete=complete,
            place=place,
        )
    except Refused as error:
        yield error.at(place)


def _region(annotation: Mapping[str, Any], classes: Mapping[str, str]) -> Region:
    category = _key(annotation.get("category_id"))
    if (label := classes.get(category)) is None:
        raise Refused("UNKNOWN_CATEGORY", f"the document has no category {category}")
    region = Region(label=label, region_id=_key(annotation["id"]) if annotation.get("id") is not None else "")
    outlines = annotation.get("segmentation")
    if isinstance(outlines, Mapping):
        raise Refused("RLE", "run lengths can't be edited as an outline: convert the mask to a polygon")
    if annotation.get("iscrowd"):
        raise Refused("CROWD", "a crowd is no single object")
    if outlines:
        if len(regions.rows(outlines, what="segmentation")) > 1:
            raise Refused("SEVERAL_OUTLINES", f"a region has one outline, this one has {len(outlines)}")
        outline = regions.rows(outlines[0], what="an outline")
        region.polygon.CopyFrom(regions.polygon(regions.pairs(outline)))
    else:
        sides = regions.rows(annotation.get("bbox"), what="bbox")
        if len(sides) != 4:
            raise Refused("ODD_COORDINATES", "a box is [x, y, width, height]")
        region.box.CopyFrom(regions.box(*sides))
    told = regions.table(annotation.get("attributes") or {}, what="attributes")
    region.attributes.extend(regions.attributes({name: _value(value) for name, value in told.items()}))
    if annotation.get("score") is not None:
        region.score = regions.number(annotation["score"])
    return region


def _category(value: Any) -> tuple[str, str]:
    told = regions.table(value, what="a category")
    return _key(told.get("id")), regions.text(told.get("name"), what="the name of a category")


def _key(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Refused("NO_ID", f"no id: {value!r}")
    return str(value)


def _value(value: Any) -> str:
    """An attribute's value as a text; JSON's words for what is none."""
    return value if isinstance(value, str) else json.dumps(value)
