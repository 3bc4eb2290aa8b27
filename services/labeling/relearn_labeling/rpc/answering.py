"""Answers of annotators: SubmitAnnotation."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_labeling import metrics, publish, wire
from relearn_labeling.domain import gold
from relearn_labeling.domain.answers import Answer, submit
from relearn_labeling.domain.budgets import check_answer
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.tasks import LabelTask
from relearn_labeling.domain.truth.skills import Crowd
from relearn_labeling.learning import crowd_for
from relearn_labeling.rpc.label_sets import LabelSets
from relearn_labeling.rpc.turns import Turn, Turns
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Store, caller

_MANY_REGIONS = 50


class Answering:
    """What annotators say."""

    def __init__(self, *, store: Store[Transaction], turns: Turns, label_sets: LabelSets, new_id: NewId) -> None:
        self._store, self._turns, self._label_sets, self._new_id = store, turns, label_sets, new_id

    async def SubmitAnnotation(
        self,
        request: pb.SubmitAnnotationRequest,
        context: grpc.aio.ServicerContext[pb.SubmitAnnotationRequest, pb.SubmitAnnotationResponse],
    ) -> pb.SubmitAnnotationResponse:
        answer = wire.answer(request, annotator=caller(context).subject)

        async def attempt() -> tuple[pb.SubmitAnnotationResponse, tuple[Fact, ...]]:
            async with self._store.transaction() as tx:
                if (saved := await tx.requests.begin(request)) is not None:  # same request_id, same answer
                    return pb.SubmitAnnotationResponse.FromString(saved), ()
                place = await tx.gold.place_of(request.label_task_id, answer.annotator)
                turn = await self._turns.enter(tx, await tx.projects.require(place.project_id), answer.annotator)
                take = self._take_gold if place.gold else self._take
                response, facts = await take(tx, turn, request.label_task_id, answer)
                await tx.requests.finish(request, response)
            return response, facts

        response, facts = await self._turns.take(attempt)
        metrics.count(facts)
        return response

    async def _take(
        self, tx: Transaction, turn: Turn, label_task_id: str, answer: Answer
    ) -> tuple[pb.SubmitAnnotationResponse, tuple[Fact, ...]]:
        known = await tx.label_tasks.get_for_update(label_task_id)
        label_set = await self._label_sets.get(tx, known.project_id, known.label_set_version)
        decide = partial(
            submit,
            known,
            answer,
            label_set=label_set.value,
            policy=turn.policy,
            crowd=await _crowd(tx, turn, known),
            annotation_id=self._new_id(),
            label_id=self._new_id(),
            now=turn.now,
        )
        # comparing many regions takes longer than other annotators should wait
        regions = len(answer.regions) + sum(len(annotation.regions) for annotation in known.annotations)
        task, annotation, facts = await asyncio.to_thread(decide) if regions > _MANY_REGIONS else decide()
        if known.rejected_of(turn.annotator) is None:  # given again, it is no further answer of a budget
            check_answer(turn.standing.used, turn.policy, project_id=turn.project_id)
            await tx.days.count_answer(turn.project_id, turn.annotator, now=turn.now)
        await tx.label_tasks.save(task)
        await publish.tell(tx, facts, new_id=self._new_id)
        response = pb.SubmitAnnotationResponse(
            annotation=wire.annotation(annotation, task=task), task_state=wire.STATES[task.state]
        )
        return response, facts

    async def _take_gold(
        self, tx: Transaction, turn: Turn, label_task_id: str, answer: Answer
    ) -> tuple[pb.SubmitAnnotationResponse, tuple[Fact, ...]]:
        """The answer to a gold task: scored, counted in the caps as any other, and told to nobody."""
        known = await tx.gold.turn(label_task_id, turn.annotator)
        label_set = await self._label_sets.get(tx, turn.project_id, known.gold.label_set_version)
        answered, annotation = gold.answer(
            known,
            answer,
            label_set=label_set.value,
            iou=turn.policy.iou,
            annotation_id=self._new_id(),
            now=turn.now,
        )
        check_answer(turn.standing.used, turn.policy, project_id=turn.project_id)
        await tx.days.count_answer(turn.project_id, turn.annotator, now=turn.now)
        await tx.gold.save(answered)
        task = gold.as_task(answered)
        response = pb.SubmitAnnotationResponse(
            annotation=wire.annotation(annotation, task=task), task_state=wire.STATES[task.state]
        )
        return response, ()


async def _crowd(tx: Transaction, turn: Turn, task: LabelTask) -> Crowd | None:
    """What is known of those who answered, once this annotator's answer fills the last slot."""
    if len(task.annotations) + 1 < task.overlap:
        return None
    return await crowd_for(tx, turn.policy, task, turn.annotator)
