"""The tables of monitoring. `migrations/` creates them; a test compares the two."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = sa.MetaData()

_TIME = sa.DateTime(timezone=True)

monitored_projects = sa.Table(
    "monitored_projects",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("predictions", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("refused_inputs", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("route_revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("shards", sa.Integer, nullable=False, server_default="1"),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("today", sa.BigInteger, nullable=False, server_default="0"),
    # predictions of the whole day before; absent until there was one
    sa.Column("yesterday", sa.BigInteger),
    # its count is no whole day's
    sa.Column("first_day", sa.Date, nullable=False),
)

gateways = sa.Table(
    "gateways",
    metadata,
    sa.Column("gateway_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("highest", sa.BigInteger, nullable=False),
    sa.Column("received", sa.BigInteger, nullable=False),
)

watches = sa.Table(
    "watches",
    metadata,
    sa.Column("model_version_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False, index=True),
    sa.Column("role", sa.Text, nullable=False, server_default=""),
    sa.Column("predictions", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reference_number", sa.Integer, nullable=False, server_default="1"),
    sa.Column("reference_frozen", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("collected", sa.Integer, nullable=False, server_default="0"),
    sa.Column("since_frozen", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("window_number", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("windows_over", sa.Integer, nullable=False, server_default="0"),
    sa.Column("harm_since", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("validated", JSONB(none_as_null=True)),
    sa.Column("provisional_key", sa.Text, nullable=False, server_default=""),
    sa.Column("skew", sa.Float),
    sa.Column("skew_tried", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("created_at", _TIME, nullable=False, server_default=sa.func.now()),
)

detectors = sa.Table(
    "detectors",
    metadata,
    sa.Column("model_version_id", sa.Text, primary_key=True),
    sa.Column("partition_key", sa.Text, primary_key=True),
    sa.Column("limits", ARRAY(sa.Float), nullable=False),
    sa.Column("levels", ARRAY(sa.Float), nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
)

reference_parts = sa.Table(
    "reference_parts",
    metadata,
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("reference_id", sa.Text, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

frozen_references = sa.Table(
    "frozen_references",
    metadata,
    sa.Column("reference_id", sa.Text, primary_key=True),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("predictions", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("frozen_at", _TIME, nullable=False),
)

open_windows = sa.Table(
    "open_windows",
    metadata,
    sa.Column("model_version_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("reference_id", sa.Text, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    sa.Column("start_at", _TIME, nullable=False),
    sa.Column("end_at", _TIME, nullable=False),
    sa.Column("opened_at", _TIME, nullable=False),
    # the event of its last prediction
    sa.Column("last_event_id", sa.Text, nullable=False),
)

windows = sa.Table(
    "windows",
    metadata,
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("window_id", sa.Text, nullable=False, unique=True),
    sa.Column("project_id", sa.Text, nullable=False, index=True),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("predictions", sa.Integer, nullable=False),
    sa.Column("start_at", _TIME, nullable=False),
    sa.Column("end_at", _TIME, nullable=False),
    sa.Column("closed_at", _TIME, nullable=False),
    sa.Column("drift_scores", JSONB, nullable=False),
    sa.Column("mean_confidence", sa.Float, nullable=False),
    sa.Column("predicted_labels", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("missing_predictions", sa.BigInteger, nullable=False),
)

recent_predictions = sa.Table(
    "recent_predictions",
    metadata,
    sa.Column("prediction_id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("predicted_label", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    # of a shadow: the champion's prediction, until they have met
    sa.Column("awaits", sa.Text, nullable=False),
    sa.Index("recent_predictions_order", "project_id", "sequence"),
    sa.Index("recent_predictions_awaits", "awaits", postgresql_where=sa.text("awaits <> ''")),
)

waiting_inputs = sa.Table(
    "waiting_inputs",
    metadata,
    sa.Column("prediction_id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary),
    sa.Column("input_key", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("predicted_label", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("probabilities", sa.LargeBinary, nullable=False),
    sa.Column("embedding", sa.LargeBinary, nullable=False),
    sa.Column("predicted_at", _TIME, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Index("waiting_inputs_order", "project_id", "sequence"),
)

picks = sa.Table(
    "picks",
    metadata,
    sa.Column("flag_id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("prediction_id", sa.Text, nullable=False),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary),
    sa.Column("input_key", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("purse", sa.Text, nullable=False),
    # the budget of this day (UTC) pays
    sa.Column("picked_at", _TIME, nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("predicted_label", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("alert_id", sa.Text, nullable=False),
    sa.Column("in_reference", sa.Boolean, nullable=False),
    sa.Column("project_revision", sa.BigInteger, nullable=False),
    sa.Column("predicted_at", _TIME, nullable=False),
    sa.Column("causes", ARRAY(sa.Text), nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    # of a disagreement
    sa.Column("champion", sa.Text, nullable=False, server_default=""),
    sa.Column("challenger", sa.Text, nullable=False, server_default=""),
    sa.Column("challenger_label", sa.Text, nullable=False, server_default=""),
    sa.Column("challenger_prediction_id", sa.Text, nullable=False, server_default=""),
    sa.Column("number", sa.Integer, nullable=False, server_default="0"),
    # on its way
    sa.Column("state", sa.Text, nullable=False, server_default="picked"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("leased_until", _TIME),
    sa.Column("refused_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("flagged_at", _TIME),
    # what people said; a settled pick without a label is one that they could not agree on
    sa.Column("settled", sa.BigInteger),
    sa.Column("settled_revision", sa.BigInteger, nullable=False, server_default="-1"),
    sa.Column("correct", sa.Boolean),
    sa.Column("label_id", sa.Text, nullable=False, server_default=""),
    sa.Index("picks_to_put", "sequence", postgresql_where=sa.text("state = 'picked'")),
    sa.Index("picks_of_sample", "project_id", "sha256"),
    sa.Index("picks_of_version", "model_version_id", "stream", "settled"),
    sa.Index("picks_of_alert", "alert_id"),
)

settle_order = sa.Sequence("settle_order", metadata=metadata)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("stream", sa.Text, primary_key=True),
    sa.Column("purse", sa.Text, primary_key=True),
    sa.Column("reserved", sa.Integer, sa.CheckConstraint("reserved >= 0"), nullable=False),
    sa.Column("spent", sa.Integer, sa.CheckConstraint("spent >= 0"), nullable=False),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("alert_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False, index=True),
    sa.Column("model_version_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detector", sa.Text, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("predictions", sa.BigInteger, nullable=False),
    sa.Column("prediction_id", sa.Text, nullable=False),
    sa.Column("predicted_at", _TIME, nullable=False),
    sa.Column("window_id", sa.Text, nullable=False),
    sa.Column("label_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("project_revision", sa.BigInteger, nullable=False),
    sa.Column("opened_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("harm_limit", sa.Float, nullable=False),
    sa.Column("reference_quality", sa.Float, nullable=False),
    sa.Column("audits_wanted", sa.Integer, nullable=False),
    sa.Column("selected_wanted", sa.Integer, nullable=False),
    sa.Column("quality", JSONB(none_as_null=True)),
    # one alert of a version at a time
    sa.Index(
        "alerts_live", "model_version_id", unique=True, postgresql_where=sa.text("state in ('open', 'confirmed')")
    ),
)

comparisons = sa.Table(
    "comparisons",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("champion", sa.Text, primary_key=True),
    sa.Column("challenger", sa.Text, primary_key=True),
    sa.Column("wanted", sa.Integer, nullable=False),
    # the event by which the gate asked for more than it did at first
    sa.Column("wanted_by", sa.Text, nullable=False),
    # of the gate that decided nothing
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("pairs", sa.BigInteger, nullable=False),
    sa.Column("disagreements", sa.BigInteger, nullable=False),
    sa.Column("picked", sa.Integer, nullable=False),
    sa.Column("asked", sa.Integer, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("reported_pairs", sa.BigInteger, nullable=False),
    sa.Column("stop_reason", sa.Text, nullable=False),
)

disagreements = sa.Table(
    "disagreements",
    metadata,
    sa.Column("champion", sa.Text, primary_key=True),
    sa.Column("challenger", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("priority", sa.Float, nullable=False),
    sa.Column("picked", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("prediction_id", sa.Text, nullable=False),
    sa.Column("challenger_prediction_id", sa.Text, nullable=False),
    sa.Column("challenger_label", sa.Text, nullable=False),
    sa.Column("predicted_label", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("content", sa.LargeBinary),
    sa.Column("input_key", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("predicted_at", _TIME, nullable=False),
    sa.Column("causes", ARRAY(sa.Text), nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Index("disagreements_priority", "champion", "challenger", "priority"),
)
