"""Gold tasks, the turns in which annotators were given them, and how many tasks each was given."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_UP = (
    "alter table annotators add column given bigint not null default 0",
    # a gold task has the id that the sample's own task has or would have
    """create table gold_tasks (
        label_task_id text primary key,
        project_id text not null,
        sample_id text not null,
        label_set_version integer not null,
        regions bytea not null,
        set_by text not null,
        set_at timestamptz not null,
        removed_at timestamptz)""",
    "create index gold_tasks_of on gold_tasks (project_id) where removed_at is null",
    # what makes the turns of a project's annotators unpredictable to them
    "create table gold_salts (project_id text primary key, salt text not null)",
    # one turn an annotator and gold task, ever
    """create table gold_turns (
        label_task_id text not null references gold_tasks,
        annotator text not null,
        project_id text not null,
        why text not null,
        closes boolean not null,
        leased_at timestamptz not null,
        expires_at timestamptz not null,
        ended text check (ended in ('answered', 'returned')),
        annotation_id text unique,
        regions bytea,
        time_spent interval,
        answered_at timestamptz,
        score double precision check (score between 0 and 1),
        primary key (label_task_id, annotator),
        check ((ended is not distinct from 'answered') = (annotation_id is not null)))""",
    "create index gold_turns_in_hand on gold_turns (project_id, annotator, leased_at) where ended is null",
    "create index gold_turns_answered on gold_turns (annotator, answered_at, annotation_id) where ended = 'answered'",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for table in ("gold_turns", "gold_salts", "gold_tasks"):
        op.execute(f"drop table {table}")
    op.execute("alter table annotators drop column given")
