"""The tables of training. Constraints repeat the promises of the domain, so that a bug ends in an error."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()

_TIME = sa.DateTime(timezone=True)

situations = sa.Table(
    "situations",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("dataset_version_id", sa.Text),
    sa.Column("dataset_version_n", sa.BigInteger, nullable=False),
    sa.Column("train", sa.BigInteger, nullable=False),
    sa.Column("validation", sa.BigInteger, nullable=False),
    sa.Column("version_event_id", sa.Text, nullable=False),
    sa.Column("champion", sa.Text, nullable=False),
    sa.Column("route_revision", sa.BigInteger, nullable=False),
    sa.Column("rolled_back_at", _TIME),
    sa.Column("reconsider_at", _TIME),
)

dataset_versions = sa.Table(
    "dataset_versions",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("committed_at", _TIME, nullable=False),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", _TIME, nullable=False),
    sa.Column("confirmed_at", _TIME),
    sa.Column("confirmed_event_id", sa.Text, nullable=False),
)

model_versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("model_version_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("dataset_version_n", sa.BigInteger, nullable=False),
)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("study_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("dataset_version_id", sa.Text, nullable=False),
    sa.Column("dataset_version_n", sa.BigInteger, nullable=False),
    sa.Column("train", sa.BigInteger, nullable=False),
    sa.Column("validation", sa.BigInteger, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("alert_id", sa.Text, nullable=False),
    sa.Column("champion", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("plan", JSONB, nullable=False),
    sa.Column("preprocessing", JSONB),
    sa.Column("failure", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("project_revision", sa.BigInteger, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("started_at", _TIME, nullable=False),
    sa.Column("started_event_id", sa.Text, nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", _TIME),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("study_id", sa.Text, nullable=False),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("trial", sa.Integer, nullable=False),
    sa.Column("parameters", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("result", JSONB),
    sa.Column("failure", sa.Text, nullable=False),
    sa.Column("progress", sa.Double, nullable=False),
    sa.Column("started_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("dataset_version_id", sa.Text),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("project_revision", sa.BigInteger, nullable=False),
    sa.Column("decided_at", _TIME, nullable=False),
)
