"""What labeling tells: tasks, answers, labels. Labels of disagreements are the evidence of gate step 2."""

from __future__ import annotations

from collections.abc import Iterable

from relearn.labeling.v1.events_pb2 import (
    AnnotationSubmitted,
    LabelAccepted,
    LabelSuperseded,
    LabelTaskClosed,
    LabelTaskOpened,
)
from relearn.monitoring.v1.flag_pb2 import Flag
from relearn_registry import gate
from relearn_registry.domain.evidence import Settlement
from relearn_registry.store import Transaction
from relearn_registry.wire import lineage_of_labels as lineage
from relearn_registry.wire.evidence import asked_disagreement
from relearn_registry.wire.times import moment
from relearn_runtime import Event, NewId, Now


async def on_label_task_opened(event: Event[LabelTaskOpened], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(lineage.of_label_task(event))


async def on_annotation_submitted(event: Event[AnnotationSubmitted], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(lineage.of_annotation(event))


async def on_label_accepted(event: Event[LabelAccepted], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """One label more: it settles every disagreement that its task was opened for."""
    told, label = event.message, event.message.label
    settlement = Settlement(
        revision=told.revision, label=lineage.label_word(label), label_id=label.label_id, event_id=event.id
    )
    project = await tx.locked_project(label.project_id)
    await tx.labels.accepted(
        label.label_id, project_id=label.project_id, sample_id=label.sample_id, at=moment(label.accept_time)
    )
    settled = await _settle(tx, told.flags, settlement)
    await tx.lineage.add(lineage.of_label(event))
    if settled:
        await gate.review(tx, project, new_id=new_id, now=now, cause=event)


async def on_label_superseded(event: Event[LabelSuperseded], tx: Transaction) -> None:
    """Lineage only: the new label comes as LabelAccepted too."""
    await tx.lineage.add(lineage.of_superseded_label(event))


async def on_label_task_closed(event: Event[LabelTaskClosed], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """People could not agree: settled, and it counts for neither version."""
    told, task = event.message, event.message.label_task
    settlement = Settlement(revision=told.revision, label=None, label_id="", event_id=event.id)
    project = await tx.locked_project(task.project_id)
    settled = await _settle(tx, told.flags, settlement)
    await tx.lineage.add(lineage.of_closed_task(event))
    if settled:
        await gate.review(tx, project, new_id=new_id, now=now, cause=event)


async def _settle(tx: Transaction, flags: Iterable[Flag], settlement: Settlement) -> bool:
    """Whether any of the flags names a pair of versions."""
    disagreements = [asked for flag in flags if (asked := asked_disagreement(flag))]
    for disagreement in disagreements:
        await tx.pairs.settled(disagreement, settlement)
    return bool(disagreements)
