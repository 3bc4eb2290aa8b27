"""asyncpg itself, for the few statements that every event and call pays for."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection


async def driver(connection: AsyncConnection) -> Any:
    """The connection's own `asyncpg.Connection`, within the same transaction: a third of the CPU of SQLAlchemy.

    Parameters are `$1`, `$2`, ...; rows are `asyncpg.Record`s; errors are asyncpg's own, which the runtime knows.
    """
    asyncpg: Any = (await connection.get_raw_connection()).driver_connection
    if not asyncpg.is_in_transaction():
        await connection.exec_driver_sql("select 1")  # SQLAlchemy begins only with its first statement
    return asyncpg
