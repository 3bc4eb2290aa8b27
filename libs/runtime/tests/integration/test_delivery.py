"""One event after the other: first delivery, redelivery, poison, tombstones, unknown types."""

from __future__ import annotations

import asyncio
from typing import Any

from events import compared

from relearn.monitoring.v1.events_pb2 import AlertOpened, WindowClosed
from relearn_runtime.envelope import Record, encode
from relearn_runtime.seams import new_id, utc_now
from relearn_runtime.testing import collect, eventually, publish, publish_record

TOPIC = "relearn.monitoring.quality.v1"


async def test_an_event_is_handled_once_and_what_it_causes_names_it(start: Any, kafka: Any, sql: Any) -> None:
    await start()

    event_id = await publish(kafka, compared(1), causes=["earlier"])

    (answer,) = await collect(kafka, WindowClosed, 1)
    assert answer.causes == (event_id,)
    assert answer.key == "p"
    assert answer.subject == "w1"
    assert answer.source == "/relearn/monitoring"
    assert answer.traceparent is not None
    assert await sql("select project_id, number from ledger") == [("p", 1)]
    await eventually(lambda: _empty(sql))


async def _empty(sql: Any) -> bool:
    return await sql("select count(*) from outbox") == [(0,)]


async def test_the_same_event_again_changes_nothing(start: Any, kafka: Any, sql: Any) -> None:
    await start()
    await publish(kafka, compared(1), id="the-same")
    await publish(kafka, compared(1), id="the-same")
    await publish(kafka, compared(2))

    await collect(kafka, WindowClosed, 2)

    assert await sql("select number from ledger order by entry") == [(1,), (2,)]


async def test_poison_is_parked_with_its_cause_and_later_events_pass(start: Any, kafka: Any, sql: Any) -> None:
    await start()
    await publish(kafka, compared(1, wish="INVALID"))
    await publish(kafka, compared(2, wish="BUG"))
    await publish(kafka, compared(3))

    await collect(kafka, WindowClosed, 1)

    assert await sql("select number from ledger") == [(3,)]
    rows = await sql("select state, reason, cause, attempts from parked order by sequence")
    assert rows == [
        ("parked", "WRONG_NUMBER", "never acceptable", 1),
        ("parked", "ZeroDivisionError", "a bug", 5),
    ]


async def test_records_that_are_no_events_are_parked_and_never_stop_the_others(
    start: Any, kafka: Any, sql: Any
) -> None:
    await start()
    good = encode(compared(1), id=new_id(), time=utc_now())
    headers = dict(good.headers or ())

    def changed(**change: Any) -> Record:
        values = {"topic": good.topic, "key": good.key, "value": good.value, "headers": good.headers}
        return Record(**(values | change))

    def without(name: str) -> tuple[tuple[str, bytes], ...]:
        return tuple(item for item in headers.items() if item[0] != name)

    await publish_record(kafka, changed(headers=()))
    await publish_record(kafka, changed(headers=without("ce_id")))
    await publish_record(kafka, changed(headers=(*without("ce_subject"), ("ce_subject", b"\xff\xfe"))))
    await publish_record(kafka, changed(headers=(*without("ce_time"), ("ce_time", b"yesterday"))))
    await publish_record(kafka, changed(headers=(*without("content-type"), ("content-type", b"text/html"))))
    await publish_record(kafka, changed(headers=(*without("ce_id"), ("ce_id", b"nul\0"))))
    await publish_record(kafka, changed(value=b"\x0a\xff\xff"))
    await publish_record(kafka, changed(key=b"\xff"))
    await publish_record(kafka, changed(key=b"another"))
    await publish_record(kafka, changed(key=b"k" * 3000, headers=without("ce_partitionkey")))
    await publish_record(kafka, changed(headers=(*without("ce_id"), ("ce_id", b"i" * 3000))))
    await publish_record(kafka, changed(headers=(*without("ce_time"), ("ce_time", b"0001-01-01T00:00:00+14:00"))))
    await publish_record(kafka, good)

    await collect(kafka, WindowClosed, 1)

    await eventually(lambda: _parked(sql, 12))
    assert {reason for (reason,) in await sql("select reason from parked")} == {"MALFORMED_EVENT"}
    assert await sql("select count(*) from ledger") == [(1,)]


async def _parked(sql: Any, count: int) -> bool:
    assert await sql("select count(*) from parked") == [(count,)]
    return True


async def test_unknown_types_and_tombstones_are_passed_over(start: Any, kafka: Any, sql: Any) -> None:
    service = await start()
    alien = encode(compared(1), id=new_id(), time=utc_now())
    headers = tuple(
        (n, b"relearn.monitoring.v1.NotInventedYet" if n == "ce_type" else v) for n, v in alien.headers or ()
    )
    await publish_record(kafka, Record(topic=TOPIC, key=b"p", value=alien.value, headers=headers))
    await publish_record(kafka, Record(topic=TOPIC, key=b"p", value=None, headers=()))
    await publish(kafka, AlertOpened(project_id="p"))
    await publish(kafka, compared(2))

    await collect(kafka, WindowClosed, 1)

    assert await sql("select number from ledger") == [(2,)]
    assert await sql("select count(*) from parked") == [(0,)]
    assert service.subscriptions == {"relearn.monitoring.v1.ShadowCompared", "relearn.registry.v1.ProjectApplied"}


async def test_an_event_that_takes_too_long_waits_and_is_parked_at_its_deadline(
    start: Any, kafka: Any, sql: Any
) -> None:
    # the event behind it has this time as well, and a single attempt
    await start(handler_timeout_s=1.0, not_yet_known_deadline_s=1.0)
    await publish(kafka, compared(1, wish="SLEEP_SQL:20"))
    await publish(kafka, compared(2))

    await collect(kafka, WindowClosed, 1)

    assert await sql("select reason, state from parked") == [("HANDLER_TOO_SLOW", "parked")]
    assert await sql("select number from ledger") == [(2,)]


async def test_an_event_whose_lock_another_transaction_holds_is_handled_once_it_is_free(
    start: Any, kafka: Any, sql: Any
) -> None:
    await start(handler_timeout_s=0.2)
    await sql("select pg_advisory_lock(1)")
    await publish(kafka, compared(1, wish="LOCK"))
    await publish(kafka, compared(2))
    await eventually(lambda: _parked(sql, 2))

    await sql("select pg_advisory_unlock(1)")

    await collect(kafka, WindowClosed, 2)
    assert await sql("select number from ledger order by entry") == [(1,), (2,)]
    assert await sql("select count(*) from parked") == [(0,)]


async def test_order_holds_within_a_key_under_many(start: Any, kafka: Any, sql: Any) -> None:
    await start()
    for number in range(30):
        await asyncio.gather(*(publish(kafka, compared(number, project_id=f"p{p}")) for p in range(4)))

    await collect(kafka, WindowClosed, 120)

    for project in range(4):
        rows = await sql("select number from ledger where project_id = $1 order by entry", f"p{project}")
        assert [number for (number,) in rows] == list(range(30))
