"""The envelope: golden headers, there and back, and everything that is no event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from relearn.monitoring.v1.events_pb2 import PredictionFlagged, ShadowCompared
from relearn.monitoring.v1.flag_pb2 import Flag
from relearn_runtime.envelope import EventTooLarge, MalformedEvent, Record, decode, encode, type_of
from relearn_runtime.errors import InvalidInput

FLAGGED = PredictionFlagged(flag=Flag(flag_id="f1", sample_id="fashion/sample/aa", project_id="fashion"))
AT = datetime(2026, 11, 23, 12, 30, 0, 250000, tzinfo=timezone(timedelta(hours=2)))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def encoded(**change: Any) -> Record:
    made = encode(FLAGGED, id="e1", time=AT, causes=["c1", "c2"], traceparent=TRACE)
    values = {"topic": made.topic, "key": made.key, "value": made.value, "headers": made.headers}
    return Record(**(values | {"partition": 3, "offset": 7} | change))


def with_header(name: str, value: bytes | None) -> Record:
    headers = dict(encoded().headers or ())
    headers.pop(name)
    return encoded(headers=tuple(headers.items()) + (((name, value),) if value is not None else ()))


def test_an_event_travels_as_cloudevents_in_binary_mode():
    record = encoded()

    assert record.topic == "relearn.monitoring.flag.v1"
    assert record.key == b"fashion/sample/aa"
    assert dict(record.headers or ()) == {
        "content-type": b"application/protobuf",
        "ce_specversion": b"1.0",
        "ce_id": b"e1",
        "ce_source": b"/relearn/monitoring",
        "ce_type": b"relearn.monitoring.v1.PredictionFlagged",
        "ce_subject": b"f1",
        "ce_time": b"2026-11-23T10:30:00.250000Z",
        "ce_partitionkey": b"fashion/sample/aa",
        "ce_causes": b"c1,c2",
        "traceparent": TRACE.encode(),
    }
    assert PredictionFlagged.FromString(record.value or b"") == FLAGGED


def test_what_was_written_is_read():
    event = decode(encoded(), PredictionFlagged, topic="relearn.monitoring.flag.v1")

    assert event.message == FLAGGED
    assert (event.id, event.source, event.subject, event.key) == (
        "e1",
        "/relearn/monitoring",
        "f1",
        "fashion/sample/aa",
    )
    assert event.time == AT
    assert event.time.tzinfo is UTC
    assert event.causes == ("c1", "c2")
    assert (event.partition, event.offset, event.traceparent) == (3, 7, TRACE)


def test_an_event_without_causes_or_trace_has_no_such_headers():
    record = encode(FLAGGED, id="e1", time=AT)

    assert {"ce_causes", "traceparent"} & set(dict(record.headers or ())) == set()
    assert decode(record, PredictionFlagged, topic=record.topic).causes == ()


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (encoded(headers=None), "can't be read"),
        (with_header("ce_id", None), "ce_id is missing"),
        (with_header("ce_id", b""), "ce_id is missing"),
        (with_header("ce_id", b"a\0b"), "holds a NUL"),
        (with_header("ce_source", None), "ce_source is missing"),
        (with_header("ce_subject", b"\xff"), "ce_subject is no UTF-8"),
        (with_header("ce_time", b"yesterday"), "not RFC 3339"),
        (with_header("ce_time", b"2026-11-23T10:30:00"), "no time zone"),
        (with_header("content-type", b"application/json"), "content-type is 'application/json'"),
        (encoded(value=b"\x0a\xff\xff"), "the value is no relearn.monitoring.v1.PredictionFlagged"),
        (encoded(value=None), "has no value"),
        (encoded(key=b"\xff"), "key is no UTF-8"),
        (encoded(key=b"k" * 513), "key has 513 bytes"),
        (encoded(key=b"another"), "ce_partitionkey is not the key 'another'"),
        (with_header("ce_id", b"i" * 513), "ce_id has 513 bytes"),
        (with_header("ce_source", b"s" * 513), "ce_source has 513 bytes"),
        (with_header("ce_specversion", b"0.3"), "ce_specversion is '0.3'"),
        (with_header("ce_time", b"0001-01-01T00:00:00+14:00"), "not RFC 3339"),
        (with_header("ce_time", b"9999-12-31T23:59:59-01:00"), "not RFC 3339"),
    ],
)
def test_what_is_no_event_is_refused_with_its_cause(record, says):
    with pytest.raises(MalformedEvent, match=says):
        decode(record, PredictionFlagged, topic=record.topic)


def test_the_type_is_read_without_the_rest():
    assert type_of(encoded(value=b"\xff")) == "relearn.monitoring.v1.PredictionFlagged"
    with pytest.raises(MalformedEvent, match="ce_type is missing"):
        type_of(encoded(headers=()))


def test_an_event_over_the_limit_is_refused_at_the_door():
    with pytest.raises(EventTooLarge, match="at most 921600"):
        encode(ShadowCompared(project_id="p", stop_reason="x" * 950_000), id="e", time=AT)


def test_its_headers_count_too():
    with pytest.raises(EventTooLarge, match="with its headers"):
        encode(ShadowCompared(project_id="p"), id="e", time=AT, causes=[f"{n:036}" for n in range(26_000)])


def test_an_event_whose_key_no_table_could_hold_is_refused():
    with pytest.raises(InvalidInput, match="key of 600 bytes"):
        encode(ShadowCompared(project_id="p" * 600), id="e", time=AT)


def test_whatever_else_goes_wrong_in_reading_makes_a_malformed_event():
    class Surprising:
        @staticmethod
        def FromString(_):  # noqa: N802 - protobuf's name
            raise RecursionError("too deep")

    with pytest.raises(MalformedEvent, match="too deep"):
        decode(encoded(), Surprising, topic="relearn.monitoring.flag.v1")


def test_an_event_without_its_key_is_refused():
    with pytest.raises(InvalidInput, match=r"flag\.sample_id must be set"):
        encode(PredictionFlagged(), id="e", time=AT)


def test_a_message_that_no_topic_carries_is_a_mistake_in_the_code():
    with pytest.raises(KeyError, match=r"Flag"):
        encode(FLAGGED.flag, id="e", time=AT)
