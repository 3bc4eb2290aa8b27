"""Log files of the stack's processes: one each, the last run's kept beside it, never larger than a limit."""

from __future__ import annotations

import shutil
from pathlib import Path

LARGEST_BYTES = 50 * 2**20


def begin(log: Path) -> None:
    """Sets the last run's log aside, as `<name>.log.1`, and starts an empty one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size:
        log.replace(previous(log))
    log.touch()


def cut(log: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
    """Sets a log aside that has grown too large, while its process goes on writing.

    The process has the file open for appending, so after the cut it writes from the start. Lines written
    between the copy and the cut are lost.
    """
    if log.exists() and log.stat().st_size > largest_bytes:
        shutil.copyfile(log, previous(log))
        with log.open("r+b") as file:
            file.truncate(0)


def previous(log: Path) -> Path:
    """Where the log before this one is."""
    return log.with_name(log.name + ".1")


def end_of(log: Path, *, lines: int = 12) -> str:
    """The last lines of a log, indented to be shown below a message; empty when there are none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        text = file.read().decode(errors="replace")
    return "\n".join("    " + line[:400] for line in text.splitlines()[-lines:])
