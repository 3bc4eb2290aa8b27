"""The tables of labeling. Unique constraints repeat the promises of the domain, so that a bug ends in an error."""

import sqlalchemy as sa

metadata = sa.MetaData()

_TIME = sa.DateTime(timezone=True)

label_tasks = sa.Table(
    "label_tasks",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("sample_id", sa.Text, nullable=False),
    sa.Column("label_set_version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("settled", sa.Integer, nullable=False),
    sa.Column("overlap", sa.Integer, nullable=False),
    sa.Column("answers", sa.Integer, nullable=False),
    sa.Column("rank", sa.SmallInteger, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("assigned_to", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("answer_s", sa.Double, nullable=False),
    sa.Column("label_id", sa.Text),
    sa.Column("doubt", sa.Double),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.UniqueConstraint("sample_id", "label_set_version"),
)

flags = sa.Table(
    "flags",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("flag_id", sa.Text, nullable=False, unique=True),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("alert_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("confidence", sa.Double),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

label_requests = sa.Table(
    "label_requests",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("label_request_id", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.UniqueConstraint("label_task_id", "label_request_id"),
)

assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("rank", sa.SmallInteger, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("slot", sa.SmallInteger, nullable=False),
    sa.Column("leased_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
    sa.Column("ended", sa.Text),
    sa.Column("skip_reason", sa.Text),
)

skips = sa.Table(
    "skips",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("skipped_at", _TIME, primary_key=True),
)

annotations = sa.Table(
    "annotations",
    metadata,
    sa.Column("annotation_id", sa.Text, primary_key=True),
    sa.Column("label_task_id", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("slot", sa.SmallInteger, nullable=False),
    sa.Column("regions", sa.LargeBinary, nullable=False),
    sa.Column("classes", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("suggestions_accepted", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("suggestions_edited", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("time_spent", sa.Interval),
    sa.Column("created_at", _TIME, nullable=False),
)

withdrawn_annotations = sa.Table(
    "withdrawn_annotations",
    metadata,
    *(sa.Column(one.name, one.type, primary_key=one.primary_key, nullable=one.nullable) for one in annotations.c),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("rejection", sa.Text, nullable=False),
    sa.Column("revoked", sa.Boolean, nullable=False),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("label_task_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("leased_at", _TIME, nullable=False),
    sa.Column("expires_at", _TIME, nullable=False),
)

revocations = sa.Table(
    "revocations",
    metadata,
    sa.Column("revocation_id", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("answers", sa.BigInteger, nullable=False),
    sa.Column("reopened", sa.BigInteger, nullable=False),
    sa.Column("decided", sa.BigInteger, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("label_id", sa.Text, primary_key=True),
    sa.Column("label_task_id", sa.Text, nullable=False),
    sa.Column("regions", sa.LargeBinary, nullable=False),
    sa.Column("classes", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("annotation_ids", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("answers", sa.Integer, nullable=False),
    sa.Column("agreement", sa.Double, nullable=False),
    sa.Column("posterior", sa.Double),
    sa.Column("time_spent", sa.Interval),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("accepted_at", _TIME, nullable=False),
)

label_sets = sa.Table(
    "label_sets",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

annotators = sa.Table(
    "annotators",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("seen_at", _TIME, nullable=False),
)

answer_days = sa.Table(
    "answer_days",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("answers", sa.Integer, nullable=False),
)

crowds = sa.Table(
    "crowds",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("label_set_version", sa.Integer, primary_key=True),
    sa.Column("truth", sa.Text, nullable=False),
    sa.Column("said", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("prior", sa.ARRAY(sa.REAL), nullable=False),
    sa.Column("accuracy", sa.REAL, nullable=False),
    sa.Column("confusion", sa.ARRAY(sa.REAL)),
    sa.Column("answers", sa.BigInteger, nullable=False),
    sa.Column("learned_at", _TIME, nullable=False),
)

skills = sa.Table(
    "skills",
    metadata,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("label_set_version", sa.Integer, primary_key=True),
    sa.Column("annotator", sa.Text, primary_key=True),
    sa.Column("accuracy", sa.REAL, nullable=False),
    sa.Column("confusion", sa.ARRAY(sa.REAL)),
    sa.Column("votes", sa.REAL, nullable=False),
)
