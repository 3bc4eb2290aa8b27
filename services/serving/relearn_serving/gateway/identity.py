"""Who this gateway is, and how many predictions it has numbered.

The number is kept in a memory-mapped file: one store into the page cache per prediction, which
survives the death of the process. A gateway that was killed therefore goes on counting where it
stopped, and predictions that died with it show up as a gap in its numbers. After an unclean reboot
the file cannot be trusted, and the gateway takes a new name.
"""

import fcntl
import mmap
import os
import struct
import threading
from pathlib import Path

from relearn_runtime import NewId
from relearn_runtime.errors import WrongState

_LAYOUT = struct.Struct("<QI?36s36s")  # last number, starts so far, closed cleanly, gateway id, boot id
_NUMBER = struct.Struct("<Q")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SpoolInUse(WrongState):
    """Another gateway owns the spool directory."""

    reason = "SPOOL_IN_USE"


class Identity:
    """The gateway's id and its counter; any thread may draw numbers."""

    def __init__(self, directory: Path, *, new_id: NewId) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "identity"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise SpoolInUse(f"another gateway uses {directory}; give each its own GATEWAY_SPOOL_DIR") from error
        self._descriptor = descriptor
        fresh = os.fstat(descriptor).st_size != _LAYOUT.size
        os.ftruncate(descriptor, _LAYOUT.size)
        self._map = mmap.mmap(descriptor, _LAYOUT.size)
        number, starts, clean, gateway_id, boot_id = _LAYOUT.unpack_from(self._map)
        now_boot_id = _boot_id()
        if fresh or not (clean or boot_id == now_boot_id):
            number, starts, gateway_id = 0, 0, new_id().encode()[:36].ljust(36)
        self._starts: int = starts + 1
        _LAYOUT.pack_into(self._map, 0, number, self._starts, False, gateway_id, now_boot_id)
        self._map.flush()
        self._number: int = number
        self._lock = threading.Lock()
        self.gateway_id: str = gateway_id.decode().strip()

    @property
    def life(self) -> str:
        """`<gateway id>/<n>`: this run of the gateway. Counters in memory start again with each life."""
        return f"{self.gateway_id}/{self._starts}"

    @property
    def last(self) -> int:
        """The last number drawn; 0 before the first."""
        return self._number

    def draw(self, count: int) -> int:
        """The first of `count` new numbers."""
        with self._lock:
            first = self._number + 1
            self._number += count
            _NUMBER.pack_into(self._map, 0, self._number)
        return first

    def close(self) -> None:
        """States that nothing was lost on the way down; numbers go on from here even after a reboot."""
        gateway_id = self.gateway_id.encode().ljust(36)
        _LAYOUT.pack_into(self._map, 0, self._number, self._starts, True, gateway_id, _boot_id())
        self._map.flush()
        self._map.close()
        os.close(self._descriptor)


def _boot_id() -> bytes:
    try:
        return _BOOT_ID.read_text().strip().encode()[:36].ljust(36)
    except OSError:  # not Linux: trust the file only after a clean stop
        return os.urandom(18).hex().encode()
