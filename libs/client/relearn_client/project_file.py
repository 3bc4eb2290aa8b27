"""A project as people write it: YAML with units and short names; each problem is told with the path of its field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from relearn.registry.v1.project_pb2 import Project
from relearn_client.errors import InvalidInput

OUTPUT_ONLY = frozenset({"revision", "state", "create_time", "update_time", "label_set.version"})
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_LONGEST_S = 10_000 * 365.25 * 86400  # what a Duration holds, google/protobuf/duration.proto
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: range(-(2**31), 2**31),
    FieldDescriptor.CPPTYPE_INT64: range(-(2**63), 2**63),
}
_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One field that can't be accepted."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class _Loader(yaml.SafeLoader):
    """YAML's own loader lets the last of equal keys win, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def read(source: str | Path | Mapping[str, Any]) -> Project:
    """The project of a YAML file, or of its content as a mapping.

    Raises:
        InvalidInput: no such file, no YAML, or fields that are unknown, missing or of a wrong type; each with its path.
    """
    if isinstance(source, Mapping):
        return parse(source)
    path = Path(source)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
        return parse(content, origin=str(path))
    except OSError as error:
        raise InvalidInput(
            f"{path}: {error.strerror}", reason="NO_FILE", next_step="name a project file (YAML)"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is no YAML: {' '.join(str(error).split())}", reason="INVALID_PROJECT") from error


def parse(content: object, *, origin: str = "the project") -> Project:
    """The project that a mapping describes.

    Raises:
        InvalidInput: as `read`.
    """
    project = Project()
    problems = list(_fill(project, content, ""))
    if not problems and not project.project_id:
        problems = [Problem(path="project_id", message="is required: the name of the project")]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise InvalidInput(
            f"{origin} can't be applied:\n{lines}",
            reason="INVALID_PROJECT",
            metadata={problem.path: problem.message for problem in problems},
        )
    return project


def shown(project: Project) -> dict[str, Any]:
    """The project as `parse` takes it, without what the registry sets."""
    return _shown(project, "")


def _fill(message: Message, content: object, path: str) -> Iterator[Problem]:
    """Sets the fields of a message; the problems met on the way."""
    if not isinstance(content, Mapping):
        yield Problem(path=path, message=f"must be a mapping of fields, got {_said(content)}")
        return
    known = message.DESCRIPTOR.fields_by_name
    for name, value in content.items():
        here = f"{path}.{name}" if path else str(name)
        if name not in known:
            yield Problem(path=here, message=f"is unknown{_near(str(name), known)}")
        elif here in OUTPUT_ONLY:
            yield Problem(path=here, message="is set by the registry; leave it out")
        elif value is None:
            yield Problem(path=here, message="has no value; leave it out to get its default")
        else:
            yield from _set(message, known[name], value, here)


def _set(message: Message, field: FieldDescriptor, value: object, path: str) -> Iterator[Problem]:
    if field.is_repeated:
        if not isinstance(value, list):
            yield Problem(path=path, message=f"must be a list, got {_said(value)}")
            return
        yield from _extend(getattr(message, field.name), field, value, path)
        return
    try:
        if field.message_type is None:
            setattr(message, field.name, _scalar(field, value))
        elif field.message_type is Duration.DESCRIPTOR:
            getattr(message, field.name).CopyFrom(_duration(value))
        else:
            getattr(message, field.name).SetInParent()
            yield from _fill(getattr(message, field.name), value, path)
    except ValueError as error:
        yield Problem(path=path, message=str(error))


def _extend(repeated: Any, field: FieldDescriptor, elements: list[object], path: str) -> Iterator[Problem]:
    for number, element in enumerate(elements):
        here = f"{path}[{number}]"
        if field.message_type is not None:
            yield from _fill(repeated.add(), element, here)
            continue
        try:
            repeated.append(_scalar(field, element))
        except ValueError as error:
            yield Problem(path=here, message=str(error))


def _scalar(field: FieldDescriptor, value: object) -> Any:
    """The value for a field that is no message.

    Raises:
        ValueError: of another type, or out of its range; says what is wanted.
    """
    if field.enum_type is not None:
        return _enum(field.enum_type, value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if not isinstance(value, str):
            raise ValueError(f"must be text, got {_said(value)}: put it in quotes")
        return value
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, got {_said(value)}")
        return value
    if field.cpp_type in _INTEGERS or field.cpp_type in _FLOATS:
        return _number(field, value)
    raise ValueError(f"can't be given in a file ({field.name})")


def _number(field: FieldDescriptor, value: object) -> int | float:
    if field.cpp_type in _INTEGERS:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, got {_said(value)}")
        if value not in _INTEGERS[field.cpp_type]:
            raise ValueError(f"is out of range: {value}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, got {_said(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("is out of range") from None


def _enum(enum: EnumDescriptor, value: object) -> int:
    names: dict[str, int] = {
        _short(enum, name): number.number for name, number in enum.values_by_name.items() if number.number != 0
    }
    if isinstance(value, str) and value.lower().replace("-", "_") in names:
        return names[value.lower().replace("-", "_")]
    raise ValueError(f"must be one of {', '.join(names)}, got {_said(value)}")


def _short(enum: EnumDescriptor, name: str) -> str:
    """`INPUT_KIND_IMAGE` of InputKind is `image`."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return name.removeprefix(prefix).lower()


def _duration(value: object) -> Duration:
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a duration such as 30s, 5m, 24h, got {_said(value)}")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError("is out of range")
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1_000_000))
    return duration


def _said(value: object) -> str:
    kinds = {dict: "a mapping", list: "a list", bool: "yes/no", type(None): "nothing"}
    return kinds.get(type(value), repr(value))


def _near(name: str, known: Iterable[str]) -> str:
    fields = [field for field in known if field not in OUTPUT_ONLY]
    near = get_close_matches(name, fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(fields)}"


def _shown(message: Message, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field, value in message.ListFields():
        here = f"{path}.{field.name}" if path else field.name
        if here in OUTPUT_ONLY:
            continue
        if field.is_repeated:
            shown[field.name] = [_shown_value(field, element, here) for element in value]
        else:
            shown[field.name] = _shown_value(field, value, here)
    return shown


def _shown_value(field: FieldDescriptor, value: Any, path: str) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)  # a newer registry may say more than we know
        return _short(field.enum_type, known.name) if known else "unknown"
    if field.message_type is Duration.DESCRIPTOR:
        return _shown_duration(value)
    return value if field.message_type is None else _shown(value, path)


def _shown_duration(duration: Duration) -> str:
    microseconds = duration.ToMicroseconds()
    for unit in ("d", "h", "m", "s", "ms"):
        size = round(_UNIT_S[unit] * 1_000_000)
        if microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{microseconds / 1_000_000:.6f}s"
