"""What engineers and services look at: tasks with their answers and labels."""

from __future__ import annotations

from datetime import datetime

import grpc

from relearn.labeling.v1 import labeling_service_pb2 as pb
from relearn_labeling import wire
from relearn_labeling.store import Transaction
from relearn_runtime import Store, paging


class Reading:
    """Reads only; nothing is locked."""

    def __init__(self, *, store: Store[Transaction]) -> None:
        self._store = store

    async def GetLabelTask(
        self,
        request: pb.GetLabelTaskRequest,
        context: grpc.aio.ServicerContext[pb.GetLabelTaskRequest, pb.GetLabelTaskResponse],
    ) -> pb.GetLabelTaskResponse:
        async with self._store.transaction() as tx:
            task = await tx.label_tasks.get(request.label_task_id)
        return pb.GetLabelTaskResponse(
            label_task=wire.label_task(task),
            annotations=[wire.annotation(annotation, task=task) for annotation in (*task.annotations, *task.withdrawn)],
            label=wire.label(task.label, task=task) if task.label else None,
        )

    async def ListLabelTasks(
        self,
        request: pb.ListLabelTasksRequest,
        context: grpc.aio.ServicerContext[pb.ListLabelTasksRequest, pb.ListLabelTasksResponse],
    ) -> pb.ListLabelTasksResponse:
        size, state = paging.page_size(request.page_size), wire.state(request.state)
        listed = f"label tasks of {request.project_id} {state}"
        before = paging.place(request.page_token, listed, datetime, str)
        async with self._store.transaction() as tx:
            await tx.projects.require(request.project_id)
            found = await tx.label_tasks.page(request.project_id, state=state, size=size + 1, before=before)
            total = await tx.label_tasks.count(request.project_id, state=state)
        page = found[:size]
        return pb.ListLabelTasksResponse(
            label_tasks=[wire.label_task(task) for task in page],
            next_page_token=paging.token(listed, page[-1].created_at, page[-1].id) if len(found) > size else "",
            total=total,
        )
