"""Tasks that may still move to a newer label set are found without looking at all that are open."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """create index label_tasks_unanswered on label_tasks (project_id, label_set_version)
           where state = 'open' and answers = 0"""
    )


def downgrade() -> None:
    op.execute("drop index label_tasks_unanswered")
