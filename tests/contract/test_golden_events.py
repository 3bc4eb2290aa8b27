"""Stored events live as long as retention: every golden event parses with today's code, and says what it said."""

import sys
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from relearn_contracts.topics import all_topics

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import golden_events  # noqa: E402 - a program beside the packages
from golden_events import message_type  # noqa: E402

EXAMPLES = sorted((ROOT / "proto" / "examples").glob("*.bin"))
EVENTS = [event for topic in all_topics() for event in topic.events]


def event_of(path):
    """`relearn.labeling.v1.LabelAccepted` of `relearn.labeling.v1.LabelAccepted.1.bin`."""
    return path.name.rsplit(".", 2)[0]


@pytest.mark.parametrize("event", EVENTS)
def test_every_field_and_branch_of_an_event_type_is_in_a_golden_event(event):
    assert golden_events.missing(event) == [], "run: python tools/golden_events.py"


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
def test_a_golden_event_has_the_key_of_its_topic(path):
    parsed = message_type(event_of(path)).FromString(path.read_bytes())

    assert all(topic.key_of(parsed) for topic in all_topics() if event_of(path) in topic.events)
