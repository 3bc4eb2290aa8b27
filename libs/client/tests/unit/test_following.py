"""Events as a second, independent reader sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from relearn.labeling.v1 import events_pb2, label_task_pb2
from relearn.monitoring.v1 import events_pb2 as monitoring_pb
from relearn.monitoring.v1 import flag_pb2
from relearn_client import InvalidInput, NotConfigured
from relearn_client.endpoints import Endpoints
from relearn_client.following import follow, read
from relearn_contracts.topics import all_topics


def record(message, **headers: str) -> SimpleNamespace:
    full_type = message.DESCRIPTOR.full_name
    given = {"ce_type": full_type, "ce_id": "id", "ce_time": "2026-11-23T12:00:00Z", "ce_causes": "a,b", **headers}
    return SimpleNamespace(
        headers=[(name, text.encode()) for name, text in given.items()],
        value=message.SerializeToString(),
        topic="t.relearn.labeling.task.v1",
        partition=1,
        offset=7,
        timestamp=0,
    )


def everything(*, types: list[str]):
    return follow(Endpoints(), project_id="", types=types, from_beginning=True, predictions=False, stop=None)


def test_an_event_is_read_with_the_names_of_the_contract():
    message = events_pb2.LabelAccepted(
        label=label_task_pb2.Label(label_id="l", project_id="fruit"), label_task_id="t", revision=3
    )

    event = read(record(message), topic_prefix="t.")

    assert (event.type, event.full_type) == ("LabelAccepted", "relearn.labeling.v1.LabelAccepted")
    assert (event.id, event.causes, event.project_id) == ("id", ("a", "b"), "fruit")
    assert event.time == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert (event.topic, event.message["label"]["label_id"]) == ("relearn.labeling.task.v1", "l")


def test_the_project_is_found_in_what_the_event_tells_of():
    message = monitoring_pb.PredictionFlagged(flag=flag_pb2.Flag(flag_id="f", project_id="fruit"))

    assert read(record(message)).project_id == "fruit"


@pytest.mark.parametrize("full_type", ["os.path", "relearn.labeling.v1.Unheard", "", "x"])
def test_an_unknown_type_is_shown_without_its_message_and_nothing_is_imported_for_it(full_type: str):
    event = read(record(events_pb2.LabelAccepted(), ce_type=full_type))

    assert (event.full_type, event.message) == (full_type, {})


def test_a_value_that_is_no_such_message_is_shown_empty():
    broken = record(events_pb2.LabelAccepted())
    broken.value = b"\xff"

    assert read(broken).message == {}


def test_a_type_that_nobody_sends_is_refused_with_those_there_are():
    with pytest.raises(InvalidInput, match="AlertOpend") as caught:
        next(
            follow(Endpoints(), project_id="", types=["AlertOpend"], from_beginning=True, predictions=False, stop=None)
        )

    assert "AlertOpened" in caught.value.next_step


def test_every_event_of_the_contracts_can_be_read():
    for topic in all_topics():
        for full_type in topic.events:
            headers = [("ce_type", full_type.encode())]
            event = read(SimpleNamespace(headers=headers, value=b"", topic="", partition=0, offset=0, timestamp=5))
            assert event.type, full_type


def test_without_an_address_of_kafka_that_is_said():
    with pytest.raises(NotConfigured, match="RELEARN_KAFKA"):
        next(everything(types=[]))
