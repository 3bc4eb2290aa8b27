"""The tables that the runtime keeps in the database of each service.

The first migration of a service calls `create(op)`. Migrations are history, so the DDL of version 1 is spelled out here
and never changes; a later version gets a function of its own.
"""

from __future__ import annotations

from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("request_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary),
    sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("parked_event_id", sa.Text, nullable=False, unique=True),
    sa.Column("consumer", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("value", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("deadline_at", sa.DateTime(timezone=True)),
)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)

_VERSION_1 = (
    """create table outbox (
        id bigint generated always as identity primary key,
        topic text not null, key bytea not null, value bytea not null, headers jsonb not null,
        created_at timestamptz not null default now())""",
    """create table inbox (
        consumer text not null, source text not null, event_id text not null,
        claimed_at timestamptz not null default now(), primary key (consumer, source, event_id))""",
    "create index inbox_claimed_at on inbox using brin (claimed_at)",
    """create table requests (
        request_id uuid primary key, digest bytea not null, response bytea,
        begun_at timestamptz not null default now())""",
    "create index requests_begun_at on requests using brin (begun_at)",
    """create table parked (
        sequence bigint generated always as identity primary key,
        parked_event_id text not null unique, consumer text not null,
        topic text not null, partition integer not null, "offset" bigint not null, key bytea not null,
        event_type text not null, event_id text not null, headers jsonb not null, value bytea,
        state text not null check (state in ('waiting', 'parked')),
        reason text not null, cause text not null, attempts integer not null,
        parked_at timestamptz not null default now(), next_at timestamptz not null default now(),
        deadline_at timestamptz)""",
    "create index parked_waiting on parked (consumer, topic, key, sequence) where state = 'waiting'",
    """create table projects (
        project_id text primary key, revision bigint not null, body bytea not null,
        updated_at timestamptz not null default now())""",
    """create table offsets (
        consumer text not null, topic text not null, partition integer not null, next_offset bigint not null,
        updated_at timestamptz not null default now(), primary key (consumer, topic, partition))""",
)


class Operations(Protocol):
    """What is used of alembic's `op`."""

    def execute(self, sqltext: Any) -> Any: ...


def create(op: Operations) -> None:
    """Creates the runtime's tables; for the first migration of a service."""
    for statement in _VERSION_1:
        op.execute(statement)


def drop(op: Operations) -> None:
    """Drops what `create` made."""
    for table in ("offsets", "projects", "parked", "requests", "inbox", "outbox"):
        op.execute(f"drop table {table}")
