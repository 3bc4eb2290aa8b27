"""Relearn's own format, which holds everything: one JSON object a line. `docs/label-format.md` describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from relearn_formats import region_json, regions
from relearn_formats.lines import dump_line, json_lines
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Report, Status

_NUMBERS = ("agreement", "posterior", "time_spent_s")


def read(stream: BinaryIO, options: Options) -> Read:
    """Records of a file, a problem for each line that is none."""
    for place, row in json_lines(stream):
        if isinstance(row, Problem):
            yield row
            continue
        try:
            yield record(row, place=place)
        except Refused as error:
            yield error.at(place)


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """Every record on a line of its own."""
    for one in records:
        try:
            stream.write(dump_line(plain(one)))
        except (Refused, UnicodeEncodeError) as error:
            reason = error.reason if isinstance(error, Refused) else "NOT_UTF8"
            report(Problem(place=one.sample or one.place, reason=reason, message=str(error)))


def plain(record: Record) -> dict[str, Any]:
    """A record as JSON values; what is not known is left out.

    Raises:
        Refused: a region names no part of the sample.
    """
    told: dict[str, Any] = {"sample": record.sample, "status": record.status.value}
    told |= {"annotator": record.annotator} if record.annotator else {}
    if media := {name: value for name in Media.__slots__ if (value := getattr(record.media, name)) is not None}:
        told["media"] = media
    told |= {name: value for name in _NUMBERS if (value := getattr(record, name)) is not None}
    told |= {"create_time": record.create_time} if record.create_time else {}
    if record.status is not Status.TASK:
        told["regions"] = [region_json.plain(region) for region in record.regions]
    return told


def record(row: Mapping[str, Any], *, place: str) -> Record:
    """A record from JSON values.

    Raises:
        Refused: they are none.
    """
    found = regions.rows(row.get("regions", []), what="regions")
    try:
        status = Status(row.get("status", "answer" if "regions" in row else "task"))
    except ValueError as error:
        raise Refused("UNKNOWN_STATUS", f"a record of no known status: {row.get('status')!r}") from error
    if found and status is Status.TASK:
        raise Refused("UNKNOWN_STATUS", "a task has no regions: say whether it is a suggestion, an answer or a label")
    return Record(
        sample=regions.text(row.get("sample", ""), what="sample"),
        status=status,
        annotator=regions.text(row.get("annotator", ""), what="annotator"),
        media=_media(regions.table(row.get("media", {}), what="media")),
        create_time=regions.text(row.get("create_time", ""), what="create_time"),
        regions=tuple(region_json.from_plain(region) for region in found),
        place=place,
        agreement=_number(row.get("agreement")),
        posterior=_number(row.get("posterior")),
        time_spent_s=_number(row.get("time_spent_s")),
    )


def _media(told: Mapping[str, Any]) -> Media:
    text = told.get("text")
    return Media(
        text=None if text is None else regions.text(text, what="media.text"),
        duration_s=_number(told.get("duration_s")),
        width=regions.size(told.get("width")),
        height=regions.size(told.get("height")),
        frames=regions.size(told.get("frames")),
    )


def _number(value: Any) -> float | None:
    return None if value is None else regions.number(value)
