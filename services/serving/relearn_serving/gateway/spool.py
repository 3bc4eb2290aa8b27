"""A bounded queue of predictions on disk, for the time the broker is away.

A record is handed to the operating system as soon as it is appended: killing the process loses
nothing. `sync` is called about once a second, so a power cut loses about the last second. Records
are read back in the order they were written; a torn or corrupt end of a segment is cut off and counted.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from relearn_runtime.envelope import Record

_FRAME = struct.Struct("<II")  # length and CRC-32 of the body
_PART = struct.Struct("<I")
_SUFFIX = ".spool"


def pack(record: Record) -> bytes:
    """A record as one frame: its length and checksum, then each part behind its length."""
    parts = [record.topic.encode(), record.key or b"", record.value or b""]
    for name, value in record.headers or ():
        parts += [name.encode(), value]
    body = b"".join(_PART.pack(len(part)) + part for part in parts)
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def unpack(body: bytes) -> Record:
    """The record in the body of a frame that `pack` wrote."""
    parts: list[bytes] = []
    offset = 0
    while offset < len(body):
        (length,) = _PART.unpack_from(body, offset)
        parts.append(body[offset + 4 : offset + 4 + length])
        offset += 4 + length
    names, values = parts[3::2], parts[4::2]
    headers = tuple((name.decode(), value) for name, value in zip(names, values, strict=True))
    return Record(topic=parts[0].decode(), key=parts[1], value=parts[2], headers=headers)


class Spool:
    """Segments in one directory. One thread uses it; one process owns the directory."""

    def __init__(self, directory: Path, *, max_bytes: int, segment_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._torn: set[Path] = set()
        directory.mkdir(parents=True, exist_ok=True)
        self._sizes = {path: path.stat().st_size for path in sorted(directory.glob(f"*{_SUFFIX}"))}
        self._records = {path: sum(1 for _ in self.read(path)) for path in self._sizes}
        self._next = 1 + max((int(path.stem) for path in self._sizes), default=0)
        self._writing: tuple[Path, int] | None = None  # path and file descriptor

    @property
    def corrupt(self) -> int:
        """Segments whose end could not be read back; at least one record of each is lost."""
        return len(self._torn)

    @property
    def size_bytes(self) -> int:
        return sum(self._sizes.copy().values())

    @property
    def records(self) -> int:
        """Records that wait."""
        return sum(self._records.copy().values())

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def append(self, record: Record) -> bool:
        """Keeps the record; False if that would exceed `max_bytes` or the disk refuses, and it is not kept."""
        packed = pack(record)
        if self.size_bytes + len(packed) > self._max_bytes:
            return False
        try:
            path, descriptor = self._writing or self._open()
            if os.write(descriptor, packed) < len(packed):  # a full disk cut it: take the torn end back
                os.ftruncate(descriptor, self._sizes[path])
                return False
            self._sizes[path] += len(packed)
            self._records[path] += 1
            if self._sizes[path] >= self._segment_bytes:
                self._close()
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Makes what was appended survive a power cut."""
        if self._writing is not None:
            os.fsync(self._writing[1])

    def oldest(self) -> Path | None:
        """The segment to replay next; it is closed for writing, so that reading it once is enough."""
        if not self._sizes:
            return None
        path = min(self._sizes)
        if self._writing is not None and self._writing[0] == path:
            self._close()
        return path

    def is_last(self, path: Path) -> bool:
        """Whether nothing was appended behind this segment."""
        return list(self._sizes) == [path]

    def read(self, path: Path) -> Iterator[Record]:
        """The records of a segment, up to its end or its first corrupt byte."""
        with path.open("rb") as file:
            while frame := file.read(_FRAME.size):
                if len(frame) < _FRAME.size:
                    self._torn.add(path)
                    return
                length, checksum = _FRAME.unpack(frame)
                body = file.read(length) if length <= self._max_bytes else b""
                if len(body) < length or zlib.crc32(body) != checksum:
                    self._torn.add(path)
                    return
                yield unpack(body)

    def remove(self, path: Path) -> None:
        """Forgets a segment whose records have all arrived."""
        path.unlink(missing_ok=True)
        self._sizes.pop(path, None)
        self._records.pop(path, None)

    def close(self) -> None:
        if self._writing is not None:
            self._close()

    def _open(self) -> tuple[Path, int]:
        path = self._directory / f"{self._next:012d}{_SUFFIX}"
        self._next += 1
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._sizes[path] = self._records[path] = 0
        self._writing = (path, descriptor)
        return self._writing

    def _close(self) -> None:
        if self._writing is not None:
            descriptor, self._writing = self._writing[1], None
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
