"""Range requests: which bytes an answer has. Source: RFC 9110, sections 13.1.5 and 14."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins beyond the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes from `start` up to, not including, `end`, of `size`."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """How many."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """As the header says it."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def part_of(size: int, *, asked: str | None, if_range: str | None, etag: str) -> Part | None:
    """The part that a request asks for; None for the whole.

    What is no range, or several ones, may be ignored, and is.

    Args:
        asked: the header Range.
        if_range: the header If-Range: the part only of what the client has the rest of, else the whole.
        etag: the strong tag of what there is.

    Raises:
        Unsatisfiable: there is no such part.
    """
    if asked is None or (if_range is not None and if_range.strip() != etag):
        return None
    if (match := _ONE_RANGE.fullmatch(asked)) is None or not (match[1] or match[2]):
        return None
    if not match[1]:  # the last so many bytes
        last = int(match[2])
        if last == 0 or size == 0:
            raise Unsatisfiable
        return Part(start=max(0, size - last), end=size, size=size)
    start, end = int(match[1]), int(match[2]) + 1 if match[2] else size
    if match[2] and end <= start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Part(start=start, end=min(end, size), size=size)
