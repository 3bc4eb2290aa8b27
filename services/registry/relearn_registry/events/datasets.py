"""What datasets tells: versions, and which labels they took in."""

from __future__ import annotations

from relearn.datasets.v1.events_pb2 import VersionCommitted, VersionTagged
from relearn_registry import gate
from relearn_registry.store import Transaction
from relearn_registry.wire import lineage_of_loop as lineage
from relearn_registry.wire.times import moment
from relearn_runtime import Event, NewId, Now

MOST_NAMED_LABELS = 10_000
"""As the contract says: a commit of this many labels may hold more than it names."""


async def on_version_committed(event: Event[VersionCommitted], tx: Transaction, *, new_id: NewId, now: Now) -> None:
    """Remembers what models trained on this version have seen; a gate may have waited for that."""
    told, version = event.message, event.message.dataset_version
    project = await tx.locked_project(told.project_id)
    await tx.labels.committed(
        version.dataset_version_id,
        project_id=told.project_id,
        number=version.number,
        at=moment(version.create_time),
        label_ids=told.label_ids,
        all_named=len(told.label_ids) < MOST_NAMED_LABELS,
    )
    await tx.lineage.add(lineage.of_dataset_version(event))
    await gate.review(tx, project, new_id=new_id, now=now, cause=event)


async def on_version_tagged(event: Event[VersionTagged], tx: Transaction) -> None:
    """Lineage only."""
    await tx.lineage.add(lineage.of_tag(event))
