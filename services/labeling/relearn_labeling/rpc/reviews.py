"""What annotators disagree about is settled by a person who sees all answers: NextReview, ReviewTask."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from functools import partial

import grpc

from relearn.labeling.v1 import review_service_pb2 as pb
from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import metrics, publish, review_messages, wire
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.reviews import Review, review
from relearn_labeling.rpc.label_sets import LabelSets
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store, caller
from relearn_runtime.errors import StaleWrite

_TRIES = 20
_LEASE = timedelta(minutes=10)  # at least: a reviewer looks at all answers, and has no way to renew but to ask again


class Reviewing:
    """Reviews, under leases that are none of the annotators' slots."""

    def __init__(self, *, store: Store[Transaction], label_sets: LabelSets, new_id: NewId, now: Now) -> None:
        self._store, self._label_sets, self._new_id, self._now = store, label_sets, new_id, now

    async def NextReview(
        self,
        request: pb.NextReviewRequest,
        context: grpc.aio.ServicerContext[pb.NextReviewRequest, pb.NextReviewResponse],
    ) -> pb.NextReviewResponse:
        reviewer = caller(context).subject
        async with self._store.transaction() as tx:
            project = await tx.projects.require(request.project_id)
            found = await self._give(tx, project, reviewer, known=request.label_task_ids)
            if found is None:
                return pb.NextReviewResponse()
            task = await tx.label_tasks.get(found)
            until = await tx.reviews.held_until(found, reviewer, now=self._now())
            label_set = (await self._label_sets.get(tx, task.project_id, task.label_set_version)).message
        policy = wire.policy(project)
        # comparing many regions takes longer than others should wait
        return await asyncio.to_thread(review_messages.in_hand, task, until=until, label_set=label_set, iou=policy.iou)

    async def ReviewTask(
        self,
        request: pb.ReviewTaskRequest,
        context: grpc.aio.ServicerContext[pb.ReviewTaskRequest, pb.ReviewTaskResponse],
    ) -> pb.ReviewTaskResponse:
        said = review_messages.review(request, reviewer=caller(context).subject)
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.ReviewTaskResponse.FromString(saved)
            response, facts = await self._settle(tx, request.label_task_id, said)
            await tx.requests.finish(request, response)
        metrics.count(facts)
        return response

    async def _give(self, tx: Transaction, project: Project, reviewer: str, *, known: Collection[str]) -> str | None:
        """The task that the reviewer is given: what they hold without knowing of it, else the one in need most."""
        policy, now = wire.policy(project), self._now()
        take = partial(tx.reviews.take, project_id=project.project_id, reviewer=reviewer, now=now)
        in_hand = await tx.reviews.in_hand(project.project_id, reviewer, now=now)
        until = now + max(policy.lease, _LEASE)
        for label_task_id in in_hand:
            if label_task_id not in known and await take(label_task_id, until=until):
                return label_task_id
        if len(in_hand) >= policy.tasks_in_hand:
            return None
        for _ in range(_TRIES):
            found = await tx.reviews.next(project.project_id, reviewer, now=now)
            if found is None:
                return None
            if await take(found, until=until):
                return found
        raise StaleWrite(f"others took {_TRIES} reviews of project {project.project_id!r} first")

    async def _settle(
        self, tx: Transaction, label_task_id: str, said: Review
    ) -> tuple[pb.ReviewTaskResponse, tuple[Fact, ...]]:
        known, now = await tx.label_tasks.get_for_update(label_task_id), self._now()
        await tx.reviews.held_until(label_task_id, said.reviewer, now=now)
        project = await tx.projects.require(known.project_id)
        decide = partial(
            review,
            known,
            said,
            label_set=(await self._label_sets.get(tx, known.project_id, known.label_set_version)).value,
            policy=wire.policy(project),
            new_ids=(self._new_id(), self._new_id()),
            now=now,
        )
        task, facts = await asyncio.to_thread(decide)
        await tx.label_tasks.save(task)
        await tx.reviews.done(label_task_id)
        await publish.tell(tx, facts, new_id=self._new_id)
        label = None if task.label is None else wire.label(task.label, task=task)
        return pb.ReviewTaskResponse(task_state=wire.STATES[task.state], label=label), facts
