"""Kafka in: a flag becomes a task, or one more reason on the one there is; label sets are kept for the tasks."""

from __future__ import annotations

from relearn.monitoring.v1.events_pb2 import PredictionFlagged
from relearn.registry.v1.events_pb2 import ProjectApplied
from relearn_labeling import metrics, publish, wire
from relearn_labeling.domain.flags import flag_task
from relearn_labeling.store import Transaction
from relearn_runtime import Event, NewId, Now


async def on_project_applied(event: Event[ProjectApplied], tx: Transaction) -> None:
    """The label set is there before any task that is opened under it."""
    await tx.label_sets.keep(event.message.project.project_id, event.message.project.label_set)


async def on_prediction_flagged(event: Event[PredictionFlagged], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """One label task per sample and label set, in paused projects too: the flag was paid for before the pause."""
    flag = wire.flag(event.message.flag, event_id=event.id)
    project = await tx.projects.get(flag.project_id)  # raises NotYetKnown: retried
    known = await tx.label_tasks.of(flag.sample_id, project.label_set.version)  # locked, or None
    task, facts = flag_task(
        known,
        flag,
        label_set_version=project.label_set.version,
        policy=wire.policy(project),
        answer_s=await tx.days.answer_s(flag.project_id),
        now=now(),
    )
    if known is None:
        await tx.label_tasks.add(task)
    else:
        await tx.label_tasks.save(task)
    await publish.tell(tx, facts, new_id=new_id, cause=event)
    metrics.count(facts)
