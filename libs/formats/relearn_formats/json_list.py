"""A JSON document that is one list, however long: item by item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import ijson

from relearn_formats.records import Problem

_ENOUGH = 4096


class Peeked:
    """A stream whose beginning was looked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.beginning = self._ahead = stream.read(_ENOUGH).removeprefix(b"\xef\xbb\xbf")

    def read(self, size: int = -1) -> bytes:
        """What comes next; what was looked at first."""
        if self._ahead and size:  # ijson reads nothing at first, to see what kind of stream it is
            ahead, self._ahead = self._ahead, b""
            return ahead
        return self._stream.read(size)


def items(stream: BinaryIO, *, what: str) -> Iterator[tuple[str, Any]]:
    """The items of the list with their places; where the document breaks off a `Problem`, and nothing after it."""
    peeked = Peeked(stream)
    if not peeked.beginning.lstrip().startswith(b"["):
        yield "line 1", Problem(place="line 1", reason="NO_LIST", message=f"the file is no JSON list of {what}s")
        return
    number = 0
    try:
        for number, value in enumerate(ijson.items(peeked, "item", use_float=True), start=1):
            yield f"{what} {number}", value
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
        place = f"after {what} {number}"
        yield place, Problem(place=place, reason="NOT_JSON", message=f"no JSON, the rest can't be read: {error}")
