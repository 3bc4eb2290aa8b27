"""NotYetKnown: events wait in the parked table, in order per key, until they can be handled or given up."""

from __future__ import annotations

from typing import Any

import pytest
from events import applied, compared

from relearn.monitoring.v1.events_pb2 import WindowClosed
from relearn.registry.v1.project_pb2 import Project
from relearn_runtime.testing import NotInTime, collect, eventually, handled, publish

STATES = "select state, reason, count(*) from parked group by 1, 2 order by 1, 2"


async def states(sql: Any, expected: list[tuple[Any, ...]]) -> bool:
    found = await sql(STATES)
    assert found == expected, found
    return True


async def test_what_waits_is_handled_in_order_once_its_project_is_known(
    start: Any, kafka: Any, sql: Any, postgres_url: str
) -> None:
    await start()
    head = await publish(kafka, compared(1, wish="PROJECT:late"))
    await publish(kafka, compared(2))
    await publish(kafka, compared(3))
    await publish(kafka, compared(1, project_id="another"))
    waiting = [("waiting", "BEHIND_ANOTHER_EVENT", 2), ("waiting", "NOT_YET_KNOWN", 1)]
    await eventually(lambda: states(sql, waiting))
    await eventually(lambda: _ledger_keys(sql, ["another"]))
    with pytest.raises(NotInTime, match=f"{head} waiting"):
        await handled(postgres_url, head, deadline_s=0)  # a claimed event that waits has had no effect yet

    await publish(kafka, applied("late"))

    await eventually(lambda: states(sql, []))
    await handled(postgres_url, head, deadline_s=0)
    assert await sql("select number from ledger where project_id = 'p' order by entry") == [(1,), (2,), (3,)]
    answers = await collect(kafka, WindowClosed, 4)
    assert [e.message.window.number for e in answers if e.key == "p"] == [1, 2, 3]


async def test_at_the_deadline_it_is_parked_and_its_followers_pass(start: Any, kafka: Any, sql: Any) -> None:
    await start(not_yet_known_deadline_s=1.0)
    await publish(kafka, compared(1, wish="PROJECT:never"))
    await publish(kafka, compared(2))

    await eventually(lambda: _numbers(sql, [2]))
    assert await states(sql, [("parked", "NOT_YET_KNOWN", 1)])


async def test_waiting_events_survive_a_restart(start: Any, kafka: Any, sql: Any) -> None:
    service = await start()
    await publish(kafka, compared(1, wish="PROJECT:late"))
    await eventually(lambda: states(sql, [("waiting", "NOT_YET_KNOWN", 1)]))

    await service.stop()
    await start()
    await publish(kafka, applied("late"))

    await eventually(lambda: states(sql, []))
    assert await sql("select number from ledger") == [(1,)]


async def test_a_deadline_that_passed_while_nobody_was_there_is_put_off(start: Any, kafka: Any, sql: Any) -> None:
    service = await start()
    await publish(kafka, compared(1, wish="PROJECT:late"))
    await eventually(lambda: states(sql, [("waiting", "NOT_YET_KNOWN", 1)]))
    await service.stop()
    await sql("update parked set deadline_at = now() - interval '1 hour', next_at = now(), attempts = 1")

    await start()

    await eventually(lambda: _attempted_again(sql))
    assert await states(sql, [("waiting", "NOT_YET_KNOWN", 1)])
    await publish(kafka, applied("late"))
    await eventually(lambda: states(sql, []))
    assert await sql("select number from ledger") == [(1,)]


async def _attempted_again(sql: Any) -> bool:
    ((attempts,),) = await sql("select attempts from parked")
    return int(attempts) > 1


async def test_a_waiting_event_that_turns_out_poison_is_parked(start: Any, kafka: Any, sql: Any) -> None:
    await start()
    await publish(kafka, compared(1, wish="PROJECT:late"))
    await publish(kafka, compared(2, wish="INVALID"))
    await publish(kafka, compared(3))
    await eventually(lambda: _count(sql, 3))

    await publish(kafka, applied("late"))

    await eventually(lambda: states(sql, [("parked", "WRONG_NUMBER", 1)]))
    assert await sql("select number from ledger order by entry") == [(1,), (3,)]


async def _ledger_keys(sql: Any, expected: list[str]) -> bool:
    return [key for (key,) in await sql("select project_id from ledger")] == expected


async def _numbers(sql: Any, expected: list[int]) -> bool:
    return [number for (number,) in await sql("select number from ledger order by entry")] == expected


async def _count(sql: Any, expected: int) -> bool:
    return await sql("select count(*) from parked") == [(expected,)]


async def test_an_older_revision_of_a_project_never_overwrites_a_newer(
    start: Any, kafka: Any, sql: Any, postgres_url: str
) -> None:
    await start()

    newer = await publish(kafka, applied("p", revision=2))
    await handled(postgres_url, newer, await publish(kafka, applied("p", revision=1)))

    ((revision, body),) = await sql("select revision, body from projects where project_id = 'p'")
    assert revision == 2
    assert Project.FromString(body).revision == 2
