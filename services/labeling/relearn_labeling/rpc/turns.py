"""Who works on a queue at the same time, and who waits: the day's caps hold exactly, whoever counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import wire
from relearn_labeling.domain.budgets import takes_turns
from relearn_labeling.domain.tasks import Policy
from relearn_labeling.store import Transaction
from relearn_labeling.store.days import Standing
from relearn_runtime import Now

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One annotator's turn at a project's queue: nobody else is in their name until the transaction ends."""

    project_id: str
    annotator: str
    policy: Policy
    standing: Standing
    now: datetime


class Turns:
    """Lets annotators in. Many are in at once while much is left of the day's answers, else one after the other."""

    def __init__(self, *, now: Now) -> None:
        self._now = now
        self._nearly_used: set[str] = set()  # projects, as last seen

    async def take(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Makes the attempt, a whole transaction that calls `enter` before it locks any task; again where it must come
        alone.
        """
        try:
            return await attempt()
        except _NearlyUsed as late:
            self._nearly_used.add(late.project_id)
            return await attempt()

    async def enter(self, tx: Transaction, project: Project, annotator: str) -> Turn:
        """Locks the queue, then the annotator; tasks are locked afterwards, so that nobody waits in a circle."""
        policy, alone = wire.policy(project), project.project_id in self._nearly_used
        await tx.queue.enter(project.project_id, annotator, alone=alone, now=self._now())
        now = self._now()
        standing = await tx.days.standing(project.project_id, annotator, now=now)
        if not takes_turns(standing.used, policy):
            self._nearly_used.discard(project.project_id)
        elif not alone:
            raise _NearlyUsed(project.project_id)
        return Turn(project_id=project.project_id, annotator=annotator, policy=policy, standing=standing, now=now)


class _NearlyUsed(Exception):
    """So little is left that this transaction must come alone, from its beginning."""

    def __init__(self, project_id: str) -> None:
        super().__init__(project_id)
        self.project_id = project_id
