"""What is known of annotators, and the answers that it is learned from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from relearn_labeling.domain.tasks import Truth
from relearn_labeling.domain.truth.skills import Crowd, FloatArray, Skill
from relearn_labeling.store.tables import annotations, answer_days, crowds, label_tasks, skills

_GOLD_ANSWERS = """
    select label_task_id, turns.annotator, turns.regions from gold_turns turns join gold_tasks using (label_task_id)
    where gold_tasks.project_id = :project_id and label_set_version = :version and answered_at is not null
    order by answered_at desc limit :most"""
_GOLD = """
    select label_task_id, regions from gold_tasks
    where project_id = :project_id and label_set_version = :version and removed_at is null"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """When, how and from how much a crowd was learned.

    Attributes:
        answers: of the project, when it was.
    """

    truth: Truth
    answers: int
    at: datetime


class Crowds:
    """The crowds, one a project and label set, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(
        self, project_id: str, label_set_version: int, *, annotators: Collection[str] | None = None
    ) -> Crowd | None:
        """The crowd as it was learned last, with the skills of these annotators (None: of all); None before that."""
        found = await self._connection.execute(sa.select(crowds).where(_key(crowds, project_id, label_set_version)))
        if (row := found.mappings().first()) is None:
            return None
        where = _key(skills, project_id, label_set_version)
        if annotators is not None:
            where &= skills.c.annotator.in_(annotators)
        known = (await self._connection.execute(sa.select(skills).where(where))).mappings()
        prior = np.array(row["prior"])
        return Crowd(
            values=tuple(row["said"]),
            prior=prior / prior.sum(),
            newcomer=_skill(dict(row)),
            skills={skill["annotator"]: _skill(dict(skill)) for skill in known},
        )

    async def learned(self, project_id: str, label_set_version: int) -> Learned | None:
        """When and how the crowd was learned last; None before that."""
        columns = sa.select(crowds.c.truth, crowds.c.answers, crowds.c.learned_at)
        found = await self._connection.execute(columns.where(_key(crowds, project_id, label_set_version)))
        row = found.first()
        return None if row is None else Learned(truth=Truth(row.truth), answers=row.answers, at=row.learned_at)

    async def save(self, project_id: str, label_set_version: int, crowd: Crowd, *, learned: Learned) -> None:
        """Puts a crowd in the place of the one before."""
        key = {"project_id": project_id, "label_set_version": label_set_version}
        values = {
            "truth": learned.truth.value,
            "said": list(crowd.values),
            "prior": crowd.prior.tolist(),
            **_of_skill(crowd.newcomer),
            "answers": learned.answers,
            "learned_at": learned.at,
        }
        new = insert(crowds).values(**key, **values)
        await self._connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=values))
        await self._connection.execute(sa.delete(skills).where(_key(skills, project_id, label_set_version)))
        for annotator, skill in crowd.skills.items():
            row = {**key, "annotator": annotator, **_of_skill(skill), "votes": skill.votes}
            await self._connection.execute(insert(skills).values(row))

    async def answers(self, project_id: str) -> int:
        """Answers of a project, ever."""
        total = sa.func.coalesce(sa.func.sum(answer_days.c.answers), 0)
        found = await self._connection.execute(sa.select(total).where(answer_days.c.project_id == project_id))
        return int(found.scalar_one())

    async def newest_answers(
        self, project_id: str, label_set_version: int, *, limit: int
    ) -> Sequence[tuple[str, str, bytes]]:
        """The newest answers in a label set: task, annotator, and regions as they are kept."""
        same = annotations.c.label_task_id == label_tasks.c.label_task_id
        query = (
            sa.select(label_tasks.c.label_task_id, annotations.c.annotator, annotations.c.regions)
            .select_from(annotations.join(label_tasks, same))
            .where(_key(label_tasks, project_id, label_set_version))
            .order_by(annotations.c.created_at.desc())
            .limit(limit)
        )
        return [(row[0], row[1], row[2]) for row in await self._connection.execute(query)]

    async def gold_answers(
        self, project_id: str, label_set_version: int, *, limit: int
    ) -> Sequence[tuple[str, str, bytes]]:
        """The newest answers to gold tasks: task, annotator, and regions as they are kept."""
        values = {"project_id": project_id, "version": label_set_version, "most": limit}
        found = await self._connection.execute(sa.text(_GOLD_ANSWERS), values)
        return [(row[0], row[1], row[2]) for row in found]

    async def gold(self, project_id: str, label_set_version: int) -> dict[str, bytes]:
        """The right answers that are known, by task: a gold task has the id of its sample's own task."""
        values = {"project_id": project_id, "version": label_set_version}
        return {row[0]: row[1] for row in await self._connection.execute(sa.text(_GOLD), values)}


def _key(table: sa.Table, project_id: str, label_set_version: int) -> sa.ColumnElement[bool]:
    return (table.c.project_id == project_id) & (table.c.label_set_version == label_set_version)


def _skill(row: Mapping[str, Any]) -> Skill:
    confusion = None if row["confusion"] is None else _square(row["confusion"])
    return Skill(accuracy=row["accuracy"], confusion=confusion, votes=row.get("votes", 0.0))


def _of_skill(skill: Skill) -> dict[str, Any]:
    confusion = None if skill.confusion is None else skill.confusion.ravel().tolist()
    return {"accuracy": skill.accuracy, "confusion": confusion}


def _square(cells: Sequence[float]) -> FloatArray:
    matrix = np.array(cells).reshape(int(np.sqrt(len(cells))), -1)
    normal: FloatArray = matrix / matrix.sum(axis=1, keepdims=True)  # what single precision has rounded
    return normal
