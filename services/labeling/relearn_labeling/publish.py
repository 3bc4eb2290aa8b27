"""Facts to events: what each says, under which id, and what caused it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import singledispatch
from itertools import groupby

from google.protobuf.message import Message

from relearn.labeling.v1 import events_pb2 as pb
from relearn_labeling import wire
from relearn_labeling.domain.facts import Accepted, Answered, Disputed, Fact, Opened, Superseded
from relearn_labeling.domain.tasks import Flag, LabelTask
from relearn_labeling.store import Transaction
from relearn_runtime import Event, NewId, Outgoing

_TURN = 8  # facts after which others get a turn: an import is nothing that an annotator waits for


async def tell(tx: Transaction, facts: Sequence[Fact], *, new_id: NewId, cause: Event[Message] | None = None) -> None:
    """Adds the events of facts, in their order.

    An answer's event has the annotation's id. Causes are the flags (the events that brought them), for an outcome also
    the answers it rests on, so that a trace needs no other source.
    """
    for causes, same in groupby(facts, key=_causes):
        told = list(same)
        ids = [fact.annotation.id if isinstance(fact, Answered) else new_id() for fact in told]
        await tx.outbox.add(*map(event, told), cause=cause, causes=causes, ids=ids)


async def tell_many(tx: Transaction, facts: Sequence[Fact], *, new_id: NewId) -> None:
    """The same for the many tasks of an import, in one go."""
    events: list[Outgoing] = []
    for number, fact in enumerate(facts):
        if number % _TURN == 0:
            await asyncio.sleep(0)
        id = fact.annotation.id if isinstance(fact, Answered) else new_id()
        events.append(Outgoing(message=event(fact), id=id, causes=_causes(fact)))
    await tx.outbox.add_many(events)


@singledispatch
def event(fact: Fact) -> Message:
    """The event that tells a fact."""
    raise TypeError(f"no event tells {type(fact).__name__}")


@event.register
def _opened(fact: Opened) -> Message:
    flagged = isinstance(fact.reason, Flag)
    return pb.LabelTaskOpened(
        label_task=wire.label_task(fact.task),
        label_task_id=fact.task.id,
        flag_id=fact.reason.id if flagged else "",
        label_request_id="" if flagged else fact.reason.id,
        created=fact.created,
    )


@event.register
def _answered(fact: Answered) -> Message:
    return pb.AnnotationSubmitted(
        annotation=wire.annotation(fact.annotation, task=fact.task),
        label_task_id=fact.task.id,
        project_id=fact.task.project_id,
        sample_id=fact.task.sample_id,
    )


@event.register
def _superseded(fact: Superseded) -> Message:
    return pb.LabelSuperseded(
        label_id=fact.label_id,
        by_label_id=fact.by_label_id,
        label_task_id=fact.task.id,
        project_id=fact.task.project_id,
        sample_id=fact.task.sample_id,
    )


@event.register
def _accepted(fact: Accepted) -> Message:
    return pb.LabelAccepted(
        label=wire.label(fact.label, task=fact.task),
        label_task_id=fact.task.id,
        flags=wire.flags(fact.task),
        repeated_for_flag=fact.repeated,
        revision=fact.task.revision,
    )


@event.register
def _disputed(fact: Disputed) -> Message:
    return pb.LabelTaskClosed(
        label_task=wire.unflagged_label_task(fact.task),
        label_task_id=fact.task.id,
        flags=wire.flags(fact.task),
        reason="UNANSWERABLE" if fact.unanswerable else "DISPUTED",
        revision=fact.task.revision,
        close_time=wire.timestamp(fact.at),
    )


def _causes(fact: Fact) -> list[str]:
    if isinstance(fact, Opened):
        return []
    flags = [flag.event_id for flag in fact.task.flags]
    return flags if isinstance(fact, Answered) else [*flags, *_answers(fact.task)]


def _answers(task: LabelTask) -> list[str]:
    return [annotation.id for annotation in task.annotations]
