"""Stored events live as long as retention: every golden event parses with today's code, and says what it said."""

from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf import symbol_database
from google.protobuf.json_format import MessageToDict, Parse

from relearn_contracts.topics import all_topics

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "proto" / "examples").glob("*.bin"))
EVENTS = [event for topic in all_topics() for event in topic.events]


def event_of(path):
    """`relearn.labeling.v1.LabelAccepted` of `relearn.labeling.v1.LabelAccepted.1.bin`."""
    return path.name.rsplit(".", 2)[0]


def message_type(full_name):
    import_module(f"{full_name.rpartition('.')[0]}.events_pb2")
    return symbol_database.Default().GetSymbol(full_name)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_type_has_a_golden_event(event):
    assert event in {event_of(path) for path in EXAMPLES}, "run: python tools/golden_events.py"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_golden_event_says_what_its_json_says(path):
    kind = message_type(event_of(path))

    parsed = kind.FromString(path.read_bytes())

    assert parsed == Parse(path.with_suffix(".json").read_text(), kind())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_today_knows_every_field_of_a_golden_event(path):
    """A field whose number was given up would come back as unknown bytes: equal in size, absent from the JSON."""
    parsed = message_type(event_of(path)).FromString(path.read_bytes())
    known = parsed.__class__()
    known.CopyFrom(parsed)
    known.DiscardUnknownFields()

    assert known.SerializeToString(deterministic=True) == path.read_bytes()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_golden_event_leaves_nothing_out(path):
    parsed = message_type(event_of(path)).FromString(path.read_bytes())

    assert MessageToDict(parsed)
    assert all(topic.key_of(parsed) for topic in all_topics() if event_of(path) in topic.events)
