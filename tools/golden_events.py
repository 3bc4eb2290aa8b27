"""Adds golden events to proto/examples/ for every event type of which no example has all fields of today.

An example is never changed or removed: it is what some topic may still hold. Run it after a change of an event:
`python tools/golden_events.py`. Every field of every event is set, to values that follow from their names; where a
message has a oneof, there is an example for each of its branches.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from google.protobuf import symbol_database
from google.protobuf.json_format import MessageToJson

from relearn_contracts.topics import all_topics

EXAMPLES = Path(__file__).resolve().parent.parent / "proto" / "examples"
NOON = 1_795_435_200  # 2026-11-23 12:00 UTC
KNOWN = {
    "project_id": "fashion",
    "partition_key": "fashion/0",
    "sample_id": f"fashion/sample/{'5e' * 32}",
    "dataset_version_id": "fashion/data/3",
    "parent_dataset_version_id": "fashion/data/2",
    "model_version_id": "fashion/model/1",
    "champion_model_version_id": "fashion/model/1",
    "previous_model_version_id": "fashion/model/1",
    "left_model_version_id": "fashion/model/1",
    "challenger_model_version_id": "fashion/model/2",
    "route_id": "fashion/route/4",
    "alias": "champion",
    "person": "engineer@example.org",
    "annotator": "ann",
    "label": "coat",
    "predicted_label": "coat",
    "champion_label": "coat",
    "challenger_label": "shirt",
    "family": "plain-cnn",
}


def main() -> None:
    """Writes what is missing and says so."""
    EXAMPLES.mkdir(exist_ok=True)
    for full_name in event_types():
        for message in missing(full_name):
            last = max((number(path) for path in stored(full_name)), default=0)
            path = EXAMPLES / f"{full_name}.{last + 1}.bin"
            path.write_bytes(message.SerializeToString(deterministic=True))
            path.with_suffix(".json").write_text(MessageToJson(message, preserving_proto_field_name=True) + "\n")
            print(f"added {path.relative_to(EXAMPLES.parent)}")


def missing(full_name: str) -> list[Any]:
    """Examples of today that are not stored."""
    contents = {path.read_bytes() for path in stored(full_name)}
    wanted = [example(full_name, branch=branch) for branch in range(branches(message_type(full_name).DESCRIPTOR))]
    return [message for message in wanted if message.SerializeToString(deterministic=True) not in contents]


def stored(full_name: str) -> list[Path]:
    """The examples of an event type."""
    return list(EXAMPLES.glob(f"{full_name}.*.bin"))


def event_types() -> Iterator[str]:
    """Full names of every event on every topic."""
    for topic in all_topics():
        yield from topic.events


def message_type(full_name: str) -> Any:
    """The class of an event type."""
    __import__(f"{full_name.rpartition('.')[0]}.events_pb2")
    return symbol_database.Default().GetSymbol(full_name)


def branches(kind: Any) -> int:
    """How many examples it takes for each branch of each oneof in a message, and in what it holds, to be in one."""
    inner = [branches(field.message_type) for field in kind.fields if field.message_type is not None]
    return max([1, *inner, *(len(oneof.fields) for oneof in kind.oneofs)])


def example(full_name: str, *, branch: int = 0) -> Any:
    """A message of this type with every field set, of a oneof the one whose turn it is."""
    message = message_type(full_name)()
    fill(message, full_name, branch)
    return message


def fill(message: Any, path: str, branch: int) -> None:
    """Sets every field."""
    kind = message.DESCRIPTOR.full_name
    if kind == "google.protobuf.Timestamp":
        message.seconds, message.nanos = NOON + hashed(path, 3600), 125_000_000
        return
    if kind == "google.protobuf.Duration":
        message.seconds, message.nanos = 30 + hashed(path, 60), 500_000_000
        return
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and oneof.fields[branch % len(oneof.fields)].name != field.name:
            continue
        where = f"{path}.{field.name}"
        if field.is_repeated:
            for i in range(2):
                add(message, field, f"{where}[{i}]", branch)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name), where, branch)
        else:
            setattr(message, field.name, value(field, where))


def add(message: Any, field: Any, where: str, branch: int) -> None:
    """Appends one element to a repeated field."""
    elements = getattr(message, field.name)
    if field.message_type is not None:
        fill(elements.add(), where, branch)
    else:
        elements.append(value(field, where))


def value(field: Any, where: str) -> Any:
    """A value that is easy to tell from others and exact in every format."""
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    name = field.name
    match field.cpp_type:
        case field.CPPTYPE_STRING if field.type == field.TYPE_BYTES:
            return hashed(where, 2**32).to_bytes(4, "big")
        case field.CPPTYPE_STRING if name in KNOWN:
            return KNOWN[name]
        case field.CPPTYPE_STRING if name.endswith(("_id", "_ids")):
            return str(uuid5(NAMESPACE_URL, where))
        case field.CPPTYPE_STRING if "sha256" in name or "digest" in name:
            return f"{hashed(where, 2**32):08x}" * 8
        case field.CPPTYPE_STRING:
            return f"{name.replace('_', ' ')} {hashed(where, 10)}"
        case field.CPPTYPE_BOOL:
            return True
        case field.CPPTYPE_FLOAT | field.CPPTYPE_DOUBLE:
            return (1 + hashed(where, 63)) / 64
        case _:
            return 1 + hashed(where, 97)


def number(path: Path) -> int:
    """The number of an example's file."""
    return int(path.name.split(".")[-2])


def hashed(text: str, below: int) -> int:
    """A number that follows from a text."""
    return zlib.crc32(text.encode()) % below


if __name__ == "__main__":
    main()
