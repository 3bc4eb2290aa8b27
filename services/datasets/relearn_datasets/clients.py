"""Object storage: blobs named by their bytes, and packs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from relearn_datasets.domain.errors import BlobDamaged
from relearn_runtime.errors import DependencyUnavailable

_THREADS = 32
_REMOTE_LANES = 16
_LOCAL_LANES = 1
"""A file is work for one core, a remote object is waiting: side by side, 4,000 small files took four times as long."""

T = TypeVar("T")
R = TypeVar("R")


class Objects(Protocol):
    """What datasets does with object storage."""

    async def put_blobs(self, blobs: Mapping[bytes, bytes]) -> None:
        """Puts contents by their SHA-256; those that are there already stay as they are."""
        ...

    async def blobs(self, sha256s: Sequence[bytes]) -> Sequence[bytes]:
        """The contents of these SHA-256, in order, checked.

        Raises:
            BlobDamaged: one is not there, or has other bytes than its name says.
        """
        ...

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Writes an object: it is there whole or not at all; one that is there is replaced."""
        ...

    async def put_if_absent(self, key: str, content: bytes) -> bytes:
        """Puts an object; returns what is there now, which is what was there first."""
        ...


class ObjectStorage:
    """Objects in a local folder, S3, GCS or Azure, by obstore.

    Its calls run in threads: for many small objects obstore's own coroutines cost several times the CPU of its
    blocking calls.
    """

    def __init__(self, url: str) -> None:
        local = url.startswith("file:")
        self._store = from_url(url, mkdir=True) if local else from_url(url)
        self._lanes = _LOCAL_LANES if local else _REMOTE_LANES
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="objects")

    def close(self) -> None:
        """Ends the threads; what runs comes to its end."""
        self._threads.shutdown(wait=False)

    async def put_blobs(self, blobs: Mapping[bytes, bytes]) -> None:
        await self._spread(self._put_blob, list(blobs.items()))

    async def blobs(self, sha256s: Sequence[bytes]) -> Sequence[bytes]:
        return await self._spread(self._blob, sha256s)

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        with _translated():
            await obstore.put_async(self._store, key, chunks)

    async def put_if_absent(self, key: str, content: bytes) -> bytes:
        created = await self._spread(lambda one: self._create(key, one), [content])
        return content if created == [True] else (await self._spread(self._get, [key]))[0]

    async def _spread(self, call: Callable[[T], R], arguments: Sequence[T]) -> list[R]:
        """The results of a blocking call for each argument, in order; a few threads go through them side by side."""

        def lane(number: int) -> list[R]:
            with _translated():
                return [call(argument) for argument in arguments[number :: self._lanes]]

        loop = asyncio.get_running_loop()
        lanes = min(self._lanes, len(arguments))
        done = await asyncio.gather(*(loop.run_in_executor(self._threads, lane, number) for number in range(lanes)))
        return [done[number % self._lanes][number // self._lanes] for number in range(len(arguments))]

    def _put_blob(self, blob: tuple[bytes, bytes]) -> None:
        sha256, content = blob
        key = blob_key(sha256)
        if not self._create(key, content) and obstore.head(self._store, key)["size"] != len(content):
            obstore.put(self._store, key, content, use_multipart=False)  # a power cut has left it short

    def _create(self, key: str, content: bytes) -> bool:
        try:
            obstore.put(self._store, key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def _blob(self, sha256: bytes) -> bytes:
        try:
            content = self._get(blob_key(sha256))
        except FileNotFoundError as error:
            raise BlobDamaged(f"blob {sha256.hex()} is not in object storage") from error
        if hashlib.sha256(content).digest() != sha256:
            raise BlobDamaged(f"blob {sha256.hex()} has other bytes than its name says")
        return content

    def _get(self, key: str) -> bytes:
        return bytes(obstore.get(self._store, key).bytes())


def blob_key(sha256: bytes) -> str:
    """`blobs/ab/<sha256>`: two digits of a folder keep any one folder small."""
    name = sha256.hex()
    return f"blobs/{name[:2]}/{name}"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise DependencyUnavailable(f"object storage: {error}") from error
