"""Refuses to start on a disk that would fill up, before anything is written to it."""

from __future__ import annotations

import shutil
from pathlib import Path

GIB = 2**30


class DiskTooSmall(Exception):
    """Less free space than the stack needs; the message says where, how much, and what to do."""


def require(path: Path, *, size_bytes: int, what: str, setting: str = "RELEARN_HOME") -> None:
    """Raises DiskTooSmall unless the disk that holds `path` (which may not exist yet) has `size_bytes` free.

    `setting` is the variable that moves it to another disk.
    """
    place = path.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < size_bytes:
        raise DiskTooSmall(
            f"too little disk for {what}: {place} has {free / GIB:.1f} GiB free, {size_bytes / GIB:.1f} GiB are "
            f"needed; free some, or set {setting} to a folder on a larger disk"
        )
