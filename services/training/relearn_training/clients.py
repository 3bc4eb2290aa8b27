"""Calls out: datasets for versions and packs, object storage for bytes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
from grpc.aio import Channel
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from relearn.datasets.v1.datasets_service_pb2 import GetPackRequest, GetVersionRequest
from relearn.datasets.v1.datasets_service_pb2_grpc import DatasetsServiceStub
from relearn_runtime.errors import DependencyUnavailable, NotFound
from relearn_runtime.rpc_errors import translated
from relearn_training import wire
from relearn_training.domain.policy import DatasetVersion
from relearn_training.domain.studies import StoredFile

_CHUNK_BYTES = 4 * 1024 * 1024
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class PackNotReady(DependencyUnavailable):
    """Datasets did not finish a pack in time."""

    reason = "PACK_NOT_READY"


class DamagedObject(DependencyUnavailable):
    """An object's bytes are not those its digest promises; a later copy may be."""

    reason = "DAMAGED_OBJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Where a materialised dataset version lies; docs/pack-format.md."""

    prefix: str
    index_sha256: str


class Datasets:
    """The datasets service."""

    def __init__(self, channel: Channel) -> None:
        self._stub = DatasetsServiceStub(channel)

    async def version(self, dataset_version_id: str) -> DatasetVersion:
        """One version. Raises NotFound."""
        async with translated("datasets"):
            response = await self._stub.GetVersion(GetVersionRequest(dataset_version_id=dataset_version_id))
        return wire.dataset_version(response.dataset_version)

    async def pack(self, dataset_version_id: str, *, timeout_s: float) -> Pack:
        """The pack of a version, waited for until it is made.

        Raises:
            NotFound: the version.
            PackNotReady: not in time.
        """
        pause_s = _FIRST_PAUSE_S
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    async with translated("datasets"):
                        response = await self._stub.GetPack(GetPackRequest(dataset_version_id=dataset_version_id))
                    if response.ready:
                        return Pack(prefix=response.prefix, index_sha256=response.index_sha256)
                    await asyncio.sleep(pause_s)
                    pause_s = min(_LONGEST_PAUSE_S, 1.5 * pause_s)
        except TimeoutError as error:
            raise PackNotReady(f"the pack of {dataset_version_id} was not ready within {timeout_s:g} s") from error


class Objects:
    """Object storage: reads any key, writes under `runs/`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def fetch(self, key: str, path: Path, *, sha256: str = "") -> None:
        """Copy an object to a file, whole or not at all.

        Raises:
            NotFound: no such key.
            DamagedObject: `sha256` is given and is not the content's.
            DependencyUnavailable: the store is away.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, digest = path.with_name(path.name + ".partial"), hashlib.sha256()
        async with _translated(key):
            found = await obstore.get_async(self._store, key)
            with partial.open("wb") as file:
                async for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
        if sha256 and digest.hexdigest() != sha256:
            raise DamagedObject(f"{key} has digest {digest.hexdigest()}, expected {sha256}", key=key)
        partial.replace(path)

    async def keep(self, run_id: str, paths: Sequence[Path]) -> tuple[StoredFile, ...]:
        """Put files under `runs/<run_id>/`, by their names; the same content again is the same object."""
        return tuple([await self._keep(f"runs/{run_id}/{path.name}", path) for path in paths])

    async def _keep(self, key: str, path: Path) -> StoredFile:
        content = await asyncio.to_thread(path.read_bytes)
        async with _translated(key):
            await obstore.put_async(self._store, key, content)
        return StoredFile(name=path.name, key=key, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


@asynccontextmanager
async def _translated(key: str) -> AsyncIterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"there is no object {key!r}", key=key) from error
    except BaseError as error:
        raise DependencyUnavailable(f"object storage: {error}", key=key) from error
