"""Watches, references, windows, inputs that wait, picks, the ledger, alerts, comparisons."""

from __future__ import annotations

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SCHEMA = (
    "create sequence settle_order",
    """create table alerts (
        sequence bigint generated always as identity, alert_id text not null, project_id text not null,
        model_version_id text not null, kind text not null, state text not null, detector text not null,
        value double precision not null, threshold double precision not null,
        predictions bigint not null, prediction_id text not null, predicted_at timestamptz not null,
        window_id text not null, label_id text not null,
        reason text not null, project_revision bigint not null, opened_at timestamptz not null,
        updated_at timestamptz not null, harm_limit double precision not null,
        reference_quality double precision not null, audits_wanted integer not null,
        selected_wanted integer not null, quality jsonb, primary key (alert_id))""",
    "create unique index alerts_live on alerts (model_version_id) where state in ('open', 'confirmed')",
    "create index ix_alerts_project_id on alerts (project_id)",
    """create table comparisons (
        project_id text not null, champion text not null, challenger text not null,
        wanted integer not null, wanted_by text not null, looks integer not null,
        pairs bigint not null, disagreements bigint not null, picked integer not null,
        asked integer not null, revision bigint not null,
        reported_pairs bigint not null, stop_reason text not null,
        primary key (project_id, champion, challenger))""",
    """create table detectors (
        model_version_id text not null, partition_key text not null, limits double precision[] not null,
        levels double precision[] not null, seen bigint not null,
        primary key (model_version_id, partition_key))""",
    """create table disagreements (
        champion text not null, challenger text not null, sha256 text not null,
        project_id text not null, priority double precision not null,
        picked boolean default 'false' not null, prediction_id text not null,
        challenger_prediction_id text not null, challenger_label text not null,
        predicted_label text not null, confidence double precision not null, content bytea,
        input_key text not null, group_key text not null, predicted_at timestamptz not null,
        causes text[] not null, traceparent text not null, primary key (champion, challenger, sha256))""",
    "create index disagreements_priority on disagreements (champion, challenger, priority)",
    """create table frozen_references (
        reference_id text not null, model_version_id text not null, predictions integer not null,
        body bytea not null, frozen_at timestamptz not null, primary key (reference_id))""",
    """create table gateways (
        gateway_id text not null, project_id text not null, highest bigint not null,
        received bigint not null, primary key (gateway_id, project_id))""",
    """create table ledger (
        project_id text not null, day date not null, stream text not null, purse text not null,
        reserved integer not null check (reserved >= 0), spent integer not null check (spent >= 0),
        primary key (project_id, day, stream, purse))""",
    """create table monitored_projects (
        project_id text not null, predictions bigint default '0' not null,
        refused_inputs bigint default '0' not null, route_revision bigint default '0' not null,
        shards integer default '1' not null, day date not null, today bigint default '0' not null,
        yesterday bigint, first_day date not null, primary key (project_id))""",
    """create table open_windows (
        model_version_id text not null, project_id text not null, number bigint not null,
        reference_id text not null, profile bytea not null, start_at timestamptz not null,
        end_at timestamptz not null, opened_at timestamptz not null, last_event_id text not null,
        primary key (model_version_id))""",
    """create table picks (
        flag_id text not null, sequence bigint generated always as identity, project_id text not null,
        prediction_id text not null, model_version_id text not null, sha256 text not null,
        content bytea, input_key text not null, group_key text not null, stream text not null,
        purse text not null, picked_at timestamptz not null, probability double precision not null,
        reason text not null, predicted_label text not null, confidence double precision not null,
        alert_id text not null, in_reference boolean not null, project_revision bigint not null,
        predicted_at timestamptz not null, causes text[] not null, traceparent text not null,
        champion text default '' not null, challenger text default '' not null,
        challenger_label text default '' not null, challenger_prediction_id text default '' not null,
        number integer default '0' not null, state text default 'picked' not null,
        attempts integer default '0' not null, leased_until timestamptz,
        refused_reason text default '' not null, flagged_at timestamptz, settled bigint,
        settled_revision bigint default '-1' not null, correct boolean,
        label_id text default '' not null, primary key (flag_id))""",
    "create index picks_of_alert on picks (alert_id)",
    "create index picks_of_sample on picks (project_id, sha256)",
    "create index picks_of_version on picks (model_version_id, stream, settled)",
    "create index picks_to_put on picks (sequence) where state = 'picked'",
    """create table recent_predictions (
        prediction_id text not null, sequence bigint generated always as identity,
        project_id text not null, model_version_id text not null, arm text not null,
        predicted_label text not null, sha256 text not null, awaits text not null,
        primary key (prediction_id))""",
    "create index recent_predictions_awaits on recent_predictions (awaits) where awaits <> ''",
    "create index recent_predictions_order on recent_predictions (project_id, sequence)",
    """create table reference_parts (
        sequence bigint generated always as identity, reference_id text not null, body bytea not null,
        primary key (sequence))""",
    "create index ix_reference_parts_reference_id on reference_parts (reference_id)",
    """create table waiting_inputs (
        prediction_id text not null, sequence bigint generated always as identity,
        project_id text not null, model_version_id text not null, sha256 text not null, content bytea,
        input_key text not null, group_key text not null, predicted_label text not null,
        confidence double precision not null, probabilities bytea not null, embedding bytea not null,
        predicted_at timestamptz not null, event_id text not null, traceparent text not null,
        primary key (prediction_id))""",
    "create index waiting_inputs_order on waiting_inputs (project_id, sequence)",
    """create table watches (
        model_version_id text not null, project_id text not null, role text default '' not null,
        predictions bigint default '0' not null, reference_number integer default '1' not null,
        reference_frozen boolean default 'false' not null, collected integer default '0' not null,
        since_frozen bigint default '0' not null, window_number bigint default '0' not null,
        windows_over integer default '0' not null, harm_since bigint default '0' not null,
        validated jsonb, provisional_key text default '' not null, skew double precision,
        skew_tried boolean default 'false' not null, created_at timestamptz default now() not null,
        primary key (model_version_id))""",
    "create index ix_watches_project_id on watches (project_id)",
    """create table windows (
        sequence bigint generated always as identity, window_id text not null, project_id text not null,
        model_version_id text not null, number bigint not null, predictions integer not null,
        start_at timestamptz not null, end_at timestamptz not null, closed_at timestamptz not null,
        drift_scores jsonb not null, mean_confidence double precision not null,
        predicted_labels bigint[] not null, missing_predictions bigint not null, primary key (sequence),
        unique (window_id))""",
    "create index ix_windows_project_id on windows (project_id)",
)

_TABLES = (
    "alerts",
    "comparisons",
    "detectors",
    "disagreements",
    "frozen_references",
    "gateways",
    "ledger",
    "monitored_projects",
    "open_windows",
    "picks",
    "recent_predictions",
    "reference_parts",
    "waiting_inputs",
    "watches",
    "windows",
)


def upgrade() -> None:
    """Creates everything."""
    schema.create(op)
    for statement in _SCHEMA:
        op.execute(statement)


def downgrade() -> None:
    """Drops everything."""
    for table in _TABLES:
        op.execute(f"drop table {table}")
    op.execute("drop sequence settle_order")
    schema.drop(op)
