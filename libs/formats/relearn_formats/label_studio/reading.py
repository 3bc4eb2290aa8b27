"""Tasks of Label Studio, one at a time: a record for each annotation and each prediction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qs, unquote, urlsplit

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.json_list import items
from relearn_formats.label_studio.results import Sample, groups, read_group
from relearn_formats.offsets import Offsets
from relearn_formats.records import Media, Options, Problem, Read, Record, Refused, Status

_NAMES: Final = ("sample", "image", "video", "audio")
_UPLOADED = re.compile(r"^(?:.*/)?data/upload/(?:\d+/)?(?:[0-9a-f]{8}-)?")
_LOOKS_LIKE_A_NAME = re.compile(r"^(?:[a-z0-9]+://|/)?\S+\.[A-Za-z0-9]{2,5}(?:\?\S*)?$")


def read(stream: BinaryIO, options: Options) -> Read:
    """Records of a file, a problem for each annotation or result that has no place here."""
    for place, task in items(stream, what="task"):
        if isinstance(task, Problem):
            yield task
            continue
        try:
            told = regions.table(task, what="a task")
            place = f"{place} (id {told['id']})" if "id" in told else place
            yield from _task(told, place, options)
        except Refused as error:
            yield error.at(place)


def reference(value: str) -> str:
    """How a file is named, without the address it was loaded from and what an upload put before it."""
    parts = urlsplit(value) if "://" in value or value.startswith("/data/") else None
    if parts is None:
        return value
    if parts.path.startswith("/data/local-files") and (named := parse_qs(parts.query).get("d")):
        return named[0]
    return _UPLOADED.sub("", unquote(parts.path).lstrip("/"))


def _task(task: Mapping[str, Any], place: str, options: Options) -> Read:
    data = regions.table(task.get("data", task), what="data")
    name, text = _named(data)
    answered = False
    for number, one in enumerate(regions.rows(task.get("annotations", []), what="annotations"), start=1):
        told = regions.table(one, what="an annotation")
        where = f"{place}, annotation {number}"
        if told.get("was_cancelled"):
            yield Problem(place=where, reason="SKIPPED", message="the annotator skipped the task")
            continue
        answered = True
        status = Status.LABEL if told.get("ground_truth") else Status.ANSWER
        yield from _answer(
            told, where, status, _person(told.get("completed_by")), Sample(name, text, _media(text), options)
        )
    for number, one in enumerate(regions.rows(task.get("predictions", []), what="predictions"), start=1):
        told = regions.table(one, what="a prediction")
        answered = True
        model, where = str(told.get("model_version") or ""), f"{place}, prediction {number}"
        yield from _answer(told, where, Status.SUGGESTION, model, Sample(name, text, _media(text), options))
    if not answered:
        yield Record(sample=name, status=Status.TASK, media=_media(text), place=place)


def _answer(told: Mapping[str, Any], place: str, status: Status, who: str, sample: Sample) -> Read:
    found: list[Region] = []
    problems: list[Problem] = []
    for group in groups(regions.rows(told.get("result", []), what="result")):
        try:
            found += read_group(group, sample)
        except Refused as error:
            problems.append(error.at(f"{place}, result {group[0].get('id', '')}".rstrip(), kept=True))
    yield from problems
    spent = told.get("lead_time")
    yield Record(
        sample=sample.name,
        regions=tuple(found),
        status=status,
        annotator=who,
        media=sample.media,
        time_spent_s=None if spent is None else regions.number(spent),
        create_time=str(told.get("created_at") or ""),
        complete=not problems,
        place=place,
    )


def _named(data: Mapping[str, Any]) -> tuple[str, Offsets | None]:
    """The sample's name, and its text where the task holds it; a text may go without a name."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    name = next((texts[key] for key in _NAMES if key in texts), None)
    text = texts.get("text")
    if name is None and text is None and texts:
        only = next(iter(texts.values()))
        name, text = (only, None) if _LOOKS_LIKE_A_NAME.match(only) else (None, only)
    if name is None and text is None:
        raise Refused("NO_SAMPLE", f"its data names no sample: {', '.join(map(str, data))[:100]}")
    return reference(name or ""), Offsets(text) if text is not None else None


def _media(text: Offsets | None) -> Media:
    return Media(text=text.text if text else None)


def _person(completed_by: Any) -> str:
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by.get("id") or "")
    return "" if completed_by is None else str(completed_by)
