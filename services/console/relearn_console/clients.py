"""Calls out: channels to the services, samples of datasets, and bytes of object storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from relearn.datasets.v1.datasets_service_pb2 import GetSampleRequest
from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from relearn_runtime import channel
from relearn_runtime.errors import DependencyUnavailable, NotFound
from relearn_runtime.rpc_errors import translated

_CHUNK_BYTES = 256 << 10


class BytesMissing(NotFound):
    """What a link or a sample names is not in storage."""

    reason = "BYTES_MISSING"


class Channels:
    """One channel a service, made when it is first needed; each call brings its own token."""

    def __init__(self, addresses: Mapping[str, Callable[[], str]]) -> None:
        """`addresses`: asked late, since a process learns its own when it listens."""
        self._addresses = addresses
        self._made: dict[str, grpc.aio.Channel] = {}

    def of(self, service: str) -> grpc.aio.Channel:
        """The channel to a service, by the name of its process."""
        if service not in self._made:
            self._made[service] = channel(self._addresses[service](), token=None)
        return self._made[service]

    async def close(self) -> None:
        """Closes all of them."""
        await asyncio.gather(*(made.close() for made in self._made.values()))


class Samples:
    """Samples of datasets, as the caller may see them."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def sha256(self, sample_id: str, *, authorization: str) -> str:
        """The name of a sample's bytes.

        Args:
            authorization: the caller's, as it came.

        Raises:
            RelearnError: what datasets says; NOT_FOUND and PERMISSION_DENIED among it.
        """
        stub: Any = DatasetsServiceStub(self._channels.of("datasets"))
        async with translated("datasets"):
            response = await stub.GetSample(
                GetSampleRequest(sample_id=sample_id), metadata=(("authorization", authorization),)
            )
        return str(response.sample.sha256)


class Content(Protocol):
    """Bytes that can be read in part."""

    @property
    def size(self) -> int:
        """How many."""
        ...

    def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBytes:
    """An object."""

    store: Any
    key: str
    size: int

    async def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        if start == end:
            return
        with _translated(self.key):
            found = await obstore.get_async(self.store, self.key, options={"range": (start, end)})
            async for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBytes:
    """A file."""

    path: Path
    size: int

    async def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        with await asyncio.to_thread(self.path.open, "rb") as file:
            await asyncio.to_thread(file.seek, start)
            while start < end and (chunk := await asyncio.to_thread(file.read, min(_CHUNK_BYTES, end - start))):
                start += len(chunk)
                yield chunk


class Blobs:
    """Encoded samples by their SHA-256; read only."""

    def __init__(self, url: str) -> None:
        self._store = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)

    async def content(self, sha256: str) -> StoredBytes:
        """The bytes of a sample.

        Raises:
            BytesMissing: there are none.
            DependencyUnavailable: object storage is away.
        """
        key = f"blobs/{sha256[:2]}/{sha256}"  # docs/object-storage.md
        with _translated(key):
            found = await obstore.head_async(self._store, key)
        return StoredBytes(store=self._store, key=key, size=found["size"])

    async def read(self, sha256: str, *, most: int) -> bytes:
        """The first `most` bytes of it. Raises as `content`."""
        content = await self.content(sha256)
        return b"".join([chunk async for chunk in content.chunks(0, min(most, content.size))])

    async def copy(self, sha256: str, path: Path) -> None:
        """Writes it to a file. Raises as `content`."""
        content = await self.content(sha256)
        with await asyncio.to_thread(path.open, "wb") as file:
            async for chunk in content.chunks(0, content.size):
                await asyncio.to_thread(file.write, chunk)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BytesMissing(f"{key} is not in object storage", key=key) from error
    except BaseError as error:
        raise DependencyUnavailable(f"object storage: {error}") from error
