"""Samples, groups, the commit log, accepted labels, staged imports and packs."""

from __future__ import annotations

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision: str | None = None

_TABLES = (
    # bucket and use of a group are decided once; `use` is null until its first member is flagged or labeled
    """create table groups (
        project_id text not null, group_key text not null,
        bucket smallint not null check (bucket between 0 and 9999),
        use text check (use in ('train', 'validation', 'test')),
        primary key (project_id, group_key))""",
    # no foreign key to groups, which are never deleted, nor from changes to commits, whose row comes last, with the
    # digest over them: a check for each row would cost a bulk import more than all the rest
    """create table samples (
        project_id text not null, sha256 bytea not null check (length(sha256) = 32),
        size_bytes bigint not null, media_type text not null, group_key text not null, origin text not null,
        stream text check (stream in ('imported', 'audit', 'selected', 'disagreement')),
        probability double precision check (probability > 0 and probability <= 1),
        label text, label_id text, imported_label text, created_at timestamptz not null,
        primary key (project_id, sha256))""",
    # the row that serialises the commits of a project
    """create table heads (
        project_id text primary key, number bigint not null, digest bytea not null, counts jsonb not null)""",
    """create table commits (
        project_id text not null, number bigint not null check (number > 0), digest bytea not null,
        counts jsonb not null, new_counts jsonb not null, relabeled bigint not null,
        message text not null, import_id text, project_revision bigint not null, created_at timestamptz not null,
        primary key (project_id, number))""",
    """create table changes (
        project_id text not null, sha256 bytea not null, number bigint not null,
        effect text not null check (effect in ('added', 'relabeled', 'confirmed')),
        old_label text, old_label_id text, new_label text, new_label_id text,
        primary key (project_id, sha256, number))""",
    "create index changes_by_commit on changes (project_id, number, sha256)",
    """create table labels (
        label_id text primary key, project_id text not null, sha256 bytea not null, label text not null,
        label_set_version integer not null, revision bigint not null,
        stream text, probability double precision, event_id text not null,
        state text not null check (state in ('waiting', 'committed', 'superseded')),
        number bigint, received_at timestamptz not null,
        check ((state = 'committed') = (number is not null)),
        foreign key (project_id, sha256) references samples)""",
    "create index labels_by_sample on labels (project_id, sha256)",
    "create index labels_waiting on labels (project_id, received_at) where state = 'waiting'",
    # unlogged: it holds what no commit knows yet, and an import whose rows are gone fails as a whole
    """create unlogged table staged_samples (
        attempt_id text not null, place bigint not null, sha256 bytea not null, size_bytes bigint not null,
        media_type text not null, group_key text not null, label text, staged_at timestamptz not null)""",
    "create index staged_samples_by_sample on staged_samples (attempt_id, sha256)",
    """create table packs (
        project_id text not null, number bigint not null, digest bytea not null, samples bigint not null,
        index_sha256 text, lease_id text, leased_until timestamptz,
        attempts integer not null default 0, failure text,
        primary key (project_id, number),
        foreign key (project_id, number) references commits)""",
    "create index packs_wanted on packs (attempts) where index_sha256 is null",
)


def upgrade() -> None:
    """Makes everything."""
    schema.create(op)
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Removes everything."""
    for table in ("packs", "staged_samples", "labels", "changes", "commits", "heads", "samples", "groups"):
        op.execute(f"drop table {table}")
    schema.drop(op)
