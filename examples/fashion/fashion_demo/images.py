"""The pictures of the demo: one archive, three disjoint parts."""

import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ARCHIVE = Path(__file__).parent.parent / "images.tar.xz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One encoded picture with its true class."""

    name: str
    label: str
    content: bytes


def pictures(part: str, archive: Path = ARCHIVE) -> list[Picture]:
    """All pictures of one part ("labeled", "traffic" or "held-out"), in the archive's order."""
    return list(_read(part, archive))


def shuffled(part: str, *, seed: int, archive: Path = ARCHIVE) -> list[Picture]:
    """The same in an order that the seed decides."""
    found = pictures(part, archive)
    random.Random(seed).shuffle(found)
    return found


def _read(part: str, archive: Path) -> Iterator[Picture]:
    with tarfile.open(archive, "r:xz") as tar:
        for entry in tar:
            folder, label, name = entry.name.split("/")
            if folder != part:
                continue
            content = tar.extractfile(entry)
            if content is None:
                raise ValueError(f"{entry.name} of {archive} is not a file: make the archive again")
            yield Picture(name=f"{label}/{name}", label=label, content=content.read())


def unpack(part: str, folder: Path, archive: Path = ARCHIVE) -> int:
    """Write one part as a folder of images with one subfolder per class; returns how many."""
    found = pictures(part, archive)
    for picture in found:
        path = folder / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.content)
    return len(found)
