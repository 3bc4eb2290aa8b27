"""ASR manifest, as NeMo and many speech tools read it: one JSON object a line with sound file, duration and text.

`segments` and `label` are ours: the manifest's own fields hold one transcript of the whole sound. A row with `offset`
is a part of a longer recording, and becomes a segment of it; rows of one recording that follow each other become one
record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, BinaryIO

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.holding import Holds, check, held
from relearn_formats.lines import dump_line, json_lines
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Report, Status

HOLDS = Holds(kinds=frozenset({"whole", "segment"}), transcripts=True, tasks=True)


def read(stream: BinaryIO, options: Options) -> Read:
    """Records of a file, a problem for each line that is none."""
    for _, rows in groupby(json_lines(stream), key=_recording):
        parts: list[Record] = []
        for place, row in rows:
            if isinstance(row, Problem):
                yield row
                continue
            try:
                parts.append(_record(row, place=place, options=options))
            except Refused as error:
                yield error.at(place)
        if parts:
            yield _joined(parts)


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """A line for each record: its transcript, or its segments and their transcripts joined."""
    for one in held(records, HOLDS, report):
        try:
            stream.write(dump_line(_row(one, options)))
        except Refused as error:
            report(error.at(one.sample))


def _recording(numbered: tuple[str, Mapping[str, Any] | Problem]) -> tuple[str, str]:
    """Rows with an offset are of one recording; any other row is alone."""
    place, row = numbered
    if isinstance(row, Problem) or "offset" not in row:
        return "alone", place
    return "part", str(row.get("audio_filepath"))


def _record(row: Mapping[str, Any], *, place: str, options: Options) -> Record:
    sample = regions.text(row.get("audio_filepath"), what="audio_filepath")
    duration = None if row.get("duration") is None else regions.number(row["duration"])
    media = Media() if "offset" in row else Media(duration_s=duration)
    annotator = regions.text(row.get("annotator", ""), what="annotator")
    known = Record(sample=sample, status=Status.TASK, annotator=annotator, media=media, place=place)
    if "text" not in row and "segments" not in row:
        return known
    label = regions.text(row.get("label", options.default_class), what="label")
    return replace(known, status=Status.ANSWER, regions=tuple(_regions(row, label=label, duration=duration)))


def _regions(row: Mapping[str, Any], *, label: str, duration: float | None) -> Iterable[Region]:
    if "offset" in row:
        start = regions.number(row["offset"])
        if duration is None:
            raise Refused("NO_DURATION", "a row with an offset needs a duration")
        said = regions.text(row.get("text", ""), what="text")
        yield Region(segment=regions.segment(start, start + duration), label=_named(label), transcript=said)
        return
    if "text" in row and ("label" in row or "segments" not in row):
        yield regions.whole(_named(label), transcript=regions.text(row["text"], what="text"))
    for number, part in enumerate(regions.rows(row.get("segments", []), what="segments"), start=1):
        told = regions.table(part, what="a segment")
        yield Region(
            segment=regions.segment(told.get("start"), told.get("end")),
            label=_named(regions.text(told.get("label", label), what="label")),
            transcript=regions.text(told.get("text", ""), what="text"),
            region_id=str(number),
        )


def _named(label: str) -> str:
    if not label:
        raise Refused("NO_CLASS", "the manifest names no class: say which one its transcripts are of")
    return label


def _joined(parts: list[Record]) -> Record:
    """Rows of one recording as one record; a single row without an offset is one already."""
    found = [region for part in parts for region in part.regions]
    segments = [region for region in found if region.HasField("segment")]
    for number, region in enumerate(segments, start=1):
        region.region_id = str(number)
    return replace(parts[0], regions=tuple(found))


def _row(record: Record, options: Options) -> dict[str, Any]:
    check(record)
    wholes = [region for region in record.regions if region.HasField("whole")]
    parts = [region for region in record.regions if region.HasField("segment")]
    if len(wholes) > 1:
        raise Refused("SEVERAL_CLASSES", "a manifest has one transcript of the whole sound")
    duration = record.media.duration_s or options.seconds_of(record.sample)
    row: dict[str, Any] = {"audio_filepath": record.sample}
    row |= {} if duration is None else {"duration": duration}
    if record.status is Status.TASK:
        return row
    row["text"] = wholes[0].transcript if wholes else " ".join(part.transcript for part in parts if part.transcript)
    row |= {"label": wholes[0].label} if wholes else {}
    if parts or not wholes:
        row["segments"] = [
            {
                "start": part.segment.start_s,
                "end": part.segment.end_s,
                "text": part.transcript,
                "label": part.label,
            }
            for part in sorted(parts, key=lambda part: (part.segment.start_s, part.segment.end_s))
        ]
    return row | ({"annotator": record.annotator} if record.annotator else {})
