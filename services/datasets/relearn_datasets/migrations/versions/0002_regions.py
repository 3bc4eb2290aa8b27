"""What labels say beyond one class; rows that were there say a class alone, and stay as they are."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Adds columns that are null where the class is all: no row is rewritten, however many there are."""
    op.execute("alter table samples add column regions bytea")
    op.execute("alter table changes add column old_regions bytea, add column new_regions bytea")
    op.execute("alter table labels add column regions bytea, alter column label drop not null")
    # not valid: no row that is there can break it, so none is read
    op.execute("alter table labels add check (label is not null or regions is not null) not valid")


def downgrade() -> None:
    """Removes them; refused while a label says more than a class."""
    op.execute("alter table labels alter column label set not null, drop column regions")
    op.execute("alter table changes drop column old_regions, drop column new_regions")
    op.execute("alter table samples drop column regions")
