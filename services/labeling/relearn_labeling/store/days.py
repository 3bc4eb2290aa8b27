"""What of a day's budgets is used, and what each annotator has in hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.budgets import Used, utc_day
from relearn_labeling.domain.tasks import USUAL_ANSWER_S
from relearn_runtime import driver

_STANDING = """
    select
        (select coalesce(sum(answers), 0) from answer_days where project_id = $1 and day = $3) as answers,
        (select coalesce(sum(answers), 0) from answer_days
            where project_id = $1 and day = $3 and annotator = $2) as own_answers,
        (select count(*) from leases where project_id = $1 and ended is null and expires_at > $4)
            + (select count(*) from gold_turns where project_id = $1 and ended is null and expires_at > $4)
            as live_leases,
        array(
            select label_task_id from (
                select label_task_id, leased_at from leases
                where project_id = $1 and annotator = $2 and ended is null and expires_at > $4
                union all
                select label_task_id, leased_at from gold_turns
                where project_id = $1 and annotator = $2 and ended is null and expires_at > $4) held
            order by leased_at, label_task_id) as in_hand,
        exists (select 1 from assignments where project_id = $1 and annotator = $2) as assigned"""

_LAST_ANSWERS, _LEAST_ANSWERS = 500, 20
_MEASURE = """
    with last as (
        select extract(epoch from a.time_spent)::double precision as spent_s
        from (select label_task_id, updated_at from label_tasks
              where project_id = $1 and answers > 0 order by updated_at desc limit $2) t
        join annotations a using (label_task_id) where a.time_spent is not null)
    insert into paces (project_id, answer_s)
    select $1, greatest(percentile_cont(0.5) within group (order by spent_s), 0.1) from last
    having count(*) >= $3
    on conflict (project_id) do update set answer_s = excluded.answer_s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an annotator stands in a project, now.

    Attributes:
        in_hand: the tasks under their live leases, in the order in which they were handed out.
        assigned: whether any open task is assigned to them.
    """

    used: Used
    in_hand: tuple[str, ...]
    assigned: bool


class Days:
    """Answers by project, UTC day and annotator, within one transaction. Each annotator has a row of their own, so that
    nobody waits for another to count.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def standing(self, project_id: str, annotator: str, *, now: datetime) -> Standing:
        """What is used, and what the annotator has in hand."""
        row = await (await driver(self._connection)).fetchrow(_STANDING, project_id, annotator, utc_day(now), now)
        used = Used(
            answers=row["answers"],
            live_leases=row["live_leases"],
            own_answers=row["own_answers"],
            own_leases=len(row["in_hand"]),
        )
        return Standing(used=used, in_hand=tuple(row["in_hand"]), assigned=row["assigned"])

    async def answers_on(self, project_id: str, day: date) -> int:
        """Answers of a project on a UTC day."""
        query = "select coalesce(sum(answers), 0) from answer_days where project_id = $1 and day = $2"
        answers: Any = await (await driver(self._connection)).fetchval(query, project_id, day)
        return int(answers)

    async def answer_s(self, project_id: str) -> float:
        """What an answer takes in the project, in seconds: the median, as `measure` last found it."""
        query = "select answer_s from paces where project_id = $1"
        known: float | None = await (await driver(self._connection)).fetchval(query, project_id)
        return USUAL_ANSWER_S if known is None else known

    async def measure(self, project_id: str) -> None:
        """Finds the median time of the project's last answers; one counts as at least a tenth of a second."""
        await (await driver(self._connection)).execute(_MEASURE, project_id, _LAST_ANSWERS, _LEAST_ANSWERS)

    async def count_answer(self, project_id: str, annotator: str, *, now: datetime) -> None:
        """Counts one answer, in the transaction that stores it."""
        query = """
            insert into answer_days as d (project_id, day, annotator, answers) values ($1, $2, $3, 1)
            on conflict (project_id, day, annotator) do update set answers = d.answers + 1"""
        await (await driver(self._connection)).execute(query, project_id, utc_day(now), annotator)
