"""Formats of many small files: a folder, or a ZIP archive of one; nothing is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from relearn_formats.records import Refused

MOST_BYTES = 16 * 2**20


class Folder(Protocol):
    """Files by their paths within it, `/` between parts."""

    def names(self) -> list[str]:
        """All of them, in order."""

    def read(self, name: str) -> bytes:
        """The bytes of one.

        Raises:
            Refused: it is too large.
        """

    def add(self, name: str, content: bytes) -> None:
        """One more file.

        Raises:
            Refused: its name would lie outside.
        """


class _Directory:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return sorted(one.relative_to(self._path).as_posix() for one in self._path.rglob("*") if one.is_file())

    def read(self, name: str) -> bytes:
        with (self._path / name).open("rb") as file:
            return _capped(file.read(MOST_BYTES + 1), name)

    def add(self, name: str, content: bytes) -> None:
        target = self._path / inside(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


class _Archive:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> list[str]:
        return sorted(one.filename for one in self._archive.infolist() if not one.is_dir())

    def read(self, name: str) -> bytes:
        with self._archive.open(name) as file:  # what is read is capped, whatever the archive says it would be
            return _capped(file.read(MOST_BYTES + 1), name)

    def add(self, name: str, content: bytes) -> None:
        self._archive.writestr(inside(name), content)


def inside(name: str) -> str:
    """A path that stays where it is put.

    Raises:
        Refused: it would not.
    """
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise Refused("UNSAFE_NAME", f"{name!r} can't name a file of its own")
    return str(path)


@contextmanager
def reading(path: Path) -> Iterator[Folder]:
    """A folder, or an archive of one, to read.

    Raises:
        Refused: neither.
    """
    if path.is_dir():
        yield _Directory(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Archive(archive)
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        raise Refused("NO_FOLDER", f"{path} is neither a folder nor a ZIP archive") from error


@contextmanager
def writing(path: Path) -> Iterator[Folder]:
    """A folder to write, or an archive where the path ends in `.zip`.

    Raises:
        Refused: a folder with something in it.
    """
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            yield _Archive(archive)
        return
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise Refused("NOT_EMPTY", f"{path} has files in it already: name a folder that has none")
    yield _Directory(path)


def _capped(content: bytes, name: str) -> bytes:
    if len(content) > MOST_BYTES:
        raise Refused("FILE_TOO_LARGE", f"{name} has more than {MOST_BYTES // 2**20} MiB")
    return content
