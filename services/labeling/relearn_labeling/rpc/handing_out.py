"""Tasks go to annotators and come back: NextTask, RenewLease, ReleaseTask."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import grpc

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_labeling import metrics, publish, wire
from relearn_labeling.domain import gold
from relearn_labeling.domain.budgets import check_lease
from relearn_labeling.domain.errors import InvalidSkip
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.order import blind_why
from relearn_labeling.domain.slots import can_lease, lease_task, renew_lease, return_task
from relearn_labeling.domain.tasks import LabelTask, Lease
from relearn_labeling.rpc.label_sets import LabelSets
from relearn_labeling.rpc.turns import Turn, Turns
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store, caller
from relearn_runtime.errors import BudgetExhausted, StaleWrite

_TRIES = 20
_MOST_COMMENT = 1000

Given: TypeAlias = tuple[LabelTask, Lease, str]
"""A task under a lease, and why it is asked, as its annotator may know it."""


class HandingOut:
    """Leases of tasks."""

    def __init__(
        self, *, store: Store[Transaction], turns: Turns, label_sets: LabelSets, new_id: NewId, now: Now
    ) -> None:
        self._store, self._turns, self._label_sets, self._new_id, self._now = store, turns, label_sets, new_id, now

    async def NextTask(
        self, request: pb.NextTaskRequest, context: grpc.aio.ServicerContext[pb.NextTaskRequest, pb.NextTaskResponse]
    ) -> pb.NextTaskResponse:
        annotator = caller(context).subject

        async def attempt() -> pb.NextTaskResponse | BudgetExhausted:
            async with self._store.transaction() as tx:
                await tx.queue.only_promise()
                project = await tx.projects.require(request.project_id)
                turn = await self._turns.enter(tx, project, annotator)
                try:
                    given = await _give(tx, turn, known=request.label_task_ids)
                except BudgetExhausted as refusal:
                    return refusal  # the commit keeps that the annotator asked
                if isinstance(given, str):
                    return pb.NextTaskResponse(none_reason=given)
                task, lease, why = given
                label_set = (await self._label_sets.get(tx, task.project_id, task.label_set_version)).message
            rejected = task.rejected_of(annotator)
            return pb.NextTaskResponse(
                label_task=wire.blind_label_task(task, why=why),
                lease_expire_time=wire.timestamp(lease.expires_at),
                classes=label_set.classes,
                label_set=label_set,
                rejected=None if rejected is None else wire.annotation(rejected, task=task),
            )

        answer = await self._turns.take(attempt)
        if isinstance(answer, BudgetExhausted):
            raise answer
        return answer

    async def RenewLease(
        self,
        request: pb.RenewLeaseRequest,
        context: grpc.aio.ServicerContext[pb.RenewLeaseRequest, pb.RenewLeaseResponse],
    ) -> pb.RenewLeaseResponse:
        annotator = caller(context).subject
        async with self._store.transaction() as tx:
            place = await tx.gold.place_of(request.label_task_id, annotator)
            duration = wire.policy(await tx.projects.require(place.project_id)).lease
            if place.gold:
                turn = gold.renew(
                    await tx.gold.turn(request.label_task_id, annotator), duration=duration, now=self._now()
                )
                await tx.gold.save(turn)
                lease = turn.lease
            else:
                known = await tx.label_tasks.get_for_update(request.label_task_id)
                task, lease = renew_lease(known, annotator, duration=duration, now=self._now())
                await tx.label_tasks.save(task)
        return pb.RenewLeaseResponse(lease_expire_time=wire.timestamp(lease.expires_at))

    async def ReleaseTask(
        self,
        request: pb.ReleaseTaskRequest,
        context: grpc.aio.ServicerContext[pb.ReleaseTaskRequest, pb.ReleaseTaskResponse],
    ) -> pb.ReleaseTaskResponse:
        annotator, reason = caller(context).subject, wire.SKIP_REASONS.get(request.reason)
        if len(request.comment) > _MOST_COMMENT:
            raise InvalidSkip(f"a comment has at most {_MOST_COMMENT} characters, got {len(request.comment)}")
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.ReleaseTaskResponse.FromString(saved)
            facts: tuple[Fact, ...] = ()
            if (await tx.gold.place_of(request.label_task_id, annotator)).gold:
                turn = await tx.gold.turn(request.label_task_id, annotator)
                await tx.gold.save(gold.give_back(turn, now=self._now()))
            else:
                known, now = await tx.label_tasks.get_for_update(request.label_task_id), self._now()
                task, facts = return_task(known, annotator, reason=reason, now=now)
                await tx.label_tasks.save(task)
                if reason is not None:
                    await tx.label_tasks.skipped(task, annotator, reason=reason, comment=request.comment, now=now)
            await publish.tell(tx, facts, new_id=self._new_id)
            response = pb.ReleaseTaskResponse()
            await tx.requests.finish(request, response)
        metrics.count(facts)
        return response


async def _give(tx: Transaction, turn: Turn, *, known: Collection[str]) -> Given | str:
    """The task that the annotator is given, or why there is none: what they hold without knowing of it, else a new one.

    Raises:
        BudgetExhausted: the day's answers are given or promised.
    """
    in_hand = turn.standing.in_hand
    for label_task_id in in_hand:
        if label_task_id not in known and (held := await _held(tx, turn, label_task_id)) is not None:
            return held
    if len(in_hand) >= turn.policy.tasks_in_hand:
        return "HANDS_FULL"
    return await _lease_next(tx, turn)


async def _held(tx: Transaction, turn: Turn, label_task_id: str) -> Given | None:
    """A task that was in the annotator's hand a moment ago; None where it isn't any more."""
    if (await tx.gold.place_of(label_task_id, turn.annotator)).gold:
        gold_turn = await tx.gold.turn(label_task_id, turn.annotator)
        return gold.as_task(gold_turn), gold_turn.lease, gold_turn.why
    task = await tx.label_tasks.get(label_task_id)
    lease = task.lease_of(turn.annotator)
    return (task, lease, blind_why(task)) if lease is not None and lease.is_live(turn.now) else None


async def _lease_next(tx: Transaction, turn: Turn) -> Given | str:
    """The task whose turn it is for this annotator, leased; another one took its slot meanwhile: the one after it."""
    for _ in range(_TRIES):
        task_id = await tx.queue.next_task(
            turn.project_id, turn.annotator, assigned=turn.standing.assigned, now=turn.now
        )
        if task_id is None:
            waits = await tx.queue.has_open_tasks(turn.project_id)
            return "ALL_LEASED_OR_ANSWERED_BY_YOU" if waits else "NO_OPEN_TASK"
        check_lease(turn.standing.used, turn.policy, project_id=turn.project_id)
        known = await tx.label_tasks.get(task_id)
        if can_lease(known, turn.annotator, turn.now):
            if (gold_turn := await _gold_turn(tx, turn, instead_of=known)) is not None:
                return gold.as_task(gold_turn), gold_turn.lease, gold_turn.why
            task, lease = lease_task(known, turn.annotator, duration=turn.policy.lease, now=turn.now)
            await tx.label_tasks.save(task)
            return task, lease, blind_why(task)
    raise StaleWrite(f"others took {_TRIES} tasks of project {turn.project_id!r} first", project_id=turn.project_id)


async def _gold_turn(tx: Transaction, turn: Turn, *, instead_of: LabelTask) -> gold.GoldTurn | None:
    """A gold task in place of the one whose turn it is, where it is the annotator's turn to get one."""
    if not turn.policy.gold_share:
        return None
    given, salt = await tx.gold.count_given(turn.project_id, turn.annotator)
    share = turn.policy.gold_share
    if salt is None or not gold.is_gold_turn(salt=salt, annotator=turn.annotator, given=given, share=share):
        return None
    version = instead_of.label_set_version
    picked = await tx.gold.pick(turn.project_id, turn.annotator, label_set_version=version)
    if picked is None or picked.id == instead_of.id:
        return None
    made = gold.give(picked, turn.annotator, instead_of=instead_of, duration=turn.policy.lease, now=turn.now)
    await tx.gold.add(made)
    return made
