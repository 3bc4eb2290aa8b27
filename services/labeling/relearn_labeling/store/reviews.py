"""Which task needs a reviewer most, and who has it in hand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.errors import LeaseExpired, ReviewNotAssigned
from relearn_runtime import driver

_IN_HAND = """
    select label_task_id from reviews where project_id = $1 and reviewer = $2 and expires_at > $3
    order by leased_at, label_task_id"""
_NEXT = """
    select t.label_task_id from label_tasks t
    where t.project_id = $1 and t.doubt is not null
        and not exists (select 1 from annotations a where a.label_task_id = t.label_task_id and a.annotator = $2)
        and not exists (
            select 1 from withdrawn_annotations w where w.label_task_id = t.label_task_id and w.annotator = $2)
        and not exists (select 1 from reviews r where r.label_task_id = t.label_task_id and r.expires_at > $3)
    order by t.doubt desc, t.rank, t.due_at, t.label_task_id limit 1 for update of t skip locked"""
# whoever else took it since the look keeps it: their row is not overwritten
_TAKE = """
    insert into reviews (label_task_id, project_id, reviewer, leased_at, expires_at) values ($1, $2, $3, $4, $5)
    on conflict (label_task_id) do update
    set reviewer = excluded.reviewer, leased_at = excluded.leased_at, expires_at = excluded.expires_at
    where reviews.expires_at <= excluded.leased_at or reviews.reviewer = excluded.reviewer
    returning 1"""


class Reviews:
    """Reviews in hand, within one transaction: one reviewer a task, while their lease lasts."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def in_hand(self, project_id: str, reviewer: str, *, now: datetime) -> list[str]:
        """The tasks that the reviewer has in hand, in the order in which they were handed out."""
        found = await (await driver(self._connection)).fetch(_IN_HAND, project_id, reviewer, now)
        return [row["label_task_id"] for row in found]

    async def next(self, project_id: str, reviewer: str, *, now: datetime) -> str | None:
        """The task that needs a review most, locked: the doubted most, then in the queue's order; None without one.

        None that the reviewer has ever answered, or that another has in hand.
        """
        found: str | None = await (await driver(self._connection)).fetchval(_NEXT, project_id, reviewer, now)
        return found

    async def take(self, label_task_id: str, *, project_id: str, reviewer: str, now: datetime, until: datetime) -> bool:
        """Puts a task into the reviewer's hand, or leaves it there for longer; False when another took it first."""
        values = (label_task_id, project_id, reviewer, now, until)
        return await (await driver(self._connection)).fetchval(_TAKE, *values) is not None

    async def held_until(self, label_task_id: str, reviewer: str, *, now: datetime) -> datetime:
        """When the reviewer's lease of a task runs out.

        Raises:
            ReviewNotAssigned: they have none.
            LeaseExpired: it ran out.
        """
        query = "select expires_at from reviews where label_task_id = $1 and reviewer = $2"
        found: datetime | None = await (await driver(self._connection)).fetchval(query, label_task_id, reviewer)
        if found is None:
            message = f"{reviewer!r} has no review of label task {label_task_id} in hand"
            raise ReviewNotAssigned(message, label_task_id=label_task_id)
        if found <= now:
            message = f"the review of label task {label_task_id} ran out at {found.isoformat()}"
            raise LeaseExpired(message, label_task_id=label_task_id)
        return found

    async def done(self, label_task_id: str) -> None:
        """Nobody has it in hand any more."""
        await (await driver(self._connection)).execute("delete from reviews where label_task_id = $1", label_task_id)
