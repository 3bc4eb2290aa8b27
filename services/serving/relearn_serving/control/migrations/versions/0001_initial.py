"""The tables of control and of the runtime."""

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision = None

_TABLES = (
    """create table routes (
        project_id text primary key, revision bigint not null check (revision >= 0),
        champion text not null, challenger text not null,
        phase text not null check (phase in ('serving', 'shadow', 'canary')),
        weight integer not null check (weight between 0 and 100), shards integer not null check (shards >= 1),
        event_id text not null, approved jsonb, waiting jsonb, champions text[] not null, barred text[] not null,
        evidence jsonb not null, changed_at timestamptz not null,
        check ((challenger = '') = (phase = 'serving')))""",
    """create table route_changes (
        project_id text not null, revision bigint not null check (revision >= 1),
        champion text not null, challenger text not null, phase text not null, weight integer not null,
        shards integer not null, outcome text not null, reason text not null, person text not null,
        left_version text not null, project_revision bigint not null,
        changed_at timestamptz not null, acknowledged_at timestamptz, primary key (project_id, revision))""",
    "create index route_changes_unacknowledged on route_changes (project_id, revision) where acknowledged_at is null",
    """create table gateways (
        gateway_id text primary key, report bigint not null check (report >= 1), reported_at timestamptz not null,
        dropped bigint not null, spooled bigint not null, shed bigint not null)""",
    """create table gateway_counters (
        gateway_id text not null references gateways on delete cascade,
        project_id text not null, model_version_id text not null,
        arm text not null check (arm in ('champion', 'canary', 'shadow', 'pinned')),
        predictions bigint not null, errors bigint not null, duration_s double precision not null,
        buckets bigint[] not null, labels bigint[] not null,
        primary key (gateway_id, project_id, model_version_id, arm))""",
    """create table acknowledgements (
        gateway_id text not null references gateways on delete cascade,
        project_id text not null, revision bigint not null, problem text not null,
        problem_revision bigint not null, hopeless boolean not null,
        primary key (gateway_id, project_id))""",
)


def upgrade() -> None:
    schema.create(op)
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    for table in ("acknowledgements", "gateway_counters", "gateways", "route_changes", "routes"):
        op.execute(f"drop table {table}")
    schema.drop(op)
