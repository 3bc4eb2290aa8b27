"""The pack of a version: one file of bytes and one index, the same whoever makes it. See docs/pack-format.md."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import polars as pl

from relearn_datasets.clients import Objects
from relearn_datasets.domain.packs import PackedSample

SCHEMA = pl.Schema(
    {
        "sample_id": pl.String(),
        "offset": pl.Int64(),
        "size": pl.Int64(),
        "label": pl.String(),
        "use": pl.String(),
        "stream": pl.String(),
        "probability": pl.Float64(),
        "group_key": pl.String(),
        "version_n": pl.Int64(),
        "regions": pl.Binary(),
    }
)
PAGE = 10_000
_CHUNK_BYTES = 16 * 2**20
_CHUNK_SAMPLES = 512

Page = Callable[[bytes], Awaitable[Sequence[PackedSample]]]
"""Labeled samples of the version above a SHA-256, in order; empty at the end."""


async def write_pack(objects: Objects, prefix: str, page: Page) -> str:
    """Writes `pack.bin`, then `index.parquet`; returns the SHA-256 of the index, hex.

    The index is put last and only once: where it lies, the pack is whole, and readers never see it change.
    """
    packed: list[PackedSample] = []
    await objects.write(f"{prefix}pack.bin", _contents(objects, page, packed))
    content = await asyncio.to_thread(index, packed)
    there = await objects.put_if_absent(f"{prefix}index.parquet", content)
    return hashlib.sha256(there).hexdigest()


def index(samples: Sequence[PackedSample]) -> bytes:
    """The index as Parquet: one row a sample, in the order of the pack."""
    offset = 0
    rows = []
    for sample in samples:
        row = (
            sample.sample_id,
            offset,
            sample.size_bytes,
            sample.label.class_name,
            sample.use.value,
            sample.draw.stream.value,
            sample.draw.probability,
            sample.group_key,
            sample.version_number,
            sample.label.regions,
        )
        rows.append(row)
        offset += sample.size_bytes
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


async def _contents(objects: Objects, page: Page, packed: list[PackedSample]) -> AsyncIterator[bytes]:
    """The bytes of the pack, chunk by chunk; notes in `packed` what they are of."""
    after = b""
    while samples := await page(after):
        for some in _chunks(samples):
            yield b"".join(await objects.blobs([sample.sha256 for sample in some]))
        packed += samples
        after = samples[-1].sha256


def _chunks(samples: Sequence[PackedSample]) -> Iterator[Sequence[PackedSample]]:
    """Runs of samples, bounded by number and, one sample more or less, by bytes."""
    some: list[PackedSample] = []
    size_bytes = 0
    for sample in samples:
        some.append(sample)
        size_bytes += sample.size_bytes
        if size_bytes >= _CHUNK_BYTES or len(some) >= _CHUNK_SAMPLES:
            yield some
            some, size_bytes = [], 0
    if some:
        yield some
