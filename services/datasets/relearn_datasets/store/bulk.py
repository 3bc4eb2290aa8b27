"""Rows by the thousand: PostgreSQL's COPY through the connection below SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection


async def copy(
    connection: AsyncConnection, table: sa.Table, *, columns: Sequence[str], records: Iterable[Sequence[Any]]
) -> None:
    """Copies rows into a table, all or none.

    In the transaction of the connection, once a statement has begun it: SQLAlchemy begins at its own first statement,
    which COPY is not. On a connection without one the rows are there at once.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    if driver is None:
        raise RuntimeError("the pool has closed the connection")
    await driver.copy_records_to_table(table.name, columns=list(columns), records=records)


def arrays(statement: str, **types: Any) -> sa.TextClause:
    """A statement whose named parameters are arrays of these types, one element a row: for `unnest`."""
    return sa.text(statement).bindparams(*(sa.bindparam(name, type_=ARRAY(of)) for name, of in types.items()))
