"""Model files in object storage: copied once from the run that made them, checked by digest when they matter."""

from __future__ import annotations

import hashlib
from typing import Any

import obstore
from obstore.store import from_url

from relearn_registry.domain.model_versions import ModelFile
from relearn_runtime.errors import DependencyUnavailable


class FileMissing(DependencyUnavailable):
    """A file that should be in object storage is not there (yet)."""

    reason = "FILE_MISSING"


class FileDiffers(DependencyUnavailable):
    """A file has another content than its digest says."""

    reason = "FILE_DIFFERS"


class ModelFiles:
    """Object storage as the registry uses it: reads `runs/`, writes `models/`."""

    def __init__(self, url: str) -> None:
        self._store: Any = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)

    async def copy(self, source: ModelFile, target: ModelFile) -> None:
        """Copies within the store, then checks what has arrived; again is no harm.

        Raises:
            FileMissing, FileDiffers, DependencyUnavailable.
        """
        try:
            await obstore.copy_async(self._store, source.key, target.key)
        except FileNotFoundError as error:
            raise FileMissing(f"{source.key} is not in object storage", key=source.key) from error
        except obstore.exceptions.BaseError as error:
            raise DependencyUnavailable(f"object storage: {error}") from error
        await self._check(target)

    async def read(self, file: ModelFile) -> bytes:
        """The content, checked.

        Raises:
            FileMissing, FileDiffers, DependencyUnavailable.
        """
        content = b"".join([bytes(chunk) async for chunk in await self._stream(file)])
        _compare(file, hashlib.sha256(content).hexdigest())
        return content

    async def _check(self, file: ModelFile) -> None:
        digest = hashlib.sha256()
        async for chunk in await self._stream(file):
            digest.update(chunk)
        _compare(file, digest.hexdigest())

    async def _stream(self, file: ModelFile) -> Any:
        try:
            return (await obstore.get_async(self._store, file.key)).stream()
        except FileNotFoundError as error:
            raise FileMissing(f"{file.key} is not in object storage", key=file.key) from error
        except obstore.exceptions.BaseError as error:
            raise DependencyUnavailable(f"object storage: {error}") from error


def _compare(file: ModelFile, found: str) -> None:
    if found != file.sha256:
        raise FileDiffers(f"{file.key} has sha256 {found}, not {file.sha256}", key=file.key)
