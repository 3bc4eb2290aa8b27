"""Making a version: the one way to the log, for imports and for labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from relearn_datasets import wire
from relearn_datasets.domain.commits import CommitBuilder, Version
from relearn_datasets.domain.labels import commit_reason
from relearn_datasets.domain.samples import IMPORTED
from relearn_datasets.domain.settling import Current, Wanted, proposed_uses, settle
from relearn_datasets.store import Transaction
from relearn_datasets.wire import ProjectPolicy

MOST_LABELS = 100_000
"""Labels of one commit; what waits beyond them is the next one."""


async def write_changes(
    tx: Transaction,
    policy: ProjectPolicy,
    builder: CommitBuilder,
    *,
    wanted: Sequence[Wanted],
    currents: Mapping[bytes, Current],
    added: Set[bytes] = frozenset(),
) -> None:
    """Adds changes to the version that is being made; head and samples are locked.

    Args:
        added: samples that this transaction has inserted, with their labels.
    """
    if not wanted:
        return
    proposed = proposed_uses(policy.project_id, wanted, currents=currents, shares=policy.shares)
    uses = {key: use for key, use in (await tx.groups.decide(policy.project_id, proposed)).items() if use}
    changes = settle(wanted, currents=currents, uses=uses)
    builder.take(changes)
    await tx.commits.add_changes(policy.project_id, builder.number, changes)
    await tx.samples.apply(policy.project_id, [change for change in changes if change.sha256 not in added])


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCommit:
    """A commit of labels. `oldest_at` is when the one that waited longest had come."""

    version: Version
    oldest_at: datetime


async def commit_waiting_labels(tx: Transaction, policy: ProjectPolicy, *, now: datetime) -> LabelCommit | None:
    """Makes a version of the labels that wait, when the policy says so.

    A paused project commits too: what people have answered is a fact, and a version starts nothing by itself there.
    """
    head = await tx.commits.lock_head(policy.project_id)
    waiting = next(iter(await tx.labels.waiting(policy.project_id)), None)
    if waiting is None or (reason := commit_reason(waiting, policy.commit, now=now)) is None:
        return None  # another process was first
    sha256s = await tx.labels.waiting_samples(policy.project_id, limit=MOST_LABELS)
    currents = await tx.samples.lock(policy.project_id, sha256s)
    labels = await tx.labels.waiting_of(policy.project_id, sha256s)
    wanted = [
        Wanted(sha256=label.sha256, label=label.label, label_id=label.label_id, draw=label.draw or IMPORTED)
        for label in labels
    ]
    builder = CommitBuilder(head)
    await write_changes(tx, policy, builder, wanted=wanted, currents=currents)
    version = builder.version(message=reason, import_id=None, project_revision=policy.revision, created_at=now)
    label_ids = [label.label_id for label in labels]
    await tx.labels.mark_committed(label_ids, number=version.number)
    await tx.commits.add(version)
    causes = [label.event_id for label in labels[: wire.MOST_LABEL_IDS]]
    await tx.outbox.add(wire.version_committed(version, label_ids=label_ids), causes=causes)
    return LabelCommit(version=version, oldest_at=waiting.oldest_at)
