"""What monitoring tells: flags, shadows, windows and alerts."""

from __future__ import annotations

from relearn.monitoring.v1.events_pb2 import (
    AlertConfirmed,
    AlertOpened,
    AlertRefuted,
    AlertResolved,
    PredictionFlagged,
    ShadowCompared,
    WindowClosed,
)
from relearn_registry import gate
from relearn_registry.store import Transaction
from relearn_registry.wire import lineage_of_loop as loop
from relearn_registry.wire.evidence import asked_disagreement, comparison
from relearn_registry.wire.lineage_of_labels import of_flag
from relearn_runtime import Event, NewId, Now


async def on_prediction_flagged(event: Event[PredictionFlagged], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """A disagreement is asked about; its label may have come before it."""
    flag = event.message.flag
    if (asked := asked_disagreement(flag)) is None:
        await tx.lineage.add(of_flag(flag, event.id))
        return
    project = await tx.locked_project(flag.project_id)
    await tx.pairs.asked(asked)
    await tx.lineage.add(of_flag(flag, event.id))
    await gate.review(tx, project, new_id=new_id, now=now, cause=event)


async def on_shadow_compared(event: Event[ShadowCompared], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """How a pair compares so far; it may say that no more will be asked."""
    told = event.message
    project = await tx.locked_project(told.project_id)
    await tx.pairs.compared(
        told.champion_model_version_id,
        told.challenger_model_version_id,
        comparison(told),
        revision=told.revision,
        event_id=event.id,
    )
    await tx.lineage.add(loop.of_comparison(event))
    await gate.review(tx, project, new_id=new_id, now=now, cause=event)


async def on_window_closed(event: Event[WindowClosed], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(loop.of_window(event))


async def on_alert_opened(event: Event[AlertOpened], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(loop.of_opened_alert(event))


async def on_alert_confirmed(event: Event[AlertConfirmed], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(loop.of_settled_alert(event, how="confirmed"))


async def on_alert_refuted(event: Event[AlertRefuted], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(loop.of_settled_alert(event, how="refuted"))


async def on_alert_resolved(event: Event[AlertResolved], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(loop.of_resolved_alert(event))
