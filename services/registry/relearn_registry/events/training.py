"""What training tells: studies and runs. A winner becomes a model version."""

from __future__ import annotations

from relearn.training.v1.events_pb2 import RunFailed, RunFinished, StudyFinished, StudySkipped, StudyStarted
from relearn_registry.domain.model_versions import VALIDATION_FILE
from relearn_registry.store import Transaction
from relearn_registry.wire import lineage_of_loop as lineage
from relearn_registry.wire import models
from relearn_runtime import Event
from relearn_runtime.errors import InvalidInput


class WinnerIncomplete(InvalidInput):
    """A study names a winner but not what is needed to judge it."""

    reason = "WINNER_INCOMPLETE"


async def on_study_started(event: Event[StudyStarted], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(lineage.of_started_study(event))


async def on_study_skipped(event: Event[StudySkipped], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(lineage.of_skipped_study(event))


async def on_run_ended(event: Event[RunFinished] | Event[RunFailed], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(lineage.of_run(event.message.run, event.id))


async def on_study_finished(event: Event[StudyFinished], tx: Transaction) -> None:
    """The winner gets its number; a job copies its files, then everybody hears of it."""
    told = event.message
    await tx.locked_project(told.project_id)
    if told.HasField("winner") and not await tx.model_versions.is_known_study(told.study.study_id):
        if VALIDATION_FILE not in {file.name for file in told.files}:
            raise WinnerIncomplete(
                f"study {told.study.study_id} names no {VALIDATION_FILE}; nothing can be judged without it",
                study_id=told.study.study_id,
            )
        number = await tx.model_versions.next_number(told.project_id)
        await tx.model_versions.add_pending(models.pending_version(told, number), study_event_id=event.id)
    await tx.lineage.add(lineage.of_finished_study(event))
