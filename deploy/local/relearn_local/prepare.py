"""Makes what services expect to find: a database and a role each, and the topics. Run before them, any number of times.

`python -m relearn_local.prepare`, configured by PREPARE_POSTGRES_URL (as superuser), PREPARE_KAFKA_BOOTSTRAP_SERVERS
and the same `<SERVICE>_DATABASE_URL` variables that the services get.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import asyncpg

from relearn_contracts.topics import all_topics
from relearn_local import topics
from relearn_local.services import SERVICES, database_variable

DEADLINE_S = 90.0
MISMATCH = "topic mismatch: "  # how `relearn up` finds these lines in the log


async def databases(superuser_url: str, urls: Mapping[str, str], *, deadline_s: float = DEADLINE_S) -> None:
    """One role and one database per URL; nobody else may connect to it.

    Args:
        superuser_url: of any database of the server.
        urls: by name of the service; each names its user, password and database.
    """
    connection = await _connect(superuser_url, deadline_s=deadline_s)
    try:
        for url in urls.values():
            parts = urlsplit(url)
            await _database(
                connection,
                role=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                database=parts.path.lstrip("/"),
            )
    finally:
        await connection.close()


async def _database(connection: asyncpg.Connection, *, role: str, password: str, database: str) -> None:
    quoted_role, quoted_database = _identifier(role), _identifier(database)
    literal = await connection.fetchval("select quote_literal($1::text)", password)
    if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
        await connection.execute(f"create role {quoted_role} login")
    await connection.execute(f"alter role {quoted_role} password {literal}")
    if not await connection.fetchval("select 1 from pg_database where datname = $1", database):
        await connection.execute(f"create database {quoted_database} owner {quoted_role}")
    await connection.execute(f"revoke connect on database {quoted_database} from public")


def _identifier(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


async def _connect(url: str, *, deadline_s: float) -> asyncpg.Connection:
    give_up = time.monotonic() + deadline_s
    while True:
        try:
            return await asyncpg.connect(url, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            if time.monotonic() > give_up:
                raise SystemExit(f"PostgreSQL does not answer: {error}") from error
            await asyncio.sleep(0.2)


def main() -> None:
    """Prepares both servers and says what it did."""
    urls = {service.name: os.environ[database_variable(service)] for service in SERVICES if service.database}
    asyncio.run(databases(os.environ["PREPARE_POSTGRES_URL"], urls))
    say(f"databases: {', '.join(urls)}")
    try:
        applied = topics.apply(
            all_topics(), bootstrap_servers=os.environ["PREPARE_KAFKA_BOOTSTRAP_SERVERS"], deadline_s=DEADLINE_S
        )
    except topics.BrokerAway as error:
        raise SystemExit(str(error)) from error
    say(f"topics created: {', '.join(applied.created) or 'none'}")
    for mismatch in applied.mismatches:
        say(MISMATCH + mismatch)


def say(line: str) -> None:
    """One line of the log."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
