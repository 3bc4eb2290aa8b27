"""Statements that every call pays for, as text for asyncpg itself; only our own tables' names are put into it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa


async def insert(
    asyncpg: Any, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, upsert: tuple[str, ...] = ()
) -> None:
    """Inserts rows, all with the same columns; where a row's key is there already, it takes over those of `upsert`."""
    if rows:
        names = tuple(rows[0])
        await asyncpg.executemany(_insert(table, names, upsert), [tuple(row[name] for name in names) for row in rows])


async def update(asyncpg: Any, table: sa.Table, row: Mapping[str, Any], changed: Collection[str]) -> None:
    """Writes the changed columns of the row with this primary key."""
    (key,) = table.primary_key.columns
    names = tuple(name for name in row if name in changed)
    await asyncpg.execute(_update(table, names), row[key.name], *(row[name] for name in names))


@cache
def _insert(table: sa.Table, names: tuple[str, ...], upsert: tuple[str, ...]) -> str:
    values = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    key = ", ".join(column.name for column in table.primary_key.columns)
    taken = ", ".join(f"{name} = excluded.{name}" for name in upsert)
    conflict = f" on conflict ({key}) do update set {taken}" if upsert else ""
    return f"insert into {table.name} ({', '.join(names)}) values ({values}){conflict}"  # noqa: S608 our own names


@cache
def _update(table: sa.Table, names: tuple[str, ...]) -> str:
    (key,) = table.primary_key.columns
    changes = ", ".join(f"{name} = ${n}" for n, name in enumerate(names, start=2))
    return f"update {table.name} set {changes} where {key.name} = $1"  # noqa: S608 our own names
