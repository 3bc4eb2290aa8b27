"""What a report is made of, added up by PostgreSQL: a hundred thousand answers leave it as some hundred rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_GIVEN = """
    with given as (
        select a.annotation_id, a.label_task_id, a.annotator, a.classes, a.suggestions_accepted, a.suggestions_edited,
               a.time_spent, a.created_at, t.label_id
        from annotations a join label_tasks t using (label_task_id)
        where t.project_id = :project_id and t.label_set_version = :version and a.created_at >= :since
    )"""
_TASKS = """
    select count(*) filter (where state = 'open') as open_tasks,
           min(created_at) filter (where state = 'open') as oldest,
           count(*) filter (where state = 'disputed') as disputed_tasks
    from label_tasks where project_id = :project_id and state in ('open', 'disputed')"""
_BUCKETS = """
    select start_time, sum(answers)::bigint as answers, sum(labels)::bigint as labels from (
        select date_bin(:length, a.created_at, :since) as start_time, count(*) as answers, 0 as labels
        from annotations a join label_tasks t using (label_task_id)
        where t.project_id = :project_id and a.created_at >= :since group by 1
        union all
        select date_bin(:length, l.accepted_at, :since), 0, count(*)
        from labels l join label_tasks t using (label_task_id)
        where t.project_id = :project_id and l.accepted_at >= :since group by 1
    ) as counted group by 1 order by 1"""
_ANNOTATORS = """
    select a.annotator, count(*) as answers, sum(a.time_spent) as time_spent,
           percentile_cont(0.5) within group (order by a.time_spent) as median_time, max(s.seen_at) as seen_at,
           (select count(*) from skips k where k.project_id = :project_id and k.annotator = a.annotator
            and k.skipped_at >= :since) as skipped,
           (select count(*) from withdrawn_annotations w join label_tasks r using (label_task_id)
            where r.project_id = :project_id and w.annotator = a.annotator and w.rejection <> ''
            and w.created_at >= :since) as rejected
    from annotations a join label_tasks t using (label_task_id)
         left join annotators s on s.project_id = t.project_id and s.annotator = a.annotator
    where t.project_id = :project_id and a.created_at >= :since group by 1 order by 1"""
# an answer is compared with a label in which somebody else had a part
_COMPARED = f"""{_GIVEN}
    select annotator, l.classes[1] as label, given.classes[1] as said, annotation_id = any (l.annotation_ids) as agreed,
           count(*) as answers
    from given join labels l using (label_id)
    where cardinality(array_remove(l.annotation_ids, annotation_id)) > 0 or l.reviewer <> ''
    group by 1, 2, 3, 4"""  # noqa: S608
_CLASSES = f"""{_GIVEN}
    select class_name, sum(answers)::bigint as answers, sum(accepted)::bigint as accepted, sum(edited)::bigint as edited
    from (
        select unnest(classes) as class_name, 1 as answers, 0 as accepted, 0 as edited from given
        union all select unnest(suggestions_accepted), 0, 1, 0 from given
        union all select unnest(suggestions_edited), 0, 0, 1 from given
    ) as named group by 1"""  # noqa: S608
# pairs of answers to one task that differ, by class and stretch of time; see domain/truth/alpha.py
_TALLIES = f"""{_GIVEN},
    votes as (
        select label_task_id, classes[1] as class_name, count(*) as n, max(created_at) as last from given group by 1, 2
    ), tasks as (
        select label_task_id, sum(n) as m, date_bin(:length, max(last), :since) as start_time
        from votes group by 1 having sum(n) > 1
    )
    select start_time, class_name, sum(n)::float8 as votes, sum(n * (m - n) / (m - 1))::float8 as apart,
           count(distinct label_task_id) as tasks
    from votes join tasks using (label_task_id) group by grouping sets ((start_time, class_name), (start_time))"""  # noqa: S608
_NEWEST_PAIRS = f"""{_GIVEN}, tasks as (
        select label_task_id, max(created_at) as last from given group by 1 having count(*) > 1
        order by last desc limit :most
    )
    select label_task_id, date_bin(:length, last, :since) as start_time, annotations.regions
    from tasks join annotations using (label_task_id) order by label_task_id, annotations.created_at"""  # noqa: S608
_GOLD = """
    select g.annotator, count(*) as answers, count(*) filter (where g.score > 0.5) as right_answers
    from gold_turns g join gold_tasks t using (label_task_id)
    where g.project_id = :project_id and t.removed_at is null and g.answered_at >= :since group by 1"""

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "project_id": sa.Text(),
    "version": sa.Integer(),
    "since": sa.DateTime(timezone=True),
    "length": sa.Interval(),
    "most": sa.Integer(),
}

Row = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a report looks at.

    Attributes:
        label_set_version: whose classes are told; other sums are over all label sets.
        since: where the first bucket begins.
        length: of each bucket.
    """

    project_id: str
    label_set_version: int
    since: datetime
    length: timedelta


class Reports:
    """The sums over a project's answers, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def tasks(self, of: Stretch) -> Row:
        """open_tasks, oldest (when it was opened, or None), disputed_tasks; as they are now."""
        (row,) = await self._rows(_TASKS, of)
        return row

    async def buckets(self, of: Stretch) -> Sequence[Row]:
        """start_time, answers, labels, by time; buckets without either are left out."""
        return await self._rows(_BUCKETS, of)

    async def annotators(self, of: Stretch) -> Sequence[Row]:
        """annotator, answers, time_spent, median_time, seen_at, skipped, rejected, by annotator."""
        return await self._rows(_ANNOTATORS, of)

    async def compared(self, of: Stretch) -> Sequence[Row]:
        """annotator, label, said, agreed, answers: how often which answer met which label."""
        return await self._rows(_COMPARED, of)

    async def classes(self, of: Stretch) -> Sequence[Row]:
        """class_name, answers that name it, suggestions of it accepted and edited."""
        return await self._rows(_CLASSES, of)

    async def tallies(self, of: Stretch) -> Sequence[Row]:
        """start_time, class_name, votes, apart, tasks, of tasks with two answers or more, each a single class.

        A row with class_name None sums the bucket over all classes.
        """
        return await self._rows(_TALLIES, of)

    async def newest_pairs(self, of: Stretch, *, most: int) -> Sequence[Row]:
        """label_task_id, start_time, regions, of all answers to the newest tasks with two answers or more; by task."""
        return await self._rows(_NEWEST_PAIRS, of, most=most)

    async def gold(self, of: Stretch) -> Sequence[Row]:
        """annotator, answers to gold tasks, right_answers: those that say more than half of what is right (F1)."""
        return await self._rows(_GOLD, of)

    async def _rows(self, query: str, of: Stretch, **more: int) -> Sequence[Row]:
        values = {
            "project_id": of.project_id,
            "version": of.label_set_version,
            "since": of.since,
            "length": of.length,
            **more,
        }
        used = {name: value for name, value in values.items() if f":{name}" in query}
        typed: list[sa.BindParameter[Any]] = [
            sa.bindparam(name, value, type_=_TYPES[name]) for name, value in used.items()
        ]
        return (await self._connection.execute(sa.text(query).bindparams(*typed))).all()
