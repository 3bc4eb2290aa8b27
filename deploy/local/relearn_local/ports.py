"""Chooses TCP ports on 127.0.0.1 that nobody else has, nor another stack is about to take.

A port that is free now may be taken by a second stack before our process listens on it. So each claim also
holds a lock file in a folder all stacks of this user share; the kernel lets go of it when the claiming process ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
_LOWEST_OF_ANY = 10_000  # above our own defaults and most other programs'
_KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


class NoFreePort(Exception):
    """Nothing free in the range that was tried."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


class PortClaims:
    """The ports of one stack, claimed until `release` or the end of this process."""

    def __init__(self, *, avoid: Iterable[int] = ()) -> None:
        """`avoid`: default ports of other processes, never taken as somebody's "next free one"."""
        self._avoid = frozenset(avoid)
        self._held: dict[int, IO[str]] = {}

    def claim(self, preferred: int, *, tries: int = 1000) -> int:
        """The preferred port, or the next free one above it that is nobody's default."""
        if self._take(preferred):
            return preferred
        for port in range(preferred + 1, min(preferred + tries, 65535)):
            if port not in self._avoid and self._take(port):
                return port
        raise NoFreePort(f"no free port between {preferred} and {preferred + tries}")

    def claim_any(self) -> int:
        """A free port; for tests, where the number does not matter.

        Not one of those that the kernel gives to whoever asks for any: it could give this one away, too, before a
        server listens on it, or while it starts anew.
        """
        for _ in range(100):
            port = _LOWEST_OF_ANY + secrets.randbelow(_first_of_the_kernel() - _LOWEST_OF_ANY)
            if self._take(port):
                return port
        raise NoFreePort("100 ports drawn at random were all taken")

    def __enter__(self) -> PortClaims:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Gives all claims back."""
        for file in self._held.values():
            file.close()
        self._held.clear()

    def _take(self, port: int) -> bool:
        if port in self._held:
            return False
        file = (_claims_folder() / str(port)).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        if not is_free(port):
            file.close()
            return False
        self._held[port] = file
        return True


def _first_of_the_kernel() -> int:
    """The lowest port that the kernel chooses by itself, for a connection or a server."""
    try:
        first = int(_KERNEL_RANGE.read_text().split()[0])
    except FileNotFoundError:  # not Linux
        return 49152
    return max(first, 2 * _LOWEST_OF_ANY)


def _claims_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"relearn-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise NoFreePort(f"{folder} belongs to another user; remove it")
    return folder
