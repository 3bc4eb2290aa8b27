"""Brings a service's database to the newest schema at start; processes that start together take turns."""

from __future__ import annotations

import asyncio
import logging
from importlib.resources import as_file, files
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from relearn_runtime.backoff import delays
from relearn_runtime.database import Database
from relearn_runtime.faults import is_away

ADVISORY_LOCK = 0x6D696772617465  # "migrate"
log = logging.getLogger(__name__)


async def migrate_when_there(database: Database, package: str) -> None:
    """Waits for PostgreSQL as long as it takes, saying so, then migrates.

    Raises:
        Exception: a migration failed; nothing of it is left in the database.
    """
    for delay in delays(first_s=0.2, most_s=2.0):
        try:
            await migrate(database, package)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("waiting for postgresql", extra={"host": str(database.url.host), "error": repr(error)})
        else:
            return
        await asyncio.sleep(delay)


async def migrate(database: Database, package: str) -> None:
    """Upgrades to head, in one transaction under an advisory lock.

    On a connection of its own: it may take its time, in its statements and in waiting for another process's migration.

    Args:
        package: Python package with the alembic scripts (its `versions/`); an `env.py` is not needed.
    """
    settings = {"application_name": "relearn migration"}
    engine = create_async_engine(
        database.engine.url, poolclass=NullPool, connect_args={"timeout": 5, "server_settings": settings}
    )
    async with engine.connect() as connection:
        await connection.execute(sa.text("select pg_advisory_lock(:key)").bindparams(key=ADVISORY_LOCK))
        await connection.commit()
        try:
            await connection.run_sync(_upgrade, package)
            await connection.commit()
        finally:
            await connection.invalidate()  # takes the lock with it, whatever happened


def _upgrade(connection: Connection, package: str) -> None:
    with as_file(files(package)) as folder:
        script = ScriptDirectory(str(folder))

        def to_head(revision: Any, _: Any) -> Any:
            return script._upgrade_revs("head", revision)

        with EnvironmentContext(Config(), script, fn=to_head) as environment:
            environment.configure(connection=connection)
            with environment.begin_transaction():
                environment.run_migrations()
