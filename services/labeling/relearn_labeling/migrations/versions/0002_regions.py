"""Answers and labels are regions, each in a label set that is kept; labels say how sure they are and what they took.

Regions are kept as one message of the contract: what events tell for ever, rows hold for ever, a polygon of a thousand
points takes half of what it takes as JSON, and nothing is rounded. What SQL asks for, the classes, is a column beside.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from relearn.labeling.v1.label_task_pb2 import Annotation, Region, Whole
from relearn.registry.v1.project_pb2 import Project

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("annotations", "labels"):
        op.execute(f"alter table {table} add column regions bytea, add column classes text[]")
        _classes_to_regions(table)
        op.execute(f"alter table {table} alter column regions set not null, alter column classes set not null")
        op.execute(f"alter table {table} drop column class_name")
    op.execute(
        """alter table labels add column agreement double precision, add column posterior double precision,
           add column time_spent interval, add column reviewer text not null default ''"""
    )
    op.execute("update labels set agreement = cardinality(annotation_ids)::double precision / answers")
    op.execute("alter table labels alter column agreement set not null, alter column reviewer drop default")
    op.execute(
        """update labels set time_spent = (
               select sum(time_spent) from (
                   select time_spent from annotations where annotations.label_task_id = labels.label_task_id
                   order by created_at, slot limit labels.answers) as counted)"""
    )
    op.execute(
        """create table label_sets (
            project_id text not null,
            version integer not null,
            content bytea not null,
            primary key (project_id, version))"""
    )
    _keep_label_sets()


def downgrade() -> None:
    op.execute("drop table label_sets")
    op.execute(
        "alter table labels drop column agreement, drop column posterior, drop column time_spent, drop column reviewer"
    )
    for table in ("annotations", "labels"):  # fails where an answer is no single class: that has no place in 0001
        op.execute(f"alter table {table} add column class_name text")
        op.execute(f"update {table} set class_name = classes[1] where cardinality(classes) = 1")  # noqa: S608
        op.execute(f"alter table {table} alter column class_name set not null")
        op.execute(f"alter table {table} drop column regions, drop column classes")


def _classes_to_regions(table: str) -> None:
    """One class of the whole sample was all that an answer could be."""
    connection = op.get_bind()
    for (name,) in connection.execute(sa.text(f"select distinct class_name from {table}")).all():  # noqa: S608
        regions = Annotation(regions=[Region(whole=Whole(), label=name)]).SerializeToString(deterministic=True)
        connection.execute(
            sa.text(f"update {table} set regions = :regions, classes = array[class_name] where class_name = :name"),  # noqa: S608
            {"regions": regions, "name": name},
        )


def _keep_label_sets() -> None:
    connection = op.get_bind()
    for (body,) in connection.execute(sa.text("select body from projects")).all():
        project = Project.FromString(body)
        connection.execute(
            sa.text("insert into label_sets values (:project_id, :version, :content)"),
            {
                "project_id": project.project_id,
                "version": project.label_set.version,
                "content": project.label_set.SerializeToString(),
            },
        )
