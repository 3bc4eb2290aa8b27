"""Transactions: what waits for the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from relearn_runtime import Store, Transaction, database


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store[Transaction]]:
    made = Store(database(postgres_url), Transaction)
    yield made
    await made.database.close()


async def test_what_waits_for_the_commit_comes_after_it_and_not_without(store: Store[Transaction]) -> None:
    said: list[str] = []
    async with store.transaction() as tx:
        await tx.connection.execute(sa.text("create table kept (n int)"))
        tx.after_commit(lambda: said.append("committed"))
        assert said == []

    with pytest.raises(ZeroDivisionError):
        await fail(store, said)

    assert said == ["committed"]
    async with store.transaction() as tx:
        assert (await tx.connection.execute(sa.text("select count(*) from kept"))).scalar_one() == 0


async def fail(store: Store[Transaction], said: list[str]) -> None:
    async with store.transaction() as tx:
        tx.after_commit(lambda: said.append("rolled back"))
        await tx.connection.execute(sa.text("drop table kept"))
        raise ZeroDivisionError
