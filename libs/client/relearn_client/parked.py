"""Parked events of all services: looked at, retried, dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from relearn.operations.v1 import operations_service_pb2 as pb
from relearn_client import pages
from relearn_client.calls import Calls, request_id
from relearn_client.endpoints import SERVICES
from relearn_client.errors import NotConfigured, NotFound, Unavailable
from relearn_client.times import when

T = TypeVar("T")
RETRY_DEADLINE_S = 60.0
STATES = {pb.ParkedEvent.STATE_WAITING: "waiting", pb.ParkedEvent.STATE_PARKED: "parked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """An event that a service could not handle: `waiting` is retried by itself, `parked` needs a person."""

    parked_event_id: str
    service: str
    state: str
    type: str
    event_id: str
    reason: str
    cause: str
    attempts: int
    topic: str
    partition: int
    offset: int
    key: str
    parked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedContent:
    """A parked event with what came: headers in order, the value's bytes, and as JSON where it can be read."""

    event: ParkedEvent
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    value_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """What is parked, oldest first within a service; services that did not answer may have more."""

    events: tuple[ParkedEvent, ...]
    unreachable: tuple[str, ...]


def every(calls: Calls) -> Parked:
    """The parked events of all services."""
    events: list[ParkedEvent] = []
    unreachable: list[str] = []
    for service in SERVICES:
        try:
            events += _of(calls, service)
        except (Unavailable, NotConfigured):
            unreachable.append(service)
    return Parked(events=tuple(events), unreachable=tuple(unreachable))


def show(calls: Calls, parked_event_id: str) -> ParkedContent:
    """One parked event with its bytes."""

    def ask(service: str) -> pb.GetParkedEventResponse:
        request = pb.GetParkedEventRequest(parked_event_id=parked_event_id)
        return calls.ask(service, calls.operations(service).GetParkedEvent, request)

    found = _where_it_is(parked_event_id, ask)
    return ParkedContent(
        event=_event(found.parked_event),
        headers=tuple((header.name, header.value) for header in found.headers),
        value=found.value,
        value_json=found.value_json,
    )


def retry(calls: Calls, parked_event_id: str) -> None:
    """Runs the handler again; when it fails again the event stays parked."""

    def ask(service: str) -> Any:
        request = pb.RetryParkedEventRequest(parked_event_id=parked_event_id, request_id=request_id())
        return calls.ask(service, calls.operations(service).RetryParkedEvent, request, deadline_s=RETRY_DEADLINE_S)

    _where_it_is(parked_event_id, ask)


def drop(calls: Calls, parked_event_id: str, *, reason: str) -> None:
    """Gives a parked event up for good."""

    def ask(service: str) -> Any:
        request = pb.DropParkedEventRequest(parked_event_id=parked_event_id, reason=reason, request_id=request_id())
        return calls.ask(service, calls.operations(service).DropParkedEvent, request)

    _where_it_is(parked_event_id, ask)


def _of(calls: Calls, service: str) -> list[ParkedEvent]:
    def page(token: str) -> pb.ListParkedEventsResponse:
        request = pb.ListParkedEventsRequest(page_size=pages.PAGE, page_token=token)
        return calls.ask(service, calls.operations(service).ListParkedEvents, request)

    return [_event(one) for one in pages.every(page, lambda found: found.parked_events)]


def _where_it_is(parked_event_id: str, ask: Callable[[str], T]) -> T:
    """The answer of the service that has the event; ids are unique, so no other one knows it.

    Raises:
        NotFound: all services answered, and none has it.
        Unavailable: none that answered has it.
    """
    unreachable = []
    for service in SERVICES:
        try:
            return ask(service)
        except NotFound:
            continue
        except (Unavailable, NotConfigured):
            unreachable.append(service)
    if unreachable:
        raise Unavailable(
            f"{', '.join(unreachable)} did not answer; no other service has a parked event {parked_event_id!r}",
            next_step="`relearn status` shows whether they run; a retry may have been done all the same",
        )
    raise NotFound(
        f"no service has a parked event {parked_event_id!r}",
        reason="PARKED_EVENT_NOT_FOUND",
        next_step="`relearn parked list` shows what there is",
    )


def _event(message: pb.ParkedEvent) -> ParkedEvent:
    return ParkedEvent(
        parked_event_id=message.parked_event_id,
        service=message.service,
        state=STATES.get(message.state, "unknown"),
        type=message.type,
        event_id=message.event_id,
        reason=message.reason,
        cause=message.cause,
        attempts=message.attempts,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        parked_at=when(message.park_time),
    )
