"""The results of one annotation of Label Studio as regions: those with the same id belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from relearn.labeling.v1.label_task_pb2 import Region
from relearn_formats import regions
from relearn_formats.label_studio.tracks import Step, keyframes
from relearn_formats.offsets import Offsets
from relearn_formats.records import Media, Options, Refused

_SAID: Final = frozenset({"choices", "textarea"})  # about a region, or about the sample where it names none
_MOST_OF_AN_ID: Final = 64


@dataclass(slots=True)
class Sample:
    """What is known of a task's sample; its size is filled in by the results that tell it."""

    name: str
    text: Offsets | None
    media: Media
    options: Options

    def size(self, result: Mapping[str, Any]) -> tuple[float, float]:
        """Width and height, which the percents are of.

        Raises:
            Refused: nothing tells it.
        """
        told = (result.get("original_width"), result.get("original_height"))
        if all(told):
            width, height = map(regions.whole_number, told)
            self.media = replace(self.media, width=width, height=height)
            return width, height
        if (known := self.options.size_of(self.name)) is not None:
            return known
        raise Refused("NO_SIZE", "the percents are of a size that the file does not tell: give the media, too")


def groups(results: Sequence[Any]) -> list[list[Mapping[str, Any]]]:
    """Results that belong together, in the order of their first.

    Raises:
        Refused: one is no object.
    """
    by_id: dict[str, list[Mapping[str, Any]]] = {}
    for number, result in enumerate(results):
        told = regions.table(result, what=f"result {number + 1}")
        by_id.setdefault(str(told.get("id") or f"#{number}"), []).append(told)
    return list(by_id.values())


def read_group(group: Sequence[Mapping[str, Any]], sample: Sample) -> list[Region]:
    """The regions of results with one id: one, more where a choice or a timeline has several.

    Raises:
        Refused: a result of a kind or with a value that we have no place for.
    """
    place = next((result for result in group if result.get("type") not in _SAID), None)
    said = [result for result in group if result is not place]
    if place is None:
        return _whole(said, sample)
    if place.get("type") == "relation":
        raise Refused("RELATION", "relations between regions have no place here")
    label = _class(group, sample)
    name = str(place.get("id") or "")
    found = [
        Region(label=label, region_id=name if len(name) <= _MOST_OF_AN_ID else "", **part)
        for part in _parts(place, sample)
    ]
    for region in found:
        _say(region, [result for result in said if result.get("type") in _SAID])
        if (score := place.get("score")) is not None:
            region.score = regions.number(score)
    return found


def _whole(said: Sequence[Mapping[str, Any]], sample: Sample) -> list[Region]:
    """The first choices of a group are classes of the sample; what else has their id is about it."""
    choices = next((result for result in said if result.get("type") == "choices"), None)
    if choices is None:
        labels = [sample.options.default_class]
        if not labels[0]:
            raise Refused("NO_CLASS", "a transcript without a class: say which one transcripts are of")
    else:
        labels = _texts(_value(choices).get("choices"), what="choices")
    found = [regions.whole(label) for label in labels]
    for region in found:
        _say(region, [result for result in said if result is not choices])
        if choices is not None and (score := choices.get("score")) is not None:
            region.score = regions.number(score)
    return found


def _say(region: Region, said: Sequence[Mapping[str, Any]]) -> None:
    """Transcripts and choices about a region."""
    for result in said:
        if result.get("type") == "textarea":
            value = _value(result).get("text")
            region.transcript = "\n".join([value] if isinstance(value, str) else _texts(value, what="text"))
            continue
        name, values = str(result.get("from_name")), _texts(_value(result).get("choices"), what="choices")
        if len(values) != 1:
            raise Refused("SEVERAL_VALUES", f"an attribute has one value, {name} has {len(values)}")
        region.attributes.extend(regions.attributes({name: values[0]}))


def _class(group: Sequence[Mapping[str, Any]], sample: Sample) -> str:
    for result in group:
        value = _value(result)
        if (key := next((key for key in value if key.endswith("labels")), None)) is None:
            continue
        labels = _texts(value[key], what=key)
        if len(labels) > 1:
            raise Refused("SEVERAL_CLASSES", f"a region has one class, this one has {len(labels)}")
        if labels:
            return labels[0]
    if sample.options.default_class:
        return sample.options.default_class
    raise Refused("NO_CLASS", "a region without a class")


def _parts(result: Mapping[str, Any], sample: Sample) -> Iterator[dict[str, Any]]:
    """The parts of the sample that a result names, each as an argument of `Region`."""
    kind, value = str(result.get("type")), _value(result)
    if kind == "videorectangle":
        yield {"track": _track(result, value, sample)}
    elif kind == "timelinelabels":
        yield from ({"segment": one} for one in _timeline(value, sample))
    elif kind in ("rectangle", "rectanglelabels") or (kind == "labels" and "width" in value):
        yield {"box": _box(result, value, sample)}
    elif kind in ("polygon", "polygonlabels") or (kind == "labels" and "points" in value):
        yield {"polygon": _polygon(result, value, sample)}
    elif kind == "labels" and isinstance(value.get("start"), int | float):
        yield {"span": _span(value, sample.text)} if _is_span(result, value, sample) else {"segment": _heard(value)}
        if (seconds := result.get("original_length")) is not None:
            sample.media = replace(sample.media, duration_s=regions.number(seconds))
    else:
        raise Refused("UNKNOWN_KIND", f"results of type {kind!r} have no place here")


