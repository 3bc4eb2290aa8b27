"""Managers ask for labels, and say who gives them: RequestLabels, AssignTasks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import grpc

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_labeling import metrics, publish, wire
from relearn_labeling.domain.errors import InvalidRequest
from relearn_labeling.domain.facts import Fact
from relearn_labeling.domain.requests import request_label
from relearn_labeling.domain.tasks import LabelRequest, LabelTask, State
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store, caller

_MOST = 1000


class Requesting:
    """Tasks that no flag opened, and tasks for some only."""

    def __init__(self, *, store: Store[Transaction], new_id: NewId, now: Now) -> None:
        self._store, self._new_id, self._now = store, new_id, now

    async def RequestLabels(
        self,
        request: pb.RequestLabelsRequest,
        context: grpc.aio.ServicerContext[pb.RequestLabelsRequest, pb.RequestLabelsResponse],
    ) -> pb.RequestLabelsResponse:
        requests = wire.label_requests(request, person=caller(context).subject, now=self._now())
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.RequestLabelsResponse.FromString(saved)
            project = await tx.projects.require(request.project_id)
            overlap = request.overlap or wire.policy(project).overlap_other
            response, facts = await self._open(tx, requests, project.label_set.version, overlap=overlap)
            await publish.tell(tx, facts, new_id=self._new_id)
            await tx.requests.finish(request, response)
        metrics.count(facts)
        return response

    async def _open(
        self, tx: Transaction, requests: list[LabelRequest], label_set_version: int, *, overlap: int
    ) -> tuple[pb.RequestLabelsResponse, list[Fact]]:
        known = await tx.label_tasks.of_samples([request.sample_id for request in requests], label_set_version)
        answer_s = await tx.days.answer_s(requests[0].project_id)
        created: list[LabelTask] = []
        facts: list[Fact] = []
        became: Counter[str] = Counter()
        for request in requests:
            before = known.get(request.sample_id)
            task, told = request_label(
                before,
                request,
                label_set_version=label_set_version,
                overlap=overlap,
                answer_s=answer_s,
                now=request.created_at,
            )
            facts += told
            if before is None:
                created.append(task)
                became["created"] += 1
            else:
                await tx.label_tasks.save(task)
                became["joined" if task.state is State.OPEN else "settled"] += 1
        await tx.label_tasks.add(*created)
        return pb.RequestLabelsResponse(**became), facts

    async def AssignTasks(
        self,
        request: pb.AssignTasksRequest,
        context: grpc.aio.ServicerContext[pb.AssignTasksRequest, pb.AssignTasksResponse],
    ) -> pb.AssignTasksResponse:
        annotators = tuple(sorted(set(request.annotators)))
        if len(request.label_task_ids) > _MOST or len(annotators) > _MOST or "" in annotators:
            raise InvalidRequest(f"at most {_MOST} tasks are assigned at once, to at most {_MOST} people with a name")
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.AssignTasksResponse.FromString(saved)
            for task in await tx.label_tasks.get_many_for_update(request.label_task_ids):
                await tx.label_tasks.save(replace(task, assigned_to=annotators))
            response = pb.AssignTasksResponse()
            await tx.requests.finish(request, response)
        return response
