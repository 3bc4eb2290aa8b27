"""The queue of a project: which task is next for whom, who holds what, and how much of the day is used."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.tasks import LeaseEnd, State
from relearn_labeling.store.tables import annotations, annotators, answer_days, label_tasks, leases


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

    async def lock(self, project_id: str) -> None:
        """Holds the project's queue until the transaction ends: whoever hands out, takes or ends a lease comes first
        here and only then locks a task. So leases reserve answers of the day exactly, and nobody waits in a circle.
        """
        key = sa.func.hashtextextended(f"queue of {project_id}", 0)
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    async def next_task(self, project_id: str, annotator: str, *, now: datetime) -> str | None:
        """The first task in the queue's order that the annotator can take, locked; None when there is none.

        Tasks that the annotator gave back come last. A task that a flag is joining at this moment is passed over unless
        no other one is left beside it. The queue is locked.
        """
        free = label_tasks.c.overlap - label_tasks.c.answers > _live_leases_of_task(now)
        returned = _returned_by(annotator)
        # two queries and not one that sorts by `returned`: each walks the queue's index and stops at its first task
        for whose in (~returned, returned):
            query = (
                sa.select(label_tasks.c.label_task_id)
                .where(_open(project_id), free, ~_answered_by(annotator), whose)
                .order_by(label_tasks.c.rank, label_tasks.c.created_at, label_tasks.c.label_task_id)
                .limit(1)
            )
            for passes_over_locked in (True, False):
                locked = query.with_for_update(of=label_tasks, skip_locked=passes_over_locked)
                task_id: str | None = (await self._connection.execute(locked)).scalar_one_or_none()
                if task_id is not None:
                    return task_id
        return None

    async def task_in_hand(self, project_id: str, annotator: str, *, now: datetime) -> str | None:
        """The task that the annotator holds a live lease of."""
        mine = (leases.c.project_id == project_id) & (leases.c.annotator == annotator)
        query = sa.select(leases.c.label_task_id).where(mine, _live(now))
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def expire_lease_of(self, project_id: str, annotator: str, *, now: datetime) -> None:
        """Marks the annotator's lease as expired if it ran out; the queue is locked."""
        mine = (leases.c.project_id == project_id) & (leases.c.annotator == annotator)
        where = mine & leases.c.ended.is_(None) & (leases.c.expires_at <= now)
        await self._connection.execute(sa.update(leases).where(where).values(ended=LeaseEnd.EXPIRED.value))

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
        answered, returned = _answered_by(annotators.c.annotator), _returned_by(annotators.c.annotator)
        left_to_ask = sa.exists().where(here, ~answered, ~returned).correlate(label_tasks)
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
        live_leases = await self.live_leases(project_id, now=now)
        return QueueSize(open_tasks=open_tasks, answers_wanted=answers_wanted, live_leases=live_leases)

    async def live_leases(self, project_id: str, *, now: datetime) -> int:
        """Live leases of the project."""
        query = sa.select(sa.func.count()).select_from(leases).where(leases.c.project_id == project_id, _live(now))
        return int((await self._connection.execute(query)).scalar_one())

    async def see(self, project_id: str, annotator: str, *, now: datetime) -> None:
        """Notes that the annotator works on the project."""
        new = insert(annotators).values(project_id=project_id, annotator=annotator, seen_at=now)
        key = ["project_id", "annotator"]
        await self._connection.execute(new.on_conflict_do_update(index_elements=key, set_={"seen_at": now}))

    async def seen_since(self, project_id: str, since: datetime) -> frozenset[str]:
        """The annotators who worked on the project since then."""
        where = (annotators.c.project_id == project_id) & (annotators.c.seen_at > since)
        return frozenset((await self._connection.execute(sa.select(annotators.c.annotator).where(where))).scalars())

    async def answers_on(self, project_id: str, day: date) -> int:
        """Answers given on a UTC day."""
        where = (answer_days.c.project_id == project_id) & (answer_days.c.day == day)
        found = await self._connection.execute(sa.select(answer_days.c.answers).where(where))
        return found.scalar_one_or_none() or 0

    async def count_answer(self, project_id: str, day: date) -> None:
        """Counts one answer, in the transaction that stores it."""
        new = insert(answer_days).values(project_id=project_id, day=day, answers=1)
        more = {"answers": answer_days.c.answers + 1}
        await self._connection.execute(new.on_conflict_do_update(index_elements=["project_id", "day"], set_=more))


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
