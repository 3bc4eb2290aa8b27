"""What annotators do: ask for tasks, answer them, give them back."""

from __future__ import annotations

from datetime import datetime

import grpc

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import metrics, publish, region_messages, wire
from relearn_labeling.domain.answers import submit
from relearn_labeling.domain.day import check_answer, check_lease, utc_day
from relearn_labeling.domain.slots import lease_task, return_task
from relearn_labeling.domain.tasks import LabelTask, Lease
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store, caller


class Answering:
    """Whoever hands out, takes or ends a lease locks the project's queue first (`Queue.lock`), then the task."""

    def __init__(self, *, store: Store[Transaction], new_id: NewId, now: Now) -> None:
        self._store, self._new_id, self._now = store, new_id, now

    async def NextTask(
        self, request: pb.NextTaskRequest, context: grpc.aio.ServicerContext[pb.NextTaskRequest, pb.NextTaskResponse]
    ) -> pb.NextTaskResponse:
        annotator = caller(context).subject
        async with self._store.transaction() as tx:  # of its own: who is refused for the day's cap was seen, too
            project = await tx.projects.require(request.project_id)
            await tx.queue.see(project.project_id, annotator, now=self._now())
        async with self._store.transaction() as tx:
            await tx.queue.lock(project.project_id)
            now = self._now()
            found = await _in_hand(tx, project.project_id, annotator, now) or await _lease_next(
                tx, project, annotator, now
            )
            if found is None:
                return pb.NextTaskResponse(none_reason=await _none_reason(tx, project.project_id, now))
            task, lease = found
            label_set = await tx.label_sets.get(task.project_id, task.label_set_version)
        return pb.NextTaskResponse(
            label_task=wire.blind_label_task(task),
            lease_expire_time=wire.timestamp(lease.expires_at),
            classes=label_set.classes,
            label_set=label_set,
        )

    async def SubmitAnnotation(
        self,
        request: pb.SubmitAnnotationRequest,
        context: grpc.aio.ServicerContext[pb.SubmitAnnotationRequest, pb.SubmitAnnotationResponse],
    ) -> pb.SubmitAnnotationResponse:
        answer = wire.answer(request, annotator=caller(context).subject)
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:  # same request_id, same answer
                return pb.SubmitAnnotationResponse.FromString(saved)
            project = await tx.projects.require(await tx.label_tasks.project_of(request.label_task_id))
            await tx.queue.lock(project.project_id)
            now = self._now()
            known = await tx.label_tasks.get_for_update(request.label_task_id)
            label_set = await tx.label_sets.get(known.project_id, known.label_set_version)
            task, annotation, facts = submit(
                known,
                answer,
                label_set=region_messages.label_set(label_set),
                policy=wire.policy(project),
                annotation_id=self._new_id(),
                label_id=self._new_id(),
                now=now,
            )
            answers = await tx.queue.answers_on(project.project_id, utc_day(now))
            check_answer(answers=answers, cap=wire.policy(project).answers_per_day, project_id=project.project_id)
            await tx.queue.count_answer(project.project_id, utc_day(now))
            await tx.queue.see(project.project_id, answer.annotator, now=now)
            await tx.label_tasks.save(task)
            await publish.tell(tx, facts, new_id=self._new_id)
            response = pb.SubmitAnnotationResponse(
                annotation=wire.annotation(annotation, task=task), task_state=wire.STATES[task.state]
            )
            await tx.requests.finish(request, response)
        metrics.count(facts)
        return response

    async def ReleaseTask(
        self,
        request: pb.ReleaseTaskRequest,
        context: grpc.aio.ServicerContext[pb.ReleaseTaskRequest, pb.ReleaseTaskResponse],
    ) -> pb.ReleaseTaskResponse:
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.ReleaseTaskResponse.FromString(saved)
            await tx.queue.lock(await tx.label_tasks.project_of(request.label_task_id))
            task = await tx.label_tasks.get_for_update(request.label_task_id)
            await tx.label_tasks.save(return_task(task, caller(context).subject, now=self._now()))
            response = pb.ReleaseTaskResponse()
            await tx.requests.finish(request, response)
        return response


async def _in_hand(tx: Transaction, project_id: str, annotator: str, now: datetime) -> tuple[LabelTask, Lease] | None:
    """The task that the annotator has under lease already."""
    if (task_id := await tx.queue.task_in_hand(project_id, annotator, now=now)) is None:
        return None
    task = await tx.label_tasks.get(task_id)
    lease = task.lease_of(annotator)
    return None if lease is None else (task, lease)


async def _lease_next(
    tx: Transaction, project: Project, annotator: str, now: datetime
) -> tuple[LabelTask, Lease] | None:
    """The most valuable task that this annotator can take, leased; the day's cap counts leases as answers."""
    policy, project_id = wire.policy(project), project.project_id
    await tx.queue.expire_lease_of(project_id, annotator, now=now)
    if (task_id := await tx.queue.next_task(project_id, annotator, now=now)) is None:
        return None
    answers = await tx.queue.answers_on(project_id, utc_day(now))
    live_leases = await tx.queue.live_leases(project_id, now=now)
    check_lease(answers=answers, live_leases=live_leases, cap=policy.answers_per_day, project_id=project_id)
    known = await tx.label_tasks.get_for_update(task_id)
    task, lease = lease_task(known, annotator, duration=policy.lease, now=now)
    await tx.label_tasks.save(task)
    return task, lease


async def _none_reason(tx: Transaction, project_id: str, now: datetime) -> str:
    size = await tx.queue.size(project_id, now=now)
    return "ALL_LEASED_OR_ANSWERED_BY_YOU" if size.open_tasks else "NO_OPEN_TASK"
