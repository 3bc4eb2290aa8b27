"""What an annotator sees of their own work: what waits for them, and what they answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling import region_messages
from relearn_labeling.domain.tasks import Annotation
from relearn_runtime import driver

_ANSWERS = """
    select * from (
        (select a.annotation_id, a.label_task_id, a.annotator, t.label_set_version, a.regions, a.time_spent,
            a.created_at, '' as rejection, false as revoked
        from annotations a join label_tasks t using (label_task_id)
        where a.annotator = $2 and t.project_id = $1
            and ($3::timestamptz is null or (a.created_at, a.annotation_id) < ($3, $4))
        order by a.created_at desc, a.annotation_id desc limit $5)
        union all
        (select w.annotation_id, w.label_task_id, w.annotator, t.label_set_version, w.regions, w.time_spent,
            w.created_at, w.rejection, w.revoked
        from withdrawn_annotations w join label_tasks t using (label_task_id)
        where w.annotator = $2 and t.project_id = $1
            and ($3::timestamptz is null or (w.created_at, w.annotation_id) < ($3, $4))
        order by w.created_at desc, w.annotation_id desc limit $5)
        union all
        (select n.annotation_id, n.label_task_id, n.annotator, g.label_set_version, n.regions, n.time_spent,
            n.answered_at, '', false
        from gold_turns n join gold_tasks g using (label_task_id)
        where n.annotator = $2 and n.project_id = $1 and n.ended = 'answered'
            and ($3::timestamptz is null or (n.answered_at, n.annotation_id) < ($3, $4))
        order by n.answered_at desc, n.annotation_id desc limit $5)) given
    order by created_at desc, annotation_id desc limit $5"""
_WAITING = """
    select count(*) as open_tasks,
        count(*) filter (
            where (t.assigned_to = '{}' or $2 = any (t.assigned_to))
                and not exists (
                    select 1 from annotations a where a.label_task_id = t.label_task_id and a.annotator = $2)
                and not exists (
                    select 1 from withdrawn_annotations w
                    where w.label_task_id = t.label_task_id and w.annotator = $2 and w.revoked)) as yours,
        (select count(*) from label_tasks t where t.project_id = $1 and t.doubt is not null
            and not exists (select 1 from annotations a where a.label_task_id = t.label_task_id and a.annotator = $2)
            and not exists (
                select 1 from withdrawn_annotations w
                where w.label_task_id = t.label_task_id and w.annotator = $2)) as to_review
    from label_tasks t where t.project_id = $1 and t.state = 'open'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAnswer:
    """An answer with what it was given to; gold tasks' among the others."""

    annotation: Annotation
    label_task_id: str
    label_set_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingTasks:
    """Open tasks of a project, those that the person may still answer, and those they may review."""

    open_tasks: int
    yours: int
    to_review: int


class Own:
    """One annotator's view, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def answers(
        self, project_id: str, annotator: str, *, size: int, before: tuple[datetime, str] | None
    ) -> list[OwnAnswer]:
        """Answers newest first, those given before the given (time, id)."""
        asyncpg = await driver(self._connection)
        rows = await asyncpg.fetch(_ANSWERS, project_id, annotator, *(before or (None, None)), size)
        return [
            OwnAnswer(
                annotation=Annotation(
                    id=row["annotation_id"],
                    annotator=row["annotator"],
                    slot=1,  # which one is nobody's business
                    regions=region_messages.of_content(row["regions"]),
                    time_spent=row["time_spent"],
                    created_at=row["created_at"],
                    rejection=row["rejection"],
                    revoked=row["revoked"],
                ),
                label_task_id=row["label_task_id"],
                label_set_version=row["label_set_version"],
            )
            for row in rows
        ]

    async def waiting(self, project_id: str, annotator: str) -> WaitingTasks:
        """What waits in a project."""
        return WaitingTasks(**await (await driver(self._connection)).fetchrow(_WAITING, project_id, annotator))
