"""The queue of a project: which task is next for whom, and who holds what.

What each call pays for is written for asyncpg itself; the rest is SQLAlchemy's.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.tasks import LeaseEnd, State
from relearn_labeling.store.tables import annotations, annotators, label_tasks, leases
from relearn_runtime import driver

_FREE = """
    t.overlap - t.answers > (
        select count(*) from leases l
        where l.label_task_id = t.label_task_id and l.ended is null and l.expires_at > $3)
    and not exists (select 1 from annotations a where a.label_task_id = t.label_task_id and a.annotator = $2)
    and not exists (select 1 from gold_turns g where g.label_task_id = t.label_task_id and g.annotator = $2)
    and not exists (
        select 1 from withdrawn_annotations w
        where w.label_task_id = t.label_task_id and w.annotator = $2 and w.revoked)
    and {returned} (
        select 1 from leases l where l.label_task_id = t.label_task_id and l.annotator = $2 and l.ended = 'returned')
    and not exists (
        select 1 from leases l
        where l.label_task_id = t.label_task_id and l.annotator = $2 and l.ended is null and l.expires_at > $3)"""
_FRESH, _RETURNED = _FREE.format(returned="not exists"), _FREE.format(returned="exists")
# Each walks an index of the queue in its order and stops at the first task that fits.
_OF_EVERYBODY = """
    select t.label_task_id from label_tasks t
    where t.project_id = $1 and t.state = 'open' and t.assigned_to = '{{}}' and {free}
    order by t.rank, t.due_at, t.label_task_id limit 1 for update of t {locked}"""
_ASSIGNED = """
    select t.label_task_id from assignments q join label_tasks t using (label_task_id)
    where q.project_id = $1 and q.annotator = $2 and t.state = 'open' and {free}
    order by q.rank, q.due_at, q.label_task_id limit 1 for update of t {locked}"""
_WALKS = [
    (is_assigned, query.format(free=free, locked=locked))
    for free in (_FRESH, _RETURNED)  # what the annotator gave back comes last
    for is_assigned, query in ((True, _ASSIGNED), (False, _OF_EVERYBODY))
    for locked in ("skip locked", "")  # what is locked at this moment, when there is nothing beside it
]

# the row is made of the lock, and so comes after it
_ENTER = """
    with queue as materialized (select pg_advisory_xact_lock_shared(hashtextextended($1, 0)))
    insert into annotators (project_id, annotator, seen_at) select $2, $3, $4 from queue
    on conflict (project_id, annotator) do update set seen_at = excluded.seen_at"""
_ENTER_ALONE = _ENTER.replace("_shared", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSize:
    """Open tasks, answers still wanted of them, and live leases of a project."""

    open_tasks: int
    answers_wanted: int
    live_leases: int


class Queue:
    """The queues, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enter(self, project_id: str, annotator: str, *, alone: bool, now: datetime) -> None:
        """Comes before anything else of the queue is read or locked by whoever hands out or uses up answers of the day.

        Then notes that the annotator works on the project, and holds their row: calls of one annotator take turns.

        Args:
            alone: wait until nobody else is in, and let nobody in until the transaction ends; else share with others.
        """
        query = _ENTER_ALONE if alone else _ENTER
        await (await driver(self._connection)).execute(query, f"queue of {project_id}", project_id, annotator, now)

    async def only_promise(self) -> None:
        """Doesn't wait for the disk at the commit: what is promised here is missed by nobody if PostgreSQL itself dies
        within the next fraction of a second, and until then it holds.
        """
        await self._connection.exec_driver_sql("set local synchronous_commit = off")

    async def next_task(self, project_id: str, annotator: str, *, assigned: bool, now: datetime) -> str | None:
        """The first task in the queue's order that the annotator can take, locked; None when there is none.

        What is assigned to them comes first, what they gave back last.

        Args:
            assigned: whether anything is assigned to them.
        """
        asyncpg = await driver(self._connection)
        for is_assigned, query in _WALKS:
            if is_assigned and not assigned:
                continue
            task_id: str | None = await asyncpg.fetchval(query, project_id, annotator, now)
            if task_id is not None:
                return task_id
        return None

    async def has_open_tasks(self, project_id: str) -> bool:
        """Whether any task waits, for whomever."""
        query = sa.select(sa.exists().where(_open(project_id)))
        return bool((await self._connection.execute(query)).scalar_one())

    async def expire_leases(self, *, now: datetime, limit: int) -> int:
        """Marks leases that ran out, of any project, as expired; how many. Those locked by others wait."""
        ran_out = sa.select(leases.c.label_task_id, leases.c.annotator).where(
            leases.c.ended.is_(None), leases.c.expires_at <= now
        )
        claimed = ran_out.limit(limit).with_for_update(skip_locked=True).cte("ran_out")
        same = (leases.c.label_task_id == claimed.c.label_task_id) & (leases.c.annotator == claimed.c.annotator)
        done = await self._connection.execute(sa.update(leases).where(same).values(ended=LeaseEnd.EXPIRED.value))
        return done.rowcount

    async def abandoned(self, project_id: str, *, untouched_since: datetime, now: datetime, limit: int) -> list[str]:
        """Open tasks with answers that nothing has touched since, and that nobody seen since is left to answer;
        candidates, not locked: the domain's rule decides.
        """
        here = (annotators.c.project_id == project_id) & (annotators.c.seen_at > untouched_since)
        unassigned = sa.func.cardinality(label_tasks.c.assigned_to) == 0
        may = unassigned | (annotators.c.annotator == sa.any_(label_tasks.c.assigned_to))
        answered, returned = _answered_by(annotators.c.annotator), _returned_by(annotators.c.annotator)
        left_to_ask = sa.exists().where(here, may, ~answered, ~returned).correlate(label_tasks)
        query = (
            sa.select(label_tasks.c.label_task_id)
            .where(_open(project_id), label_tasks.c.answers > 0, label_tasks.c.updated_at <= untouched_since)
            .where(_live_leases_of_task(now) == 0, ~left_to_ask)
            .order_by(label_tasks.c.updated_at)
            .limit(limit)
        )
        return list((await self._connection.execute(query)).scalars())

    async def size(self, project_id: str, *, now: datetime) -> QueueSize:
        """How much waits."""
        wanted = sa.func.coalesce(sa.func.sum(label_tasks.c.overlap - label_tasks.c.answers), 0)
        query = sa.select(sa.func.count(), wanted).select_from(label_tasks).where(_open(project_id))
        open_tasks, answers_wanted = (await self._connection.execute(query)).one()
        held = sa.select(sa.func.count()).select_from(leases).where(leases.c.project_id == project_id, _live(now))
        live_leases = int((await self._connection.execute(held)).scalar_one())
        return QueueSize(open_tasks=open_tasks, answers_wanted=answers_wanted, live_leases=live_leases)

    async def seen_since(self, project_id: str, since: datetime) -> frozenset[str]:
        """The annotators who worked on the project since then."""
        where = (annotators.c.project_id == project_id) & (annotators.c.seen_at > since)
        return frozenset((await self._connection.execute(sa.select(annotators.c.annotator).where(where))).scalars())


def _open(project_id: str) -> sa.ColumnElement[bool]:
    return (label_tasks.c.project_id == project_id) & (label_tasks.c.state == State.OPEN.value)


def _answered_by(annotator: str | sa.Column[str]) -> sa.Exists:
    return _exists(annotations, annotations.c.annotator == annotator)


def _returned_by(annotator: str | sa.Column[str]) -> sa.Exists:
    return _exists(leases, (leases.c.annotator == annotator) & (leases.c.ended == LeaseEnd.RETURNED.value))


def _exists(table: sa.Table, where: sa.ColumnElement[bool]) -> sa.Exists:
    """Whether the task of the enclosing query has such a row."""
    return (
        sa.exists()
        .where(table.c.label_task_id == label_tasks.c.label_task_id, where)
        .correlate(label_tasks, annotators)
    )


def _live(now: datetime) -> sa.ColumnElement[bool]:
    return leases.c.ended.is_(None) & (leases.c.expires_at > now)


def _live_leases_of_task(now: datetime) -> sa.ScalarSelect[int]:
    same = leases.c.label_task_id == label_tasks.c.label_task_id
    return sa.select(sa.func.count()).select_from(leases).where(same, _live(now)).scalar_subquery()
