"""How much may wait somewhere, by number and by bytes: a request may be a kilobyte or the largest there is."""

import threading


class Room:
    """Taken before something waits, given back when it is done. Any thread may use it."""

    def __init__(self, *, requests: int, max_bytes: int) -> None:
        self._requests = requests
        self._max_bytes = max_bytes
        self._taken = 0
        self._taken_bytes = 0
        self._lock = threading.Lock()

    def take(self, size_bytes: int) -> bool:
        """Whether there is room, which then is taken. What alone is larger than all room fits when nothing waits."""
        with self._lock:
            full = self._taken >= self._requests
            if full or (self._taken_bytes and self._taken_bytes + size_bytes > self._max_bytes):
                return False
            self._taken += 1
            self._taken_bytes += size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self._taken -= 1
            self._taken_bytes -= size_bytes