def _box(result: Mapping[str, Any], value: Mapping[str, Any], sample: Sample) -> Any:
    _refuse_rotation(result, value)
    width, height = sample.size(result)
    return _from_percent(value, width, height)


def _from_percent(value: Mapping[str, Any], width: float, height: float) -> Any:
    x, y, w, h = (regions.number(value.get(side)) / 100 for side in ("x", "y", "width", "height"))
    return regions.snapped(regions.box(x * width, y * height, w * width, h * height), width, height)


def _polygon(result: Mapping[str, Any], value: Mapping[str, Any], sample: Sample) -> Any:
    _refuse_rotation(result, value)
    width, height = sample.size(result)
    points = [regions.rows(point, what="a point") for point in regions.rows(value.get("points"), what="points")]
    if any(len(point) != 2 for point in points):
        raise Refused("ODD_COORDINATES", "a point is [x, y]")
    return regions.polygon((regions.number(x) / 100 * width, regions.number(y) / 100 * height) for x, y in points)


def _refuse_rotation(result: Mapping[str, Any], value: Mapping[str, Any]) -> None:
    if regions.number(value.get("rotation") or 0) % 360:
        raise Refused("ROTATED_BOX", f"boxes are upright, this one is rotated by {value['rotation']} degrees")
    if regions.number(result.get("image_rotation") or 0) % 360:
        raise Refused("ROTATED_PICTURE", f"the picture was rotated by {result['image_rotation']} degrees on the page")


def _is_span(result: Mapping[str, Any], value: Mapping[str, Any], sample: Sample) -> bool:
    return sample.text is not None and "original_length" not in result and "channel" not in value


def _span(value: Mapping[str, Any], text: Offsets | None) -> Any:
    """Code points; where the text that stands with them says so, UTF-16 code units as other programs write them."""
    if text is None:
        raise Refused("NO_TEXT", "a span of a text that the file does not hold")
    start, end = regions.whole_number(value.get("start")), regions.whole_number(value.get("end"))
    said = value.get("text")
    if isinstance(said, str) and text.text[start:end] != said and _code_units(text, start, end) == said:
        return regions.span(start, end)
    return regions.span(text.to_code_units(start), text.to_code_units(end))


def _code_units(text: Offsets, start: int, end: int) -> str | None:
    try:
        return text.text[text.to_code_points(start) : text.to_code_points(end)]
    except Refused:
        return None


def _heard(value: Mapping[str, Any]) -> Any:
    return regions.segment(value.get("start"), value.get("end"))


def _track(result: Mapping[str, Any], value: Mapping[str, Any], sample: Sample) -> Any:
    width, height = sample.size(result)
    sequence: list[Step] = []
    for one in regions.rows(value.get("sequence"), what="sequence"):
        told = regions.table(one, what="an entry of a sequence")
        _refuse_rotation(result, told)
        frame, enabled = regions.whole_number(told.get("frame")), told.get("enabled") is not False
        sequence.append(Step(frame=frame, box=_from_percent(told, width, height), enabled=enabled))
    sequence.sort(key=lambda step: step.frame)
    _note_length(value, sample)
    return regions.track(regions.keyframe(key.frame, key.box, hidden=key.hidden) for key in keyframes(sequence))


def _timeline(value: Mapping[str, Any], sample: Sample) -> Iterator[Any]:
    """Frames counted from 1, the last included."""
    _note_length(value, sample)
    frames, seconds = sample.media.frames, sample.media.duration_s
    rate = frames / seconds if frames and seconds else sample.options.frames_per_second
    if not rate:
        raise Refused("NO_FRAME_RATE", "a stretch of frames, and nothing says how many a second has")
    for one in regions.rows(value.get("ranges"), what="ranges"):
        told = regions.table(one, what="a range")
        first, last = regions.number(told.get("start")), regions.number(told.get("end"))
        yield regions.segment((first - 1) / rate, last / rate)


def _note_length(value: Mapping[str, Any], sample: Sample) -> None:
    if value.get("framesCount"):
        sample.media = replace(sample.media, frames=regions.whole_number(value["framesCount"]))
    if value.get("duration"):
        sample.media = replace(sample.media, duration_s=regions.number(value["duration"]))


def _value(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return regions.table(result.get("value"), what="value")


def _texts(value: Any, *, what: str) -> list[str]:
    return [regions.text(one, what=what) for one in regions.rows(value, what=what)]
