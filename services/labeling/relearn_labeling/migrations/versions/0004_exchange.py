"""Which records of imports are there, and in which transaction a task last changed, so that an export can go on.

A time would not do: a transaction that began earlier may end later, and what it changed would be missed.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UP = (
    # `digest`: of the record's key, 16 bytes; there are as many of them as records were ever imported
    """create table imported_records (
        project_id text not null,
        digest bytea not null,
        primary key (project_id, digest))""",
    "alter table label_tasks add column changed xid8 not null default pg_current_xact_id()",
    """create function label_task_changed() returns trigger language plpgsql as
        $$ begin new.changed := pg_current_xact_id(); return new; end $$""",
    """create trigger label_task_changed before update on label_tasks
        for each row execute function label_task_changed()""",
    "create index label_tasks_changed on label_tasks (project_id, changed, label_task_id)",
)
_DOWN = (
    "drop index label_tasks_changed",
    "drop trigger label_task_changed on label_tasks",
    "drop function label_task_changed",
    "alter table label_tasks drop column changed",
    "drop table imported_records",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
