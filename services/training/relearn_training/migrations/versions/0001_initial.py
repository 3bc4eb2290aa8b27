"""What is known of each project, its versions, alerts, model versions, decisions, studies and runs."""

from __future__ import annotations

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    """create table situations (
        project_id text primary key,
        dataset_version_id text,
        dataset_version_n bigint not null default 0,
        train bigint not null default 0,
        validation bigint not null default 0,
        version_event_id text not null default '',
        champion text not null default '',
        route_revision bigint not null default 0,
        rolled_back_at timestamptz,
        reconsider_at timestamptz)""",
    "create index situations_reconsider on situations (reconsider_at) where reconsider_at is not null",
    """create table dataset_versions (
        project_id text not null,
        number bigint not null,
        committed_at timestamptz not null,
        primary key (project_id, number))""",
    """create table alerts (
        alert_id text primary key,
        project_id text not null,
        model_version_id text not null,
        state text not null check (state in ('open', 'confirmed', 'over')),
        opened_at timestamptz not null,
        confirmed_at timestamptz,
        confirmed_event_id text not null default '')""",
    "create index alerts_confirmed on alerts (project_id, model_version_id) where state = 'confirmed'",
    """create table model_versions (
        model_version_id text primary key,
        project_id text not null,
        run_id text not null,
        dataset_version_n bigint not null)""",
    """create table studies (
        study_id text primary key,
        project_id text not null,
        dataset_version_id text not null,
        dataset_version_n bigint not null,
        train bigint not null,
        validation bigint not null,
        trigger text not null check (trigger in ('initial', 'new_labels', 'confirmed_alert', 'manual')),
        detail text not null,
        alert_id text not null,
        champion text not null,
        state text not null check (state in ('running', 'finished', 'failed')),
        plan jsonb not null,
        preprocessing jsonb,
        failure text not null,
        tries integer not null default 0,
        project_revision bigint not null,
        person text not null,
        started_at timestamptz not null,
        started_event_id text not null,
        ended_at timestamptz,
        lease_owner text,
        lease_until timestamptz)""",
    # one study at a time a project
    "create unique index studies_running on studies (project_id) where state = 'running'",
    "create index studies_newest on studies (project_id, started_at desc, study_id desc)",
    """create table runs (
        run_id text primary key,
        study_id text not null references studies,
        project_id text not null,
        trial integer not null check (trial >= 0),
        parameters jsonb not null,
        state text not null check (state in ('running', 'finished', 'failed', 'pruned')),
        result jsonb,
        failure text not null,
        progress double precision not null,
        started_at timestamptz not null,
        ended_at timestamptz,
        unique (study_id, trial))""",
    """create table decisions (
        decision_id bigint generated always as identity primary key,
        project_id text not null,
        dataset_version_id text,
        decision text not null,
        detail text not null,
        project_revision bigint not null,
        decided_at timestamptz not null)""",
    "create index decisions_newest on decisions (project_id, decision_id desc)",
)


def upgrade() -> None:
    schema.create(op)
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    for table in ("decisions", "runs", "studies", "model_versions", "alerts", "dataset_versions", "situations"):
        op.execute(f"drop table {table}")
    schema.drop(op)
