"""CSV: one row a region, with a header; rows of one answer follow each other. An answer without regions has one row.

A table with the columns `sample` and `label` alone is enough: each row is the class of a sample.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, BinaryIO, Final

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import region_json
from relearn_formats.holding import Holds, held
from relearn_formats.lines import json_object
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Report, Status

HOLDS = Holds(
    kinds=frozenset({"whole", "box", "polygon", "track", "span", "segment"}),
    attributes=True,
    transcripts=True,
    tasks=True,
    answers=True,
    suggestions=True,
)
_SAME_RECORD: Final = ("sample", "text", "status", "annotator")
_NUMBERS: Final = ("x", "y", "width", "height", "start", "end", "start_s", "end_s", "score")
_TEXTS: Final = ("kind", "label", "id", "transcript", "origin", "model_version_id")
_JSON: Final = ("points", "keyframes", "attributes")
COLUMNS: Final = (*_SAME_RECORD, *_TEXTS[:3], *_NUMBERS, *_JSON, *_TEXTS[3:])
_MOST_IN_A_FIELD: Final = 64 * 2**20


def read(stream: BinaryIO, options: Options) -> Read:
    """Records of a file, a problem for each row that is none.

    Raises:
        Refused: no header, or one without `sample` and without `text`.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _MOST_IN_A_FIELD))  # of the process; csv knows no other
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.DictReader(text)
    columns = rows.fieldnames or []
    if not {"sample", "text"} & set(columns):
        raise Refused("NO_HEADER", f"the first line names no column `sample` or `text`: {', '.join(columns)[:100]}")
    for _, same in groupby(_rows(rows), key=_record_of):
        yield from _record(list(same))
    text.detach()


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """A row for each region, with all columns."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    table = csv.DictWriter(text, COLUMNS, restval="")
    table.writeheader()
    for one in held(records, HOLDS, report):
        known = {
            "sample": one.sample,
            "text": one.media.text or "",
            "status": one.status.value,
            "annotator": one.annotator,
        }
        for told in [region_json.plain(region) for region in one.regions] or [{}]:
            columns = {name: _json(told[name]) if name in _JSON else told[name] for name in told}
            table.writerow(known | columns)
    text.detach()


def _rows(rows: csv.DictReader[str]) -> Iterator[tuple[str, Mapping[str, Any] | Problem]]:
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {rows.line_num}", Problem(place=f"line {rows.line_num}", reason="NOT_CSV", message=str(error))
            continue
        place = f"line {rows.line_num}"
        try:
            for value in row.values():
                (value if isinstance(value, str) else "").encode()
        except UnicodeEncodeError:
            yield place, Problem(place=place, reason="NOT_UTF8", message="a field of the row is no UTF-8")
            continue
        if None in row:
            message = "more fields than the header names: is a comma not quoted?"
            yield place, Problem(place=place, reason="TOO_MANY_FIELDS", message=message)
            continue
        yield place, {name: value for name, value in row.items() if value}


def _record_of(numbered: tuple[str, Mapping[str, Any] | Problem]) -> tuple[object, ...]:
    """Rows of one record: same sample, status and annotator. A row without a kind is a record of its own."""
    place, row = numbered
    if isinstance(row, Problem) or "kind" not in row:
        return (place,)
    return tuple(row.get(name) for name in _SAME_RECORD)


def _record(rows: list[tuple[str, Mapping[str, Any] | Problem]]) -> Read:
    yield from (row for _, row in rows if isinstance(row, Problem))
    told = [(place, row) for place, row in rows if not isinstance(row, Problem)]
    if not told:
        return
    found: list[Region] = []
    problems = 0
    for where, row in told:
        try:
            found += _region(row)
        except Refused as error:
            problems += 1
            yield error.at(where, kept=len(told) > 1)
    if problems == len(told):
        return
    place, first = told[0]
    try:
        status = Status(first.get("status", "answer" if found else "task"))
    except ValueError:
        yield Problem(place=place, reason="UNKNOWN_STATUS", message=f"no known status: {first['status']!r}")
        return
    yield Record(
        sample=first.get("sample", ""),
        media=Media(text=first.get("text")),
        status=status,
        annotator=first.get("annotator", ""),
        regions=tuple(found),
        complete=not problems,
        place=place,
    )


def _region(row: Mapping[str, Any]) -> list[Region]:
    """The region of a row, none where it has no class."""
    if "label" not in row:
        if "kind" in row:
            raise Refused("NO_CLASS", "a region without a class")
        return []
    told = {"kind": "whole"} | {name: row[name] for name in (*_TEXTS, *_NUMBERS) if name in row}
    told |= {name: json_object(f'{{"value": {row[name]}}}')["value"] for name in _JSON if name in row}
    return [region_json.from_plain(told)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
