"""The tables that the code reads are those that the migrations make."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from relearn_monitoring.store.tables import metadata


async def test_tables_are_those_that_the_migrations_make(monitoring):
    def differences(connection):
        own = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
        return compare_metadata(MigrationContext.configure(connection, opts=own), metadata)

    async with monitoring.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
