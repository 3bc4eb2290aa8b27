"""OperationsService: what every process answers about itself. Parked events, and what its stages wait for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError

from relearn.operations.v1 import operations_service_pb2 as pb
from relearn.operations.v1.operations_service_pb2_grpc import OperationsServiceServicer
from relearn_runtime.callers import caller
from relearn_runtime.delivery import Delivery
from relearn_runtime.errors import InvalidInput, reason_of
from relearn_runtime.paging import page_size, place, token
from relearn_runtime.parking import WAITING, ParkedEvent, ParkedEvents
from relearn_runtime.retrier import ParkedEventNotFound, Retrier, StillFailing
from relearn_runtime.rpc_errors import as_ours
from relearn_runtime.waiting import Waiting

WaitingOf: TypeAlias = Callable[[str], Awaitable[list[Waiting]]]
_LISTED = "parked events"
log = logging.getLogger(__name__)


class OperationsRpc(OperationsServiceServicer):
    """Served beside a service's own methods; without a store there is nothing parked."""

    def __init__(
        self,
        *,
        service: str,
        delivery: Delivery | None,
        waiting: WaitingOf | None,
    ) -> None:
        self._service, self._delivery, self._waiting = service, delivery, waiting

    async def ListParkedEvents(  # noqa: N802 - the RPC's name
        self, request: pb.ListParkedEventsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ListParkedEventsResponse:
        """A page of parked rows, oldest first."""
        size, after = page_size(request.page_size), place(request.page_token, _LISTED, int) or 0
        if self._delivery is None:
            return pb.ListParkedEventsResponse()
        async with self._delivery.store.transaction() as tx:
            rows = await ParkedEvents(tx.connection).page(after=after, size=size + 1)
        more = token(_LISTED, rows[size - 1].sequence) if len(rows) > size else ""
        return pb.ListParkedEventsResponse(parked_events=[self._wire(row) for row in rows[:size]], next_page_token=more)

    async def GetParkedEvent(  # noqa: N802 - the RPC's name
        self, request: pb.GetParkedEventRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetParkedEventResponse:
        """One row with bytes and headers."""
        async with self._delivering().store.transaction() as tx:
            row = await ParkedEvents(tx.connection).get(request.parked_event_id)
        if row is None:
            raise _not_found(request.parked_event_id)
        headers = [pb.Header(name=name, value=value) for name, value in row.record.headers or ()]
        return pb.GetParkedEventResponse(
            parked_event=self._wire(row), headers=headers, value=row.record.value or b"", value_json=self._json(row)
        )

    async def RetryParkedEvent(  # noqa: N802 - the RPC's name
        self, request: pb.RetryParkedEventRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.RetryParkedEventResponse:
        """Runs the handler in this call's transaction."""
        delivery = self._delivering()
        try:
            async with delivery.store.transaction() as tx:
                if (saved := await tx.requests.begin(request)) is not None:
                    return pb.RetryParkedEventResponse.FromString(saved)
                if await ParkedEvents(tx.connection).get(request.parked_event_id) is None:
                    raise _not_found(request.parked_event_id)
                try:
                    await delivery.retrier.retry(request.parked_event_id, tx)
                except StillFailing:
                    raise  # it was not tried at all
                except Exception as error:
                    raise _Failed(error) from error
                response = pb.RetryParkedEventResponse()
                await tx.requests.finish(request, response)
        except _Failed as failed:
            await self._note(delivery.retrier, request.parked_event_id, failed.error)
            cause = {"cause": str(failed.error), "cause_reason": reason_of(failed.error)}
            raise StillFailing(f"the handler failed again: {failed.error}", **cause) from failed.error
        by = {"by": caller(context).subject}
        log.info("parked event handled", extra=by | {"parked_event_id": request.parked_event_id})
        return response

    async def DropParkedEvent(  # noqa: N802 - the RPC's name
        self, request: pb.DropParkedEventRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.DropParkedEventResponse:
        """Gives an event up for good."""
        if not request.reason.strip():
            raise InvalidInput("reason is required: a dropped event is lost for good")
        async with self._delivering().store.transaction() as tx:
            if (saved := await tx.requests.begin(request)) is not None:
                return pb.DropParkedEventResponse.FromString(saved)
            rows = ParkedEvents(tx.connection)
            if (row := await rows.get(request.parked_event_id, lock=True)) is None:
                raise _not_found(request.parked_event_id)
            await rows.remove(row.sequence)
            response = pb.DropParkedEventResponse()
            await tx.requests.finish(request, response)
        fields = {"parked_event_id": row.parked_event_id, "ce_id": row.event_id, "ce_type": row.event_type}
        log.warning("parked event dropped", extra=fields | {"by": caller(context).subject, "reason": request.reason})
        return response

    async def GetWaiting(  # noqa: N802 - the RPC's name
        self, request: pb.GetWaitingRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetWaitingResponse:
        """One line a stage; unknown projects are NOT_FOUND where the service keeps a copy of them."""
        lines = await self._waiting(request.project_id) if self._waiting else []
        return pb.GetWaitingResponse(waiting=[_waiting(line) for line in lines])

    def _delivering(self) -> Delivery:
        if self._delivery is None:
            raise ParkedEventNotFound(f"{self._service} keeps no parked events")
        return self._delivery

    @staticmethod
    async def _note(retrier: Retrier, parked_event_id: str, error: Exception) -> None:
        ours = as_ours(error)
        if ours is None:
            log.error("parked event failed again", extra={"parked_event_id": parked_event_id}, exc_info=error)
        await retrier.note_failure(parked_event_id, error)

    def _wire(self, row: ParkedEvent) -> pb.ParkedEvent:
        state = pb.ParkedEvent.STATE_WAITING if row.state == WAITING else pb.ParkedEvent.STATE_PARKED
        made = pb.ParkedEvent(
            parked_event_id=row.parked_event_id,
            service=self._service,
            topic=row.record.topic,
            partition=row.record.partition,
            offset=row.record.offset,
            key=(row.record.key or b"").decode(errors="replace"),
            type=row.event_type,
            event_id=row.event_id,
            reason=row.reason,
            cause=row.cause,
            attempts=row.attempts,
            state=state,
        )
        made.park_time.FromDatetime(row.parked_at)
        if row.deadline_at is not None:
            made.deadline_time.FromDatetime(row.deadline_at)
        return made

    def _json(self, row: ParkedEvent) -> str:
        reaction = self._delivering().reactions.get((row.consumer, row.event_type))
        if reaction is None or row.record.value is None:
            return ""
        try:
            return MessageToJson(reaction.message_type.FromString(row.record.value))
        except (DecodeError, ValueError):
            return ""


class _Failed(Exception):
    """Carries a handler's error out of the transaction, which rolls back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _waiting(line: Waiting) -> pb.Waiting:
    return pb.Waiting(
        stage=line.stage, waits_for=line.waits_for, needs_person=line.needs_person, progress=line.progress
    )


def _not_found(parked_event_id: str) -> ParkedEventNotFound:
    return ParkedEventNotFound(f"there is no parked event {parked_event_id!r}", parked_event_id=parked_event_id)
