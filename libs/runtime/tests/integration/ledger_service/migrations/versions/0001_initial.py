"""Runtime tables and the ledger."""

from alembic import op

from relearn_runtime import schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    schema.create(op)
    op.execute("create table ledger (entry bigserial primary key, project_id text not null, number bigint not null)")


def downgrade() -> None:
    op.execute("drop table ledger")
    schema.drop(op)
