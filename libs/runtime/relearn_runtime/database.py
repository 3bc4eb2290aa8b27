"""A service's own PostgreSQL: the connection pool, and one transaction as a value that knows its repositories."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import SecretStr
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from relearn_runtime.outbox import Outbox
from relearn_runtime.projects import Projects
from relearn_runtime.requests import Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A connection pool; no connection is made before the first use."""

    url: URL
    engine: AsyncEngine

    async def close(self) -> None:
        """Closes the pooled connections."""
        await self.engine.dispose()

    @property
    def dsn(self) -> str:
        """For asyncpg itself: connections outside of the pool."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)


def database(url: str | SecretStr, *, statement_timeout_s: float = 10.0, pool_size: int = 8) -> Database:
    """The pool of one database.

    Args:
        url: postgresql://user:password@host:port/name.
        statement_timeout_s: the server gives a statement up after this long, so that a slow query is told apart from
            a server that is away (asyncpg's own timeout, a little later, means the latter).
    """
    plain = make_url(url.get_secret_value() if isinstance(url, SecretStr) else url)
    settings = {
        "statement_timeout": f"{int(statement_timeout_s * 1000)}",
        "idle_in_transaction_session_timeout": "120000",
        "application_name": "relearn",
    }
    # No ping before use, which costs three round trips a transaction: the first error of a lost connection drops the
    # whole pool, and handlers, jobs and channels try again.
    engine = create_async_engine(
        plain.set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        connect_args={"timeout": 5, "command_timeout": statement_timeout_s + 5, "server_settings": settings},
    )
    return Database(url=plain, engine=engine)


class Transaction:
    """One transaction of a service; a service's own subclass adds its repositories."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.outbox = Outbox(connection)
        self.requests = Requests(connection)
        self.projects = Projects(connection)
        self._after_commit: list[Callable[[], object]] = []

    def after_commit(self, call: Callable[[], object]) -> None:
        """Calls `call` when the transaction is committed, never when it is not: to wake a job, to count in a metric."""
        self._after_commit.append(call)

    def committed(self) -> None:
        """Says that it is; the store's own business."""
        for call in self._after_commit:
            call()


Tx = TypeVar("Tx", bound=Transaction)


class Store(Generic[Tx]):
    """Opens transactions of a service's own type.

    Attributes:
        outbox_written: set by each commit that leaves events in the outbox; the relay waits for it.
    """

    def __init__(self, database: Database, transaction: Callable[[AsyncConnection], Tx]) -> None:
        self.database = database
        self.outbox_written = asyncio.Event()
        self._transaction = transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """One transaction (READ COMMITTED): committed at the end, rolled back when an exception leaves it."""
        async with self.database.engine.begin() as connection:
            tx = self._transaction(connection)
            yield tx
        if tx.outbox.written:
            self.outbox_written.set()
        tx.committed()
