"""ImportSamples: a stream becomes one commit, or nothing.

Bytes go to object storage and rows to a staging table while the stream runs, so that its length costs no memory. One
transaction at the end makes all of it visible. Killed anywhere before, an import has left blobs that nothing names (the
next attempt finds them) and staged rows that are swept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from relearn.datasets.v1.datasets_service_pb2 import (
    ImportHeader,
    ImportSample,
    ImportSamplesRequest,
    ImportSamplesResponse,
)
from relearn_datasets import metrics, wire
from relearn_datasets.clients import Objects
from relearn_datasets.committing import write_changes
from relearn_datasets.content import inspect
from relearn_datasets.domain.commits import CommitBuilder, Version
from relearn_datasets.domain.errors import (
    EmptyImport,
    FirstMessage,
    ImageRefused,
    ImportIncomplete,
    ImportInterrupted,
    NotInLabelSet,
)
from relearn_datasets.domain.imports import ImportedSample, StreamDigest, check_name, label_conflict
from relearn_datasets.domain.labels import LabelSet, check_label
from relearn_datasets.domain.samples import sample_id
from relearn_datasets.domain.settling import imported
from relearn_datasets.store import Transaction
from relearn_datasets.store.samples import NewSample
from relearn_datasets.wire import ProjectPolicy
from relearn_runtime import NewId, Now, Store
from relearn_runtime.errors import InvalidInput

_BATCH_SAMPLES = 256
_BATCH_BYTES = 8 * 2**20
_PAGE = 5000

Batch: TypeAlias = Sequence[tuple[int, ImportSample]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What a stream has come to: its samples are staged."""

    attempt_id: str
    header: ImportHeader
    received: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What an import has changed."""

    added: int = 0
    labeled: int = 0
    relabeled: int = 0


class Importer:
    """Takes streams of samples in."""

    def __init__(self, *, store: Store[Transaction], objects: Objects, new_id: NewId, now: Now) -> None:
        self._store, self._objects, self._new_id, self._now = store, objects, new_id, now

    async def run(self, stream: AsyncIterable[ImportSamplesRequest]) -> ImportSamplesResponse:
        """Reads a whole stream and commits it."""
        messages = aiter(stream)
        header = await _header(messages)
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
        async for batch in _batches(messages):
            samples = await asyncio.to_thread(_inspected, batch, project)
            contents = {s.content.sha256: part.content for s, (_, part) in zip(samples, batch, strict=True)}
            await self._objects.put_blobs(contents)
            async with self._store.transaction() as tx:
                await tx.staging.add(attempt_id, samples, now=self._now())
            for sample in samples:
                digest.take(sample)
            received += len(samples)
        if received == 0:
            raise EmptyImport("the stream has no samples")
        if header.HasField("samples") and header.samples != received:
            raise ImportIncomplete(f"the stream ended after {received} of {header.samples} samples")
        return Staged(attempt_id=attempt_id, header=header, received=received, digest=digest.hex())

    async def _commit(self, staged: Staged) -> ImportSamplesResponse:
        call = _fingerprint(staged)
        with metrics.COMMIT_DURATION.labels("import").time():
            async with self._store.transaction() as tx:
                if (saved := await tx.requests.begin(call)) is not None:
                    return ImportSamplesResponse.FromString(saved)
                tally, version = await self._take_in(tx, staged)
                response = ImportSamplesResponse(
                    received=staged.received,
                    added=tally.added,
                    labeled=tally.labeled,
                    relabeled=tally.relabeled,
                    dataset_version=wire.dataset_version(version) if version else None,
                )
                await tx.requests.finish(call, response)
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
        builder, tally, now = CommitBuilder(head), Tally(), self._now()
        origin = f"import:{staged.header.origin}"
        after = b""
        while page := await tx.staging.page(staged.attempt_id, after=after, limit=_PAGE):
            new = [NewSample(content=s.content, group_key=s.group_key, imported_label=s.label) for s in page]
            await tx.groups.add(project.project_id, [sample.group_key for sample in new])
            added = await tx.samples.add(project.project_id, new, origin=origin, now=now)
            tally = replace(tally, added=tally.added + len(added))
            await _label(tx, project, builder, page=page, added=added)
            after = page[-1].content.sha256
        tally = replace(tally, relabeled=builder.relabeled, labeled=builder.changes - builder.relabeled)
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
    """Labels one page of samples, as far as the import brings anything new."""
    labels = {sample.content.sha256: sample.label for sample in page if sample.label is not None}
    currents = await tx.samples.lock(project.project_id, labels)
    # a new sample was inserted with its imported label, hence not to be compared with it
    fresh = {sha256: replace(currents[sha256], imported_label=None) for sha256 in labels.keys() & added}
    compared = {**currents, **fresh}
    wanted = [want for sha256, label in labels.items() if (want := imported(label, compared[sha256]))]
    news = {sha256: label for sha256, label in labels.items() if label != currents[sha256].imported_label}
    await tx.samples.set_imported_labels(project.project_id, news)
    await write_changes(tx, project, builder, wanted=wanted, currents=currents)


async def _check_whole(tx: Transaction, staged: Staged, label_set: LabelSet) -> None:
    """Refuses a stream that contradicts itself, or of which something is missing."""
    if (found := await tx.staging.count(staged.attempt_id)) != staged.received:
        raise ImportInterrupted(f"{found} of {staged.received} staged samples are left; import again")
    if (contradiction := await tx.staging.contradiction(staged.attempt_id)) is not None:
        raise label_conflict(staged.header.project_id, contradiction)
    for label in sorted(await tx.staging.labels(staged.attempt_id)):
        check_label(label, label_set)  # again: the project may have changed while the stream ran


async def _header(messages: AsyncIterator[ImportSamplesRequest]) -> ImportHeader:
    first = await anext(messages, None)
    if first is None or first.WhichOneof("part") != "header":
        raise FirstMessage("the first message of an import must be its header")
    if not first.header.origin.strip():
        raise InvalidInput("origin is required: where the samples come from, a folder's name")
    check_name(first.header.origin, what="origin")
    return first.header


async def _batches(messages: AsyncIterator[ImportSamplesRequest]) -> AsyncIterator[Batch]:
    """The samples of a stream with their places, in batches bounded by number and by bytes."""
    batch: list[tuple[int, ImportSample]] = []
    place = size_bytes = 0
    async for message in messages:
        if message.WhichOneof("part") != "sample":
            raise FirstMessage(f"message {place + 2} of the stream is no sample; a stream has one header, at its start")
        place += 1
        size_bytes += len(message.sample.content)
        batch.append((place, message.sample))
        if len(batch) >= _BATCH_SAMPLES or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _inspected(batch: Batch, project: ProjectPolicy) -> list[ImportedSample]:
    """The samples of a batch, looked at; runs in a thread, for decoding takes time."""
    return [_placed(place, part, project) for place, part in batch]


def _placed(place: int, part: ImportSample, project: ProjectPolicy) -> ImportedSample:
    try:
        content = inspect(part.content)
        if part.label:
            check_label(part.label, project.label_set)
        group_key = check_name(part.group_key, what="group_key")
    except (ImageRefused, NotInLabelSet, InvalidInput) as error:
        raise type(error)(
            f"sample {place} of the stream: {error.message}", **error.metadata, place=str(place)
        ) from error
    own = sample_id(project.project_id, content.sha256)
    return ImportedSample(place=place, content=content, label=part.label or None, group_key=group_key or own)


def _fingerprint(staged: Staged) -> ImportHeader:
    """What `requests` remembers a call by: its header, and the digest of all that followed it."""
    call = ImportHeader()
    call.CopyFrom(staged.header)
    call.origin = f"{staged.header.origin}\n{staged.digest}"
    return call
