"""The stream of an import: its header, then samples in batches, each looked at before anything is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

from relearn.datasets.v1.datasets_service_pb2 import ImportHeader, ImportSample, ImportSamplesRequest
from relearn_datasets.content import Inspector
from relearn_datasets.domain.errors import FirstMessage
from relearn_datasets.domain.imports import ImportedSample, check_name
from relearn_datasets.domain.labels import check_imported
from relearn_datasets.domain.samples import sample_id
from relearn_datasets.wire import ProjectPolicy
from relearn_runtime.errors import InvalidInput
from relearn_runtime.requests import request_id

_BATCH_SAMPLES = 1000
_BATCH_BYTES = 8 * 2**20

Batch: TypeAlias = Sequence[tuple[int, ImportSample]]
"""Samples with their places in the stream."""


async def header_of(messages: AsyncIterator[ImportSamplesRequest]) -> ImportHeader:
    """The first message of a stream.

    Raises:
        FirstMessage: it is no header.
        InvalidInput: its origin or its request_id can't be kept.
    """
    first = await anext(messages, None)
    if first is None or first.WhichOneof("part") != "header":
        raise FirstMessage("the first message of an import must be its header")
    if not first.header.origin.strip():
        raise InvalidInput("origin is required: where the samples come from, a folder's name")
    check_name(first.header.origin, what="origin")
    request_id(first.header)
    return first.header


async def batches(messages: AsyncIterator[ImportSamplesRequest]) -> AsyncIterator[Batch]:
    """The samples of a stream with their places, in batches bounded by number and by bytes.

    Raises:
        FirstMessage: a second header.
    """
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


def inspected(batch: Batch, project: ProjectPolicy, inspector: Inspector) -> list[ImportedSample]:
    """The samples of a batch, looked at; for a thread, since decoding takes time.

    Raises:
        InvalidInput: the first that can't be taken in; the error names its place.
    """
    return [_placed(place, part, project, inspector) for place, part in batch]


def _placed(place: int, part: ImportSample, project: ProjectPolicy, inspector: Inspector) -> ImportedSample:
    try:
        content = inspector.inspect(part.content, project.modality)
        if part.label:
            check_imported(part.label, project.label_set)
        group_key = check_name(part.group_key, what="group_key")
    except InvalidInput as error:
        raise type(error)(
            f"sample {place} of the stream: {error.message}", **error.metadata, place=str(place)
        ) from error
    own = sample_id(project.project_id, content.sha256)
    return ImportedSample(place=place, content=content, label=part.label or None, group_key=group_key or own)
