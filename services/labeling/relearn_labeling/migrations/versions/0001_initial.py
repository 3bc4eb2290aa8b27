"""Tasks with their flags, leases, annotations and labels; annotators seen; answers by day."""

from __future__ import annotations

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    """create table label_tasks (
        label_task_id text primary key,
        project_id text not null,
        sample_id text not null,
        label_set_version integer not null,
        state text not null check (state in ('open', 'accepted', 'disputed')),
        settled integer not null,
        overlap integer not null check (overlap > 0),
        answers integer not null check (answers between 0 and overlap),
        rank smallint not null,
        label_id text,
        revision bigint not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        unique (sample_id, label_set_version))""",
    # the queue, in its order
    "create index label_tasks_open on label_tasks (project_id, rank, created_at, label_task_id) where state = 'open'",
    "create index label_tasks_newest on label_tasks (project_id, created_at, label_task_id)",
    """create table flags (
        label_task_id text not null references label_tasks,
        number integer not null,
        flag_id text not null unique,
        stream text not null,
        alert_id text not null,
        reason text not null,
        event_id text not null,
        content bytea not null,
        primary key (label_task_id, number))""",
    """create table leases (
        label_task_id text not null references label_tasks,
        annotator text not null,
        project_id text not null,
        slot smallint not null check (slot > 0),
        expires_at timestamptz not null,
        ended text check (ended in ('expired', 'returned')),
        primary key (label_task_id, annotator))""",
    # one holder a slot, one task in hand an annotator and project
    "create unique index leases_slot on leases (label_task_id, slot) where ended is null",
    "create unique index leases_in_hand on leases (project_id, annotator) where ended is null",
    "create index leases_expiry on leases (expires_at) where ended is null",
    """create table annotations (
        annotation_id text primary key,
        label_task_id text not null references label_tasks,
        annotator text not null,
        slot smallint not null check (slot > 0),
        class_name text not null,
        time_spent interval,
        created_at timestamptz not null,
        unique (label_task_id, slot),
        unique (label_task_id, annotator))""",
    """create table labels (
        label_id text primary key,
        label_task_id text not null references label_tasks,
        class_name text not null,
        annotation_ids text[] not null,
        answers integer not null,
        accepted_at timestamptz not null)""",
    """create table annotators (
        project_id text not null,
        annotator text not null,
        seen_at timestamptz not null,
        primary key (project_id, annotator))""",
    """create table answer_days (
        project_id text not null,
        day date not null,
        answers integer not null check (answers >= 0),
        primary key (project_id, day))""",
)


def upgrade() -> None:
    schema.create(op)
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    for table in ("answer_days", "annotators", "labels", "annotations", "leases", "flags", "label_tasks"):
        op.execute(f"drop table {table}")
    schema.drop(op)
