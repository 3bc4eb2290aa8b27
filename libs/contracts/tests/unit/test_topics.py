"""Topic files: what they say is possible, complete, and true of the messages."""

from __future__ import annotations

import importlib
from datetime import timedelta

import pytest

from relearn_contracts.topics import TopicFileError, all_topics, parse_topic, topic_of

TOPIC = """
topic: relearn.monitoring.flag.v1
owner: monitoring
package: relearn.monitoring.v1
key: flag.sample_id
partitions: 6
retention: 365d
cleanup: delete
events:
  PredictionFlagged:
    subject: flag.flag_id
    consumers: [labeling, registry]
"""


def test_a_topic_says_who_writes_and_who_listens():
    topic = parse_topic(TOPIC, source="flag.yaml")

    assert (topic.name, topic.owner, topic.partitions, topic.retention) == (
        "relearn.monitoring.flag.v1", "monitoring", 6, timedelta(days=365),
    )  # fmt: skip
    assert topic.events == ("relearn.monitoring.v1.PredictionFlagged",)
    assert topic.consumers["relearn.monitoring.v1.PredictionFlagged"] == ("labeling", "registry")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("partitions: 6\n", "", "partitions"),
        ("owner: monitoring", "owner: monitoring\nowned: x", "owned"),
        ("365d", "a year", "retention"),
        ("cleanup: delete", "cleanup: burn", "cleanup"),
        ("subject: flag.flag_id", "subjects: flag.flag_id", "PredictionFlagged"),
        ("partitions: 6", "partitions: x", "partitions must be a whole number"),
        ("partitions: 6", "partitions: 0", "partitions must be a whole number"),
        ("  PredictionFlagged:", "  PredictionFlagged: none\n  Other:", "events must name each event"),
    ],
)
def test_an_impossible_file_is_refused_by_name(old, new, says):
    with pytest.raises(TopicFileError, match=says):
        parse_topic(TOPIC.replace(old, new), source="flag.yaml")


@pytest.mark.parametrize("topic", all_topics(), ids=lambda topic: topic.name)
def test_every_event_of_every_topic_has_the_key_and_the_subject_that_its_file_names(topic):
    for full_name in topic.events:
        package, _, name = full_name.rpartition(".")
        message = getattr(importlib.import_module(f"{package}.events_pb2"), name)()

        assert topic.key_of(message) == ""
        assert topic.subject_of(message) == ""
        assert topic_of(type(message)) == topic


def test_no_event_is_on_two_topics_and_an_unknown_one_is_an_error():
    events = [event for topic in all_topics() for event in topic.events]

    assert len(events) == len(set(events))
    with pytest.raises(KeyError, match="proto/topics"):
        topic_of("relearn.nowhere.v1.Nothing")
