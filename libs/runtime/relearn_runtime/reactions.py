"""What a service does upon an event type, whether it takes events one by one or in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from google.protobuf.message import Message

from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn_contracts.topics import topic_of
from relearn_runtime.envelope import Event
from relearn_runtime.faults import HandlerTooSlow

M = TypeVar("M", bound=Message)
Handler: TypeAlias = Callable[..., Awaitable[None]]
"""`async def on_x(event: Event[X], tx: Transaction) -> None`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One event type and what to do with it.

    Attributes:
        consumer: who is meant in inbox, parked and offsets: the service, or `<service>.<Event>` for a batch.
        run: handles events of this type, in order, in the given transaction.
        most: events that `run` takes at a time.
    """

    consumer: str
    message_type: type[Message]
    run: Callable[[Sequence[Event[Any]], Any], Awaitable[None]]
    timeout_s: float
    most: int = 1

    @property
    def event_type(self) -> str:
        """Full name of the message."""
        return str(self.message_type.DESCRIPTOR.full_name)

    @property
    def topic(self) -> str:
        """Name of its topic, without prefix."""
        return topic_of(self.message_type).name

    async def __call__(self, events: Sequence[Event[Any]], tx: Any) -> None:
        """Runs it within its time.

        Raises:
            HandlerTooSlow: it took longer. A timeout of something inside it is raised as it is.
        """
        try:
            async with asyncio.timeout(self.timeout_s) as limit:
                await self.run(events, tx)
        except TimeoutError as error:
            if limit.expired():
                raise HandlerTooSlow(f"{self.event_type} took more than {self.timeout_s:g} s to handle") from error
            raise


@dataclass(frozen=True, slots=True)
class Batch(Generic[M]):
    """A handler that takes events by the hundred.

    Attributes:
        handler: `async def on_predictions(events: Sequence[Event[PredictionMade]], tx: Transaction) -> None`; events of
            one partition come in order, and each record exactly once. A *republished* event (another offset, the same
            id) comes again: the handler drops ids it knows.
        max_events: at most so many at a time; fewer when fewer wait.
    """

    message_type: type[M]
    handler: Callable[..., Awaitable[None]]
    max_events: int = 500

    def reaction(self, service: str, *, timeout_s: float) -> Reaction:
        """What the runtime runs."""

        async def run(events: Sequence[Event[Any]], tx: Any) -> None:
            await self.handler(events, tx)

        name = f"{service}.{self.message_type.DESCRIPTOR.name}"
        return Reaction(
            consumer=name, message_type=self.message_type, run=run, timeout_s=timeout_s, most=self.max_events
        )


def single(consumer: str, message_type: type[Message], handler: Handler, *, timeout_s: float) -> Reaction:
    """The reaction of a handler that takes one event."""

    async def run(events: Sequence[Event[Any]], tx: Any) -> None:
        for event in events:
            await handler(event, tx)

    return Reaction(consumer=consumer, message_type=message_type, run=run, timeout_s=timeout_s)


def singles(service: str, handlers: Mapping[type[Any], Handler], *, timeout_s: float) -> dict[str, Reaction]:
    """Reactions by event type; the copy of the projects is kept first where the topic file lists this service."""
    chosen: dict[type[Any], Handler] = dict(handlers)
    if ProjectApplied in chosen or service in topic_of(ProjectApplied).consumers[ProjectApplied.DESCRIPTOR.full_name]:
        chosen[ProjectApplied] = _keeping_projects(handlers.get(ProjectApplied))
    made = [single(service, message_type, handler, timeout_s=timeout_s) for message_type, handler in chosen.items()]
    return {reaction.event_type: reaction for reaction in made}


def _keeping_projects(handler: Handler | None) -> Handler:
    async def on_project_applied(event: Event[ProjectApplied], tx: Any) -> None:
        """Saves the project unless a newer revision is here; then the service's own handler, if it has one."""
        if await tx.projects.save(event.message.project) and handler is not None:
            await handler(event, tx)

    return on_project_applied
