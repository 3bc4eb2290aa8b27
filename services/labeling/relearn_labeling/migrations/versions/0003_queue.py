"""Requests beside flags, whose turn it is, who may answer, several tasks in hand, answers by annotator and day."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UP = (
    "alter table flags add column confidence double precision",
    # numbered with the flags of its task: together they are its reasons, in order
    """create table label_requests (
        label_task_id text not null references label_tasks,
        number integer not null,
        label_request_id text not null,
        source text not null check (source in ('unknown', 'hand', 'import', 'draw', 'again')),
        reason text not null,
        value double precision check (value between 0 and 1),
        person text not null,
        created_at timestamptz not null,
        primary key (label_task_id, number),
        unique (label_task_id, label_request_id))""",
    """alter table label_tasks
        add column assigned_to text[] not null default '{}',
        add column answer_s double precision not null default 10,
        add column due_at timestamptz""",
    # as the formula would have it for a selected sample of unknown confidence; corrected when the task next changes
    "update label_tasks set due_at = created_at + interval '2 hours', rank = least(rank, 1)",
    "alter table label_tasks alter column due_at set not null",
    "drop index label_tasks_open",
    # the queue of everybody, in its order
    """create index label_tasks_open on label_tasks (project_id, rank, due_at, label_task_id)
        where state = 'open' and assigned_to = '{}'""",
    # the queues of those whom tasks are assigned to, with a copy of the order: open tasks only
    """create table assignments (
        label_task_id text not null references label_tasks,
        annotator text not null,
        project_id text not null,
        rank smallint not null,
        due_at timestamptz not null,
        primary key (label_task_id, annotator))""",
    "create index assignments_queue on assignments (project_id, annotator, rank, due_at, label_task_id)",
    # several tasks in hand, in the order in which they were handed out
    "drop index leases_in_hand",
    "alter table leases add column leased_at timestamptz, add column skip_reason text",
    "update leases set leased_at = expires_at",
    "alter table leases alter column leased_at set not null",
    "create index leases_in_hand on leases (project_id, annotator, leased_at) where ended is null",
    # for managers; what the queue itself needs to know is in the leases
    """create table skips (
        label_task_id text not null references label_tasks,
        annotator text not null,
        project_id text not null,
        reason text not null check (reason in ('unusable', 'unclear', 'not-my-field', 'other')),
        comment text not null,
        skipped_at timestamptz not null,
        primary key (label_task_id, annotator, skipped_at))""",
    "create index skips_of on skips (project_id, annotator, skipped_at)",
    # a row for each annotator: nobody waits for another to count
    "alter table answer_days add column annotator text not null default ''",
    "alter table answer_days drop constraint answer_days_pkey",
    "alter table answer_days add primary key (project_id, day, annotator)",
    # what an answer takes, by project
    "create table paces (project_id text primary key, answer_s double precision not null check (answer_s > 0))",
    "create index label_tasks_answered on label_tasks (project_id, updated_at) where answers > 0",
    "create index annotations_newest on annotations (annotator, created_at, annotation_id)",
)
_DOWN = (
    "drop index label_tasks_answered",
    "drop table paces",
    "drop index annotations_newest",
    """create table answer_days_before as
        select project_id, day, sum(answers)::integer as answers from answer_days group by project_id, day""",
    "delete from answer_days",
    "alter table answer_days drop column annotator",
    "alter table answer_days add primary key (project_id, day)",
    "insert into answer_days (project_id, day, answers) select * from answer_days_before",
    "drop table answer_days_before",
    "drop table skips",
    "drop index leases_in_hand",
    "update leases set ended = 'returned' where ended is null",
    "alter table leases drop column leased_at, drop column skip_reason",
    "create unique index leases_in_hand on leases (project_id, annotator) where ended is null",
    "drop table assignments",
    "drop index label_tasks_open",
    "alter table label_tasks drop column assigned_to, drop column answer_s, drop column due_at",
    "create index label_tasks_open on label_tasks (project_id, rank, created_at, label_task_id) where state = 'open'",
    "drop table label_requests",
    "alter table flags drop column confidence",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
