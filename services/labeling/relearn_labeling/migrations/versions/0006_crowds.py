"""What is known of a project's annotators, for the decision of tasks; what reports add up, in order of time."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = (
    # confusions are k x k, row by row, row: what is true; null: one coin
    """create table crowds (
        project_id text not null,
        label_set_version integer not null,
        truth text not null check (truth in ('weighted', 'dawid_skene')),
        said text[] not null,
        prior real[] not null,
        accuracy real not null,
        confusion real[],
        answers bigint not null,
        learned_at timestamptz not null,
        primary key (project_id, label_set_version))""",
    """create table skills (
        project_id text not null,
        label_set_version integer not null,
        annotator text not null,
        accuracy real not null,
        confusion real[],
        votes real not null,
        primary key (project_id, label_set_version, annotator))""",
    # the newest answers and labels, without reading the older ones
    "create index annotations_by_time on annotations (created_at)",
    "create index labels_by_time on labels (accepted_at)",
    "create index label_tasks_disputed on label_tasks (project_id) where state = 'disputed'",
    # classes whose suggestions an answer took as they were, and changed: once for each region
    """alter table annotations
        add column suggestions_accepted text[] not null default '{}',
        add column suggestions_edited text[] not null default '{}'""",
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("alter table annotations drop column suggestions_accepted, drop column suggestions_edited")
    for index in ("label_tasks_disputed", "labels_by_time", "annotations_by_time"):
        op.execute(f"drop index {index}")
    for table in ("skills", "crowds"):
        op.execute(f"drop table {table}")
