"""Records as tasks of Label Studio: those of one sample that follow each other are one task."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator
from itertools import count, groupby
from typing import Any, BinaryIO, Final

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats.holding import Holds, held
from relearn_formats.label_studio.tracks import steps
from relearn_formats.offsets import Offsets
from relearn_formats.records import Options, Record, Refused, Report, Status

HOLDS = Holds(
    kinds=frozenset({"whole", "box", "polygon", "track", "span", "segment"}),
    attributes=True,
    transcripts=True,
    tasks=True,
    answers=True,
    suggestions=True,
)
_OBJECTS: Final = {"box": "image", "polygon": "image", "track": "video", "span": "text", "segment": "audio"}


def write(records: Iterable[Record], stream: BinaryIO, options: Options, report: Report) -> None:
    """A list of tasks; import it there with a labeling interface that has the names `label`, `transcription`, ..."""
    before = b"[\n"
    for _, same in groupby(held(records, HOLDS, report), key=lambda one: (one.sample, one.media.text)):
        task = _task(list(same), options, report)
        if task is not None:
            stream.write(before + json.dumps(task, ensure_ascii=False, separators=(",", ":")).encode())
            before = b",\n"
    stream.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def _task(same: list[Record], options: Options, report: Report) -> dict[str, Any] | None:
    annotations: list[dict[str, Any]] = []
    predictions: list[dict[str, Any]] = []
    kind = _object(same)
    written = 0
    for one in same:
        try:
            results = [result for region in _regions(one, kind, options) for result in region]
        except Refused as error:
            report(error.at(one.sample or one.place))
            continue
        written += 1
        if one.status is Status.SUGGESTION:
            predictions.append({"model_version": one.annotator, "result": results})
        elif one.status is not Status.TASK:
            annotations.append(_annotation(one, results))
    data: dict[str, str] = {"sample": same[0].sample, kind: same[0].sample} if same[0].sample else {}
    data |= {"text": same[0].media.text} if same[0].media.text is not None else {}
    return {"data": data, "annotations": annotations, "predictions": predictions} if written else None


def _annotation(record: Record, results: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {"result": results, "was_cancelled": False, "ground_truth": record.status is Status.LABEL}
    told |= {"completed_by": {"email": record.annotator}} if record.annotator else {}
    told |= {"lead_time": record.time_spent_s} if record.time_spent_s is not None else {}
    return told | ({"created_at": record.create_time} if record.create_time else {})


def _object(same: list[Record]) -> str:
    """The name of the sample in the task's data, which says what it is."""
    kinds = {region.WhichOneof("part") or "" for one in same for region in one.regions} - {"whole"}
    if kinds:
        return _OBJECTS[min(kinds)] if "track" not in kinds else "video"
    guessed = (mimetypes.guess_type(same[0].sample)[0] or "").partition("/")[0]
    return "text" if same[0].media.text is not None else guessed if guessed in ("audio", "video", "text") else "image"


def _regions(record: Record, kind: str, options: Options) -> Iterator[list[dict[str, Any]]]:
    names = {region.region_id for region in record.regions if region.region_id}
    spare = (name for number in count(1) if (name := f"region-{number}") not in names)
    text = Offsets(record.media.text) if record.media.text is not None else None
    for region in record.regions:
        made = {"id": region.region_id or next(spare), "from_name": "label", "to_name": kind}
        yield _results(region, made, record, options, text)


def _results(
    region: Region, made: dict[str, Any], record: Record, options: Options, text: Offsets | None
) -> list[dict[str, Any]]:
    """The region, then what is said of it, all with its id."""
    part = region.WhichOneof("part")
    if part in ("box", "polygon", "track"):
        width, height = _size(record, options)
        shape = _shape(region, width, height, record)
        if part != "track":
            shape |= {"original_width": width, "original_height": height, "image_rotation": 0}
    elif part == "span":
        shape = {"type": "labels", "value": _span(region, text)}
    elif part == "segment":
        stretch = {"start": region.segment.start_s, "end": region.segment.end_s, "channel": 0, "labels": [region.label]}
        shape = {"type": "labels", "value": stretch}
        shape |= {"original_length": record.media.duration_s} if record.media.duration_s is not None else {}
    else:
        shape = {"type": "choices", "value": {"choices": [region.label]}}
    score = {"score": region.score} if region.HasField("score") else {}
    found = [made | shape | score]
    if region.transcript:
        found.append(made | {"from_name": "transcription", "type": "textarea", "value": {"text": [region.transcript]}})
    for one in region.attributes:
        found.append(made | {"from_name": one.name, "type": "choices", "value": {"choices": [one.value]}})
    return found


def _shape(region: Region, width: int, height: int, record: Record) -> dict[str, Any]:
    if region.HasField("box"):
        sides = _percent(region.box, width, height) | {"rectanglelabels": [region.label]}
        return {"type": "rectanglelabels", "value": sides}
    if region.HasField("polygon"):
        points = [[100 * point.x / width, 100 * point.y / height] for point in region.polygon.points]
        return {"type": "polygonlabels", "value": {"points": points, "closed": True, "polygonlabels": [region.label]}}
    sequence = [
        {"frame": step.frame, "enabled": step.enabled, **_percent(step.box, width, height)}
        for step in steps(region.track)
    ]
    if not sequence:
        raise Refused("NEVER_SEEN", f"track {region.region_id} is hidden from its first frame on")
    value: dict[str, Any] = {
        "sequence": sequence,
        "labels": [region.label],
    }
    value |= {"framesCount": record.media.frames} if record.media.frames is not None else {}
    value |= {"duration": record.media.duration_s} if record.media.duration_s is not None else {}
    return {"type": "videorectangle", "value": value}


def _percent(box: Any, width: int, height: int) -> dict[str, Any]:
    sides = {"x": box.x / width, "width": box.width / width, "y": box.y / height, "height": box.height / height}
    return {name: 100 * value for name, value in sides.items()} | {"rotation": 0}


def _span(region: Region, text: Offsets | None) -> dict[str, Any]:
    if text is None:
        raise Refused("NO_TEXT", "spans are told with their text, which is not at hand")
    start, end = text.to_code_points(region.span.start), text.to_code_points(region.span.end)
    return {"start": start, "end": end, "text": text.text[start:end], "labels": [region.label]}


def _size(record: Record, options: Options) -> tuple[int, int]:
    if record.media.width and record.media.height:
        return record.media.width, record.media.height
    if (known := options.size_of(record.sample)) is not None:
        return known
    raise Refused("NO_SIZE", "places are told in percent of a size that is not known")
