"""Answers that no longer count, tasks that a reviewer should look at, who has one of them in hand, and revocations."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UP = (
    # those that count stay where they are, so that no query has to tell them apart
    """create table withdrawn_annotations (
        annotation_id text primary key,
        label_task_id text not null references label_tasks,
        annotator text not null,
        slot smallint not null check (slot > 0),
        regions bytea not null,
        classes text[] not null,
        suggestions_accepted text[] not null,
        suggestions_edited text[] not null,
        time_spent interval,
        created_at timestamptz not null,
        number integer not null,
        rejection text not null,
        revoked boolean not null,
        check (rejection <> '' or revoked))""",
    "create index withdrawn_annotations_of on withdrawn_annotations (label_task_id, annotator)",
    "create index withdrawn_annotations_newest on withdrawn_annotations (annotator, created_at, annotation_id)",
    "alter table label_tasks add column doubt double precision check (doubt between 0 and 1)",
    "update label_tasks set doubt = 1 where state = 'disputed'",
    """update label_tasks set doubt = 1 - least(agreement, coalesce(posterior, 1)) from labels
        where labels.label_id = label_tasks.label_id and state = 'accepted'
            and 1 - least(agreement, coalesce(posterior, 1)) >= 0.2""",
    """create index label_tasks_to_review on label_tasks (project_id, doubt desc, rank, due_at, label_task_id)
        where doubt is not null""",
    """create table reviews (
        label_task_id text primary key references label_tasks,
        project_id text not null,
        reviewer text not null,
        leased_at timestamptz not null,
        expires_at timestamptz not null)""",
    "create index reviews_in_hand on reviews (project_id, reviewer, leased_at)",
    """create table revocations (
        revocation_id text primary key,
        project_id text not null,
        annotator text not null,
        reason text not null,
        since timestamptz not null,
        person text not null,
        created_at timestamptz not null,
        answers bigint not null,
        reopened bigint not null,
        decided bigint not null,
        done boolean not null)""",
    "create index revocations_under_way on revocations (created_at) where not done",
)
_DOWN = (
    "drop table revocations",
    "drop table reviews",
    "drop index label_tasks_to_review",
    "alter table label_tasks drop column doubt",
    "drop table withdrawn_annotations",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
