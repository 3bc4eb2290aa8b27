"""The tables, as the migrations made them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData()
_time = sa.DateTime(timezone=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text)


model_versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("model_version_id", sa.Text, primary_key=True),
    _text("project_id"),
    sa.Column("number", sa.Integer),
    _text("study_id"),
    _text("run_id"),
    _text("dataset_version_id"),
    _text("family"),
    sa.Column("classes", JSONB),
    sa.Column("label_set_version", sa.Integer),
    sa.Column("measurements", JSONB),
    sa.Column("files", JSONB),
    _text("study_event_id"),
    _text("registered_event_id"),
    _text("standing"),
    _text("champion_id"),
    sa.Column("shadow_since", _time),
    sa.Column("registered_at", _time),
    sa.Column("champion_at", _time),
    sa.Column("attempts", sa.Integer),
    sa.Column("try_at", _time),
    _text("problem"),
)
judgements = sa.Table(
    "judgements",
    metadata,
    sa.Column("judgement_id", sa.Text, primary_key=True),
    _text("model_version_id"),
    sa.Column("number", sa.Integer),
    _text("champion_id"),
    sa.Column("step", sa.SmallInteger),
    _text("verdict"),
    _text("reason"),
    sa.Column("measurements", JSONB),
    sa.Column("label_ids", JSONB),
    sa.Column("look", sa.Integer),
    sa.Column("project_revision", sa.BigInteger),
    _text("dataset_version_id"),
    _text("person"),
    sa.Column("judged_at", _time),
)
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("model_version_id", sa.Text, primary_key=True),
    _text("reason"),
    sa.Column("measurements", JSONB),
    sa.Column("label_ids", JSONB),
    sa.Column("look", sa.Integer),
    sa.Column("causes", JSONB),
    sa.Column("held_at", _time),
)
routes = sa.Table(
    "routes",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    _text("route_id"),
    _text("event_id"),
    sa.Column("revision", sa.BigInteger),
    _text("champion_id"),
    _text("challenger_id"),
    sa.Column("in_shadow", sa.Boolean),
    sa.Column("barred", JSONB),
)
aliases = sa.Table(
    "aliases",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("alias", sa.Text, primary_key=True),
    _text("model_version_id"),
    sa.Column("route_revision", sa.BigInteger),
)
disagreements = sa.Table(
    "disagreements",
    metadata,
    sa.Column("flag_id", sa.Text, primary_key=True),
    _text("champion_id"),
    _text("challenger_id"),
    sa.Column("number", sa.Integer),
    _text("sample_id"),
    _text("champion_label"),
    _text("challenger_label"),
    sa.Column("revision", sa.BigInteger),
    _text("label"),
    _text("label_id"),
    _text("event_id"),
)
comparisons = sa.Table(
    "comparisons",
    metadata,
    sa.Column("champion_id", sa.Text, primary_key=True),
    sa.Column("challenger_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger),
    sa.Column("pairs", sa.BigInteger),
    sa.Column("disagreements", sa.BigInteger),
    sa.Column("asked", sa.Integer),
    _text("stop_reason"),
    _text("event_id"),
)
labels = sa.Table(
    "labels",
    metadata,
    sa.Column("label_id", sa.Text, primary_key=True),
    _text("sample_id"),
    sa.Column("accepted_at", _time),
    _text("project_id"),
    sa.Column("committed_in", sa.BigInteger),
)
dataset_versions = sa.Table(
    "dataset_versions",
    metadata,
    sa.Column("dataset_version_id", sa.Text, primary_key=True),
    _text("project_id"),
    sa.Column("number", sa.BigInteger),
    sa.Column("committed_at", _time),
    sa.Column("names_all_labels", sa.Boolean),
)
lineage_nodes = sa.Table(
    "lineage_nodes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("kind"),
    _text("project_id"),
    _text("summary"),
    sa.Column("occurred_at", _time),
    sa.Column("rank", sa.BigInteger),
)
lineage_edges = sa.Table(
    "lineage_edges",
    metadata,
    sa.Column("cause_id", sa.Text, primary_key=True),
    sa.Column("effect_id", sa.Text, primary_key=True),
    _text("event_id"),
    _text("relation"),
)
