"""Managers say which samples' answers are known: SetGold."""

from __future__ import annotations

import grpc

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_labeling import region_messages
from relearn_labeling.domain.answer_check import check_regions
from relearn_labeling.domain.errors import InvalidRequest
from relearn_labeling.domain.gold import GoldTask
from relearn_labeling.domain.tasks import task_id
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store, caller


class SettingGold:
    """Gold tasks of the project's newest label set."""

    def __init__(self, *, store: Store[Transaction], new_id: NewId, now: Now) -> None:
        self._store, self._new_id, self._now = store, new_id, now

    async def SetGold(
        self, request: pb.SetGoldRequest, context: grpc.aio.ServicerContext[pb.SetGoldRequest, pb.SetGoldResponse]
    ) -> pb.SetGoldResponse:
        sample_id, response = request.sample_id, pb.SetGoldResponse()
        if not sample_id.startswith(f"{request.project_id}/sample/"):
            message = f"sample {sample_id!r} is none of project {request.project_id!r}"
            raise InvalidRequest(message, sample_id=sample_id)
        async with self._store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.SetGoldResponse.FromString(saved)
            label_set = (await tx.projects.require(request.project_id)).label_set
            own = await tx.label_tasks.of(sample_id, label_set.version)
            id = own.id if own else task_id(sample_id, label_set.version)  # one that followed the label set kept its id
            if request.remove:
                await tx.gold.remove(id, now=self._now())
            else:
                gold = GoldTask(
                    id=id,
                    project_id=request.project_id,
                    sample_id=sample_id,
                    label_set_version=label_set.version,
                    regions=check_regions(
                        region_messages.regions(request.regions), region_messages.label_set(label_set)
                    ),
                )
                await tx.gold.set(gold, person=caller(context).subject, salt=self._new_id(), now=self._now())
            await tx.requests.finish(request, response)
        return response
