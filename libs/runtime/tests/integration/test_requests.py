"""The same request_id gets the same answer and does nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from relearn.operations.v1 import operations_service_pb2 as pb
from relearn_runtime import Store, Transaction, database, inbox, requests
from relearn_runtime.callers import Caller, bind_caller
from relearn_runtime.errors import InvalidInput
from relearn_runtime.migrations import ADVISORY_LOCK, migrate
from relearn_runtime.testing import eventually


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store[Transaction]]:
    import ledger_service.migrations  # noqa: F401 - it is found beside the tests

    made = Store(database(postgres_url), Transaction)
    await asyncio.gather(*(migrate(made.database, "ledger_service.migrations") for _ in range(3)))
    yield made
    await made.database.close()


def request(request_id: str, event: str = "e") -> pb.DropParkedEventRequest:
    return pb.DropParkedEventRequest(parked_event_id=event, reason="r", request_id=request_id)


RESPONSE = pb.GetWaitingResponse(waiting=[pb.Waiting(stage="s")])


async def answer(store: Store[Transaction], asked: pb.DropParkedEventRequest, *, fail: bool = False) -> bytes | None:
    async with store.transaction() as tx:
        if (saved := await tx.requests.begin(asked)) is not None:
            return saved
        await asyncio.sleep(0.05)
        if fail:
            raise ZeroDivisionError
        await tx.connection.execute(sa.text("insert into ledger (project_id, number) values ('p', 1)"))
        await tx.requests.finish(asked, RESPONSE)
        return None


async def count(store: Store[Transaction]) -> int:
    async with store.transaction() as tx:
        return int(await tx.connection.scalar(sa.text("select count(*) from ledger")))


async def test_a_migration_may_wait_longer_than_a_statement_may_take(postgres_url: str) -> None:
    made = database(postgres_url)
    impatient = create_async_engine(made.engine.url, connect_args={"command_timeout": 0.1})
    holder = await asyncpg.connect(postgres_url)
    await holder.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)

    migrating = asyncio.create_task(migrate(replace(made, engine=impatient), "ledger_service.migrations"))

    async def has_waited() -> bool:
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        if await holder.fetchval(waits) and not seen:
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() - seen[0] > 0.3

    seen: list[float] = []
    await eventually(has_waited)
    await holder.close()
    await migrating
    await impatient.dispose()
    await made.close()


async def test_what_is_old_is_forgotten_and_the_rest_is_kept(store: Store[Transaction]) -> None:
    kept = request(str(uuid4()))
    await answer(store, request(str(uuid4())))
    async with store.transaction() as tx:
        await tx.connection.execute(sa.text("update requests set begun_at = now() - interval '40 days'"))
        aged = "select 'labeling', 's', 'e' || n, now() - make_interval(days => n) from generate_series(1, 9) n"
        await tx.connection.execute(sa.text(f"insert into inbox {aged}"))
    await answer(store, kept)

    async with store.transaction() as tx:
        claims = await inbox.forget_older(tx.connection, days=5)
        answers = await requests.forget_older(tx.connection, days=30)

    assert (claims, answers) == (5, 1)
    assert await answer(store, kept) == RESPONSE.SerializeToString()


async def test_the_first_does_it_and_all_others_get_its_answer(store: Store[Transaction]) -> None:
    asked = request(str(uuid4()))

    answers = await asyncio.gather(*(answer(store, asked) for _ in range(6)))

    assert answers.count(None) == 1
    assert {saved for saved in answers if saved} == {RESPONSE.SerializeToString()}
    assert await count(store) == 1


async def test_a_failed_call_leaves_nothing_so_that_a_retry_does_it(store: Store[Transaction]) -> None:
    asked = request(str(uuid4()))
    with pytest.raises(ZeroDivisionError):
        await answer(store, asked, fail=True)

    assert await answer(store, asked) is None

    assert await count(store) == 1


async def test_another_content_or_caller_is_refused(store: Store[Transaction]) -> None:
    request_id = str(uuid4())
    await answer(store, request(request_id))
    stranger = Caller(subject="eve", role="engineer")

    with pytest.raises(InvalidInput) as other_content:
        await answer(store, request(request_id, event="another"))
    bind_caller(stranger)
    with pytest.raises(InvalidInput) as other_caller:
        await answer(store, request(request_id))
    bind_caller(None)

    assert other_content.value.reason == other_caller.value.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize("request_id", ["", "7", "not-a-uuid"])
async def test_a_request_id_must_be_a_uuid(store: Store[Transaction], request_id: str) -> None:
    with pytest.raises(InvalidInput, match="UUID"):
        await answer(store, request(request_id))
