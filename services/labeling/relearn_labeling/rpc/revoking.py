"""Managers take back all that an annotator answered: RevokeAnnotator."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc

from relearn.labeling.v1 import management_service_pb2 as pb
from relearn_labeling import revoking
from relearn_labeling.domain.errors import AnnotatorNotFound
from relearn_labeling.domain.reviews import check_reason
from relearn_labeling.domain.revocations import Revocation
from relearn_labeling.store import Transaction
from relearn_runtime import NewId, Now, Store, caller
from relearn_runtime.requests import request_id

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Revoking:
    """One call, many transactions: it is kept before it begins, and so it ends whatever becomes of the call."""

    def __init__(self, *, store: Store[Transaction], new_id: NewId, now: Now) -> None:
        self._store, self._new_id, self._now = store, new_id, now

    async def RevokeAnnotator(
        self,
        request: pb.RevokeAnnotatorRequest,
        context: grpc.aio.ServicerContext[pb.RevokeAnnotatorRequest, pb.RevokeAnnotatorResponse],
    ) -> pb.RevokeAnnotatorResponse:
        check_reason(request.reason)
        async with self._store.transaction() as tx:
            if await tx.requests.begin(request) is None:
                await self._begin(tx, request, person=caller(context).subject)
                await tx.requests.finish(request, pb.RevokeAnnotatorResponse())  # the answer is in the revocation
        done = await revoking.finish(self._store, request_id(request), new_id=self._new_id, now=self._now)
        return pb.RevokeAnnotatorResponse(answers=done.answers, reopened=done.reopened, decided=done.decided)

    async def _begin(self, tx: Transaction, request: pb.RevokeAnnotatorRequest, *, person: str) -> None:
        await tx.projects.require(request.project_id)
        if not await tx.revocations.has_worked(request.project_id, request.annotator):
            message = f"nobody called {request.annotator!r} has worked on project {request.project_id!r}"
            raise AnnotatorNotFound(message, project_id=request.project_id)
        revocation = Revocation(
            id=request_id(request),
            project_id=request.project_id,
            annotator=request.annotator,
            reason=request.reason,
            since=request.since.ToDatetime(tzinfo=UTC) if request.HasField("since") else _EVER,
            person=person,
            created_at=self._now(),
        )
        await tx.revocations.add(revocation)
