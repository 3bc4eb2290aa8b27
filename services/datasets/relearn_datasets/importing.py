"""ImportSamples: a stream becomes one commit, or nothing.

Bytes go to object storage and rows to a staging table while the stream runs, so that its length costs no memory. One
transaction at the end makes all of it visible. Killed anywhere before, an import has left blobs that nothing names (the
next attempt finds them) and staged rows that are swept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Self

from relearn.datasets.v1.datasets_service_pb2 import ImportHeader, ImportSamplesRequest, ImportSamplesResponse
from relearn_datasets import metrics, wire
from relearn_datasets.clients import Objects
from relearn_datasets.committing import write_changes
from relearn_datasets.content import Inspector
from relearn_datasets.domain.commits import CommitBuilder, Version
from relearn_datasets.domain.errors import EmptyImport, ImportIncomplete, ImportInterrupted
from relearn_datasets.domain.imports import ImportedSample, StreamDigest, label_conflict
from relearn_datasets.domain.labels import LabelSet, check_imported
from relearn_datasets.domain.samples import IMPORTED
from relearn_datasets.domain.settling import imported, unlabeled
from relearn_datasets.import_stream import Batch, batches, header_of, inspected
from relearn_datasets.store import Transaction
from relearn_datasets.store.samples import NewSample
from relearn_datasets.wire import ProjectPolicy
from relearn_runtime import NewId, Now, Store
from relearn_runtime.faults import is_conflict

_PAGE = 5000
_MOST_CONFLICTS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What a stream has come to: its samples are staged."""

    attempt_id: str
    header: ImportHeader
    received: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What an import has changed."""

    added: int = 0
    labeled: int = 0
    relabeled: int = 0


class _OneBehind:
    """Lets one piece of work run behind the caller: the next waits for it, and leaving the block waits for the last."""

    def __init__(self) -> None:
        self._work: asyncio.Task[None] | None = None

    async def start(self, work: Coroutine[object, object, None]) -> None:
        """Starts work, once what was started before it has ended well."""
        try:
            await self._ended()
        except BaseException:
            work.close()
            raise
        self._work = asyncio.create_task(work)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        if error is None:
            await self._ended()
        elif self._work is not None:  # nothing of it may run on behind the error
            await asyncio.gather(self._work, return_exceptions=True)

    async def _ended(self) -> None:
        if self._work is not None:
            await self._work


class Importer:
    """Takes streams of samples in."""

    def __init__(
        self, *, store: Store[Transaction], objects: Objects, inspector: Inspector, new_id: NewId, now: Now
    ) -> None:
        self._store, self._objects, self._inspector = store, objects, inspector
        self._new_id, self._now = new_id, now

    async def run(self, stream: AsyncIterable[ImportSamplesRequest]) -> ImportSamplesResponse:
        """Reads a whole stream and commits it."""
        messages = aiter(stream)
        header = await header_of(messages)
        attempt_id = self._new_id()
        try:
            staged = await self._stage(attempt_id, header, messages)
            return await self._commit(staged)
        finally:
            await self._forget(attempt_id)

    async def _forget(self, attempt_id: str) -> None:
        """Drops what was staged; what cannot be dropped now is swept later."""
        try:
            async with self._store.transaction() as tx:
                await tx.staging.drop(attempt_id)
        except Exception as error:
            log.warning("staged samples are left behind", extra={"attempt_id": attempt_id, "error": repr(error)})

    async def _stage(
        self, attempt_id: str, header: ImportHeader, messages: AsyncIterator[ImportSamplesRequest]
    ) -> Staged:
        async with self._store.transaction() as tx:
            project = wire.policy(await tx.projects.require(header.project_id))
        digest = StreamDigest()
        received = 0
        async with _OneBehind() as behind:
            async for batch in batches(messages):
                samples = await asyncio.to_thread(inspected, batch, project, self._inspector)
                await behind.start(self._keep(attempt_id, batch, samples))
                for sample in samples:
                    digest.take(sample)
                received += len(samples)
        if received == 0:
            raise EmptyImport("the stream has no samples")
        if header.HasField("samples") and header.samples != received:
            raise ImportIncomplete(f"the stream had {received} samples, {header.samples} were announced")
        return Staged(attempt_id=attempt_id, header=header, received=received, digest=digest.digest())

    async def _keep(self, attempt_id: str, batch: Batch, samples: Sequence[ImportedSample]) -> None:
        contents = {s.content.sha256: part.content for s, (_, part) in zip(samples, batch, strict=True)}
        await self._objects.put_blobs(contents)
        async with self._store.transaction() as tx:
            await tx.staging.add(attempt_id, samples, now=self._now())

    async def _commit(self, staged: Staged) -> ImportSamplesResponse:
        """Commits, and once more when PostgreSQL has given it up.

        Rows are locked page by page, so a put may hold a sample of a later page while it waits for a group of this one.
        """
        for _ in range(_MOST_CONFLICTS):
            try:
                return await self._commit_once(staged)
            except Exception as error:
                if not is_conflict(error):
                    raise
        return await self._commit_once(staged)

    async def _commit_once(self, staged: Staged) -> ImportSamplesResponse:
        header = staged.header
        with metrics.COMMIT_DURATION.labels("import").time():
            async with self._store.transaction() as tx:
                if (saved := await tx.requests.begin(header, content=staged.digest)) is not None:
                    return ImportSamplesResponse.FromString(saved)
                tally, version = await self._take_in(tx, staged)
                response = ImportSamplesResponse(
                    received=staged.received,
                    added=tally.added,
                    labeled=tally.labeled,
                    relabeled=tally.relabeled,
                    dataset_version=wire.dataset_version(version) if version else None,
                )
                await tx.requests.finish(header, response)
        metrics.IMPORTED.labels("added").inc(tally.added)
        metrics.IMPORTED.labels("known").inc(staged.received - tally.added)
        if version:
            metrics.COMMITS.labels("import").inc()
            log.info("import committed", extra={"dataset_version_id": version.dataset_version_id})
        return response

    async def _take_in(self, tx: Transaction, staged: Staged) -> tuple[Tally, Version | None]:
        project = wire.policy(await tx.projects.require(staged.header.project_id))
        head = await tx.commits.lock_head(project.project_id)
        await _check_whole(tx, staged, project.label_set)
        builder, added, now = CommitBuilder(head), 0, self._now()
        origin = f"import:{staged.header.origin}"
        after = b""
        while page := await tx.staging.page(staged.attempt_id, after=after, limit=_PAGE):
            new = [_new(sample) for sample in page]
            inserted = await tx.samples.add(project.project_id, new, origin=origin, now=now)
            await _label(tx, project, builder, page=page, added=inserted)
            added += len(inserted)
            after = page[-1].content.sha256
        tally = Tally(added=added, relabeled=builder.relabeled, labeled=builder.changes - builder.relabeled)
        if not builder.changes:
            return tally, None
        version = builder.version(
            message=f"import of {staged.header.origin}",
            import_id=staged.header.request_id,
            project_revision=project.revision,
            created_at=now,
        )
        await tx.commits.add(version)
        await tx.outbox.add(wire.version_committed(version))
        return tally, version


async def _label(
    tx: Transaction,
    project: ProjectPolicy,
    builder: CommitBuilder,
    *,
    page: Sequence[ImportedSample],
    added: set[bytes],
) -> None:
    """Labels one page of samples, as far as the import brings anything new.

    Args:
        added: samples of the page that were inserted, with their labels; only of the others any row changes.
    """
    labels = {sample.content.sha256: sample.label for sample in page if sample.label is not None}
    known = {sha256: label for sha256, label in labels.items() if sha256 not in added}
    reimported = await tx.samples.lock_reimported(project.project_id, known)
    new = {s.content.sha256: unlabeled(s.content.sha256, s.group_key) for s in page if s.content.sha256 in added}
    currents = {**reimported, **new}
    wanted = [want for sha256, current in currents.items() if (want := imported(labels.get(sha256), current))]
    await tx.samples.set_imported_labels(project.project_id, {sha256: labels[sha256] for sha256 in reimported})
    await tx.groups.decide(
        project.project_id, {current.group_key: None for sha256, current in new.items() if sha256 not in labels}
    )
    await write_changes(tx, project, builder, wanted=wanted, currents=currents, added=added)


def _new(sample: ImportedSample) -> NewSample:
    return NewSample(
        content=sample.content,
        group_key=sample.group_key,
        label=sample.label,
        draw=IMPORTED if sample.label is not None else None,
    )


async def _check_whole(tx: Transaction, staged: Staged, label_set: LabelSet) -> None:
    """Refuses a stream that contradicts itself, or of which something is missing."""
    if (found := await tx.staging.count(staged.attempt_id)) != staged.received:
        raise ImportInterrupted(f"{found} of {staged.received} staged samples are left; import again")
    if (contradiction := await tx.staging.contradiction(staged.attempt_id)) is not None:
        raise label_conflict(staged.header.project_id, contradiction)
    for label in sorted(await tx.staging.labels(staged.attempt_id)):
        check_imported(label, label_set)  # again: the project may have changed while the stream ran
