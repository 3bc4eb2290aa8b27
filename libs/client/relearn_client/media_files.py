"""The media beside a file of labels: found by the names that the file uses, told by their SHA-256."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from relearn_client.errors import InvalidInput

if TYPE_CHECKING:
    from relearn_media import MediaInfo

_KEPT = 4096  # of the files looked at last


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A file as it was when it was looked at."""

    path: Path
    sha256: str
    info: MediaInfo | None


class MediaFiles:
    """The files of a folder and its subfolders; each is read when it is asked for."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise InvalidInput(f"{folder} is no folder", reason="NO_FOLDER", next_step="name the folder of the media")
        self._folder = folder
        self._by_path: dict[str, Path] = {}
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        self._seen: OrderedDict[Path, MediaFile] = OrderedDict()
        for path in sorted(folder.rglob("*")) if folder else ():
            if path.is_file() and not path.name.startswith("."):
                inside = path.relative_to(folder or path).as_posix()
                for name in (inside, _without_ending(inside)):
                    self._by_path.setdefault(name, path)
                for name in (path.name, path.stem):
                    self._by_name[name].append(path)

    def find(self, name: str) -> MediaFile | None:
        """The file that a file of labels calls so: by its path, else by its name, with or without its ending.

        Raises:
            InvalidInput: several files have this name, or it can't be read.
        """
        path = self._by_path.get(name)
        if path is None:
            same = self._by_name.get(PurePosixPath(name).name, [])
            if len(same) > 1:
                places = ", ".join(str(one) for one in same[:3])
                raise InvalidInput(f"several files are called {name}: {places}", reason="AMBIGUOUS_NAME")
            path = same[0] if same else None
        return None if path is None else self._look(path)

    def by_digest(self) -> dict[str, Path]:
        """The files by the SHA-256 of what is in them, all of them read."""
        return {self._look(path).sha256: path for path in {*self._by_path.values()}}

    def name_of(self, path: Path) -> str:
        """Its path within the folder."""
        return path.relative_to(self._folder).as_posix() if self._folder else path.name

    def _look(self, path: Path) -> MediaFile:
        if (known := self._seen.get(path)) is not None:
            return known
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}", reason="UNREADABLE_FILE") from error
        self._seen[path] = looked = MediaFile(path=path, sha256=digest, info=info_of(path))
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        return looked


def info_of(source: Path | bytes) -> MediaInfo | None:
    """What is known of media; None where it is nothing that can be read here."""
    from relearn_media import MediaRefused, probe  # numpy and Pillow take a while to import, and only this needs them

    try:
        return probe(source)
    except (MediaRefused, ImportError):  # sounds and videos need the extra `av`
        return None


def _without_ending(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
