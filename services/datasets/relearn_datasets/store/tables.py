"""The tables of datasets, as the code sees them; the migrations make them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()


def _project() -> sa.Column[str]:
    return sa.Column("project_id", sa.Text, primary_key=True)


def _sha256() -> sa.Column[bytes]:
    return sa.Column("sha256", sa.LargeBinary, primary_key=True)


groups = sa.Table(
    "groups",
    metadata,
    _project(),
    sa.Column("group_key", sa.Text, primary_key=True),
    sa.Column("bucket", sa.SmallInteger, nullable=False),
    sa.Column("use", sa.Text),
)

# label, regions, label_id: of the newest version. imported_label: the class that the last import said, whatever people
# have said since.
samples = sa.Table(
    "samples",
    metadata,
    _project(),
    _sha256(),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("stream", sa.Text),
    sa.Column("probability", sa.Double),
    sa.Column("label", sa.Text),
    sa.Column("regions", sa.LargeBinary),
    sa.Column("label_id", sa.Text),
    sa.Column("imported_label", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)

heads = sa.Table(
    "heads",
    metadata,
    _project(),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("counts", JSONB, nullable=False),
)

commits = sa.Table(
    "commits",
    metadata,
    _project(),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("new_counts", JSONB, nullable=False),
    sa.Column("relabeled", sa.BigInteger, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("import_id", sa.Text),
    sa.Column("project_revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)

changes = sa.Table(
    "changes",
    metadata,
    _project(),
    _sha256(),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("old_label", sa.Text),
    sa.Column("old_regions", sa.LargeBinary),
    sa.Column("old_label_id", sa.Text),
    sa.Column("new_label", sa.Text),
    sa.Column("new_regions", sa.LargeBinary),
    sa.Column("new_label_id", sa.Text),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("label_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("label", sa.Text),
    sa.Column("regions", sa.LargeBinary),
    sa.Column("label_set_version", sa.Integer, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("stream", sa.Text),
    sa.Column("probability", sa.Double),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
)

# attempt_id: one call of ImportSamples; place: of the sample in its stream, from 1.
staged_samples = sa.Table(
    "staged_samples",
    metadata,
    sa.Column("attempt_id", sa.Text, nullable=False),
    sa.Column("place", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("label", sa.Text),
    sa.Column("staged_at", sa.DateTime(timezone=True), nullable=False),
)

packs = sa.Table(
    "packs",
    metadata,
    _project(),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("samples", sa.BigInteger, nullable=False),
    sa.Column("index_sha256", sa.Text),
    sa.Column("lease_id", sa.Text),
    sa.Column("leased_until", sa.DateTime(timezone=True)),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("failure", sa.Text),
)
