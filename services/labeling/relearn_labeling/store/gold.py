"""Gold tasks, and the turns in which annotators were given them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling import region_messages
from relearn_labeling.domain.errors import TaskNotAssigned, TaskNotFound
from relearn_labeling.domain.gold import GoldTask, GoldTurn, TurnEnd
from relearn_labeling.domain.tasks import Annotation, Lease
from relearn_runtime import driver

_PLACE = """
    select t.project_id as of_task, g.project_id as of_gold, n.annotator is not null as turn
    from (values ($1::text)) w (id)
    left join label_tasks t on t.label_task_id = w.id
    left join gold_tasks g on g.label_task_id = w.id
    left join gold_turns n on n.label_task_id = w.id and n.annotator = $2"""
_PICK = """
    select g.* from gold_tasks g
    where g.project_id = $1 and g.removed_at is null and g.label_set_version = $3
        and not exists (select 1 from gold_turns n where n.label_task_id = g.label_task_id and n.annotator = $2)
        and not exists (select 1 from annotations a where a.label_task_id = g.label_task_id and a.annotator = $2)
        and not exists (select 1 from leases l where l.label_task_id = g.label_task_id and l.annotator = $2)
    order by md5(g.label_task_id || $2) limit 1"""
_SET = """
    insert into gold_tasks (label_task_id, project_id, sample_id, label_set_version, regions, set_by, set_at)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (label_task_id) do update set
        label_set_version = excluded.label_set_version, regions = excluded.regions, set_by = excluded.set_by,
        set_at = excluded.set_at, removed_at = null"""
_TURN = """
    select n.*, g.sample_id, g.label_set_version, g.regions as right_regions
    from gold_turns n join gold_tasks g using (label_task_id)
    where n.label_task_id = $1 and n.annotator = $2 for update of n"""
_ADD_TURN = """
    insert into gold_turns (label_task_id, annotator, project_id, why, closes, leased_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7)"""
_SAVE_TURN = """
    update gold_turns set expires_at = $3, ended = $4, annotation_id = $5, regions = $6, time_spent = $7,
        answered_at = $8, score = $9
    where label_task_id = $1 and annotator = $2"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an annotator's call about a task belongs.

    Attributes:
        gold: whether they were given it as a gold task.
    """

    project_id: str
    gold: bool


class Gold:
    """The gold tasks, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def place_of(self, label_task_id: str, annotator: str) -> Place:
        """The project of a task, and whether the annotator has a gold turn at it.

        Raises:
            TaskNotFound: there is none.
            TaskNotAssigned: there is one that others were given as a gold task: it answers as any other would.
        """
        row = await (await driver(self._connection)).fetchrow(_PLACE, label_task_id, annotator)
        if row["turn"]:
            return Place(project_id=row["of_gold"], gold=True)
        if row["of_task"] is not None:
            return Place(project_id=row["of_task"], gold=False)
        if row["of_gold"] is not None:
            raise TaskNotAssigned(
                f"{annotator!r} holds no lease of label task {label_task_id}", label_task_id=label_task_id
            )
        raise TaskNotFound(f"there is no label task {label_task_id!r}", label_task_id=label_task_id)

    async def set(self, gold: GoldTask, *, person: str, salt: str, now: datetime) -> None:
        """Makes a sample a gold task, or gives it another right answer; the project's first one sets its salt."""
        asyncpg = await driver(self._connection)
        salted = "insert into gold_salts (project_id, salt) values ($1, $2) on conflict do nothing"
        await asyncpg.execute(salted, gold.project_id, salt)
        content = region_messages.content(gold.regions)
        await asyncpg.execute(
            _SET, gold.id, gold.project_id, gold.sample_id, gold.label_set_version, content, person, now
        )

    async def remove(self, label_task_id: str, *, now: datetime) -> None:
        """The sample is a gold task no longer; answers that were given keep their scores."""
        query = "update gold_tasks set removed_at = $2 where label_task_id = $1 and removed_at is null"
        await (await driver(self._connection)).execute(query, label_task_id, now)

    async def count_given(self, project_id: str, annotator: str) -> tuple[int, str | None]:
        """Counts one more task given to the annotator: how many there were before, and the project's salt, if any."""
        query = """
            update annotators set given = given + 1 where project_id = $1 and annotator = $2
            returning given - 1 as given, (select salt from gold_salts where project_id = $1) as salt"""
        row = await (await driver(self._connection)).fetchrow(query, project_id, annotator)
        return row["given"], row["salt"]

    async def pick(self, project_id: str, annotator: str, *, label_set_version: int) -> GoldTask | None:
        """A gold task that the annotator has met in no form, in an order of their own; None when there is none left."""
        row = await (await driver(self._connection)).fetchrow(_PICK, project_id, annotator, label_set_version)
        return None if row is None else _gold(row, regions=row["regions"])

    async def add(self, turn: GoldTurn) -> None:
        """Keeps a new turn."""
        gold, lease = turn.gold, turn.lease
        await (await driver(self._connection)).execute(
            _ADD_TURN,
            gold.id,
            turn.annotator,
            gold.project_id,
            turn.why,
            turn.closes,
            lease.leased_at,
            lease.expires_at,
        )

    async def turn(self, label_task_id: str, annotator: str) -> GoldTurn:
        """The turn that the annotator has, locked."""
        return _turn(await (await driver(self._connection)).fetchrow(_TURN, label_task_id, annotator))

    async def save(self, turn: GoldTurn) -> None:
        """Writes a turn that this transaction has locked."""
        given = turn.annotation
        await (await driver(self._connection)).execute(
            _SAVE_TURN,
            turn.gold.id,
            turn.annotator,
            turn.lease.expires_at,
            turn.ended,
            given.id if given else None,
            region_messages.content(given.regions) if given else None,
            given.time_spent if given else None,
            given.created_at if given else None,
            turn.score,
        )


def _gold(row: Mapping[str, Any], *, regions: bytes) -> GoldTask:
    return GoldTask(
        id=row["label_task_id"],
        project_id=row["project_id"],
        sample_id=row["sample_id"],
        label_set_version=row["label_set_version"],
        regions=region_messages.of_content(regions),
    )


def _turn(row: Mapping[str, Any]) -> GoldTurn:
    given = row["annotation_id"] is not None
    return GoldTurn(
        gold=_gold(row, regions=row["right_regions"]),
        annotator=row["annotator"],
        why=row["why"],
        closes=row["closes"],
        lease=Lease(annotator=row["annotator"], slot=1, leased_at=row["leased_at"], expires_at=row["expires_at"]),
        ended=TurnEnd(row["ended"]) if row["ended"] else None,
        annotation=_annotation(row) if given else None,
        score=row["score"],
    )


def _annotation(row: Mapping[str, Any]) -> Annotation:
    return Annotation(
        id=row["annotation_id"],
        annotator=row["annotator"],
        slot=1,
        regions=region_messages.of_content(row["regions"]),
        time_spent=row["time_spent"],
        created_at=row["answered_at"],
    )
