"""What datasets hears."""

from __future__ import annotations

from relearn.labeling.v1.events_pb2 import LabelAccepted
from relearn_datasets import wire
from relearn_datasets.domain.labels import check_accepted, receive
from relearn_datasets.domain.samples import sample_id
from relearn_datasets.store import Transaction
from relearn_runtime import Event, Now
from relearn_runtime.errors import NotYetKnown


async def on_label_accepted(event: Event[LabelAccepted], tx: Transaction, *, now: Now) -> None:
    """One more label that waits for a commit; a newer answer about a sample puts an older one aside."""
    project = wire.policy(await tx.projects.get(event.message.label.project_id))
    label = wire.accepted_label(event, received_at=now())
    check_accepted(label, {region.label for region in event.message.label.regions}, project.label_set)
    if not await tx.samples.lock(label.project_id, [label.sha256]):
        name = sample_id(label.project_id, label.sha256)
        raise NotYetKnown(f"sample {name} is not known yet", sample_id=name)
    known = await tx.labels.of_sample(label.project_id, label.sha256)
    for changed in receive(known, label):
        await tx.labels.save(changed)
