"""Model versions, judgements, routes and aliases, evidence of the gate, labels and dataset versions, lineage."""

from __future__ import annotations

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    """create table model_versions (
        model_version_id text primary key,
        project_id text not null,
        number integer not null check (number > 0),
        study_id text not null unique,
        run_id text not null,
        dataset_version_id text not null,
        family text not null,
        classes jsonb not null,
        label_set_version integer not null,
        measurements jsonb not null,
        files jsonb not null,
        study_event_id text not null,
        registered_event_id text,
        standing text not null,
        champion_id text,
        shadow_since timestamptz,
        registered_at timestamptz,
        champion_at timestamptz,
        attempts integer not null default 0,
        try_at timestamptz not null default now(),
        problem text not null default '',
        unique (project_id, number))""",
    "create index model_versions_copying on model_versions (try_at) where standing = 'copying'",
    "create index model_versions_on_the_way on model_versions (project_id)"
    " where standing in ('waiting', 'shadow', 'approval')",
    "create index model_versions_of_data on model_versions (dataset_version_id)",
    """create table judgements (
        judgement_id text primary key,
        model_version_id text not null references model_versions,
        number integer not null,
        champion_id text,
        step smallint not null check (step in (1, 2)),
        verdict text not null check (verdict in ('passed', 'rejected', 'undecided')),
        reason text not null,
        measurements jsonb not null,
        label_ids jsonb not null,
        look integer not null,
        project_revision bigint not null,
        dataset_version_id text not null,
        person text not null,
        judged_at timestamptz not null,
        unique (model_version_id, number))""",
    # a verdict that waits for a person's word; deleted when it is given
    """create table approvals (
        model_version_id text primary key references model_versions,
        reason text not null,
        measurements jsonb not null,
        label_ids jsonb not null,
        look integer not null,
        causes jsonb not null,
        held_at timestamptz not null)""",
    """create table routes (
        project_id text primary key,
        route_id text not null,
        event_id text not null,
        revision bigint not null,
        champion_id text not null,
        challenger_id text,
        in_shadow boolean not null,
        barred jsonb not null)""",
    """create table aliases (
        project_id text not null,
        alias text not null,
        model_version_id text not null,
        route_revision bigint not null,
        primary key (project_id, alias))""",
    # one row a disagreement, whichever event told of it first; settled once a label or a dispute names its flag
    """create table disagreements (
        flag_id text primary key,
        champion_id text not null,
        challenger_id text not null,
        number integer not null,
        sample_id text not null,
        champion_label text not null,
        challenger_label text not null,
        revision bigint,
        label text,
        label_id text not null default '',
        event_id text not null default '')""",
    "create index disagreements_of_pair on disagreements (champion_id, challenger_id, number)",
    """create table comparisons (
        champion_id text not null,
        challenger_id text not null,
        revision bigint not null,
        pairs bigint not null,
        disagreements bigint not null,
        asked integer not null,
        stop_reason text not null,
        event_id text not null,
        primary key (champion_id, challenger_id))""",
    # two halves that arrive in either order: which sample a label is about, and which version took it in
    """create table labels (
        label_id text primary key,
        sample_id text,
        accepted_at timestamptz,
        project_id text,
        committed_in bigint)""",
    "create index labels_of_sample on labels (sample_id)",
    """create table dataset_versions (
        dataset_version_id text primary key,
        project_id text not null,
        number bigint not null,
        committed_at timestamptz not null,
        names_all_labels boolean not null,
        unique (project_id, number))""",
    """create table lineage_nodes (
        id text primary key,
        kind text not null,
        project_id text not null,
        summary text not null,
        occurred_at timestamptz,
        rank bigint not null)""",
    """create table lineage_edges (
        cause_id text not null,
        effect_id text not null,
        event_id text not null,
        relation text not null check (relation in ('cause', 'later version', 'aside')),
        primary key (cause_id, effect_id))""",
    "create index lineage_edges_back on lineage_edges (effect_id)",
)


def upgrade() -> None:
    """The first schema."""
    schema.create(op)
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Nothing is left."""
    for table in (
        "lineage_edges", "lineage_nodes", "dataset_versions", "labels", "comparisons", "disagreements",
        "aliases", "routes", "approvals", "judgements", "model_versions",
    ):  # fmt: skip
        op.execute(f"drop table {table}")
    schema.drop(op)
