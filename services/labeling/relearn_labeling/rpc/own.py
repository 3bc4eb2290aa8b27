"""An annotator's own work: ListQueues, ListOwnAnnotations."""

from __future__ import annotations

from datetime import datetime

import grpc

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn.registry.v1.project_pb2 import Project
from relearn_labeling import wire
from relearn_labeling.domain.budgets import answers_left
from relearn_labeling.store import Transaction
from relearn_runtime import Caller, Now, Store, caller, paging

_REVIEWERS = ("reviewer", "manager")


class OwnWork:
    """Reads only; nothing is locked."""

    def __init__(self, *, store: Store[Transaction], now: Now) -> None:
        self._store, self._now = store, now

    async def ListQueues(
        self,
        request: pb.ListQueuesRequest,
        context: grpc.aio.ServicerContext[pb.ListQueuesRequest, pb.ListQueuesResponse],
    ) -> pb.ListQueuesResponse:
        async with self._store.transaction() as tx:
            projects = await tx.projects.all()
            return pb.ListQueuesResponse(queues=[await self._queue(tx, one, caller(context)) for one in projects])

    async def _queue(self, tx: Transaction, project: Project, person: Caller) -> pb.Queue:
        waiting = await tx.own.waiting(project.project_id, person.subject)
        standing = await tx.days.standing(project.project_id, person.subject, now=self._now())
        return pb.Queue(
            project_id=project.project_id,
            input_kind=project.input_kind,
            label_set=project.label_set,
            instructions=project.labeling.instructions,
            open_tasks=waiting.open_tasks,
            tasks_for_you=waiting.yours,
            answered_today=standing.used.own_answers,
            answers_left_today=answers_left(standing.used, wire.policy(project)),
            tasks_to_review=waiting.to_review if person.role in _REVIEWERS else 0,
        )

    async def ListOwnAnnotations(
        self,
        request: pb.ListOwnAnnotationsRequest,
        context: grpc.aio.ServicerContext[pb.ListOwnAnnotationsRequest, pb.ListOwnAnnotationsResponse],
    ) -> pb.ListOwnAnnotationsResponse:
        annotator, size = caller(context).subject, paging.page_size(request.page_size)
        listed = f"answers of {annotator} in {request.project_id}"
        before = paging.place(request.page_token, listed, datetime, str)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            found = await tx.own.answers(request.project_id, annotator, size=size + 1, before=before)
        page = found[:size]
        last = page[-1].annotation if len(found) > size else None
        return pb.ListOwnAnnotationsResponse(
            annotations=[
                wire.own_annotation(
                    one.annotation, label_task_id=one.label_task_id, label_set_version=one.label_set_version
                )
                for one in page
            ],
            next_page_token=paging.token(listed, last.created_at, last.id) if last else "",
        )
