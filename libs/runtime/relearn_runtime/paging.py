"""Pages of lists: sizes as the contracts say, and tokens that only the list that made them can read."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar, overload

from relearn_runtime.errors import InvalidInput

_DEFAULT_SIZE, _MOST = 50, 500
_MOST_NUMBER = 2**63 - 1
"""What PostgreSQL's bigint and protobuf's int64 hold."""

Part: TypeAlias = int | str | datetime
"""Of a place: a number from 0, a text without line breaks, a time with its zone."""
A = TypeVar("A", int, str, datetime)
B = TypeVar("B", int, str, datetime)


def page_size(asked: int) -> int:
    """How many rows a page has: 0 means 50, more than 500 means 500.

    Raises:
        InvalidInput: negative.
    """
    if asked < 0:
        raise InvalidInput(f"page_size must not be negative, got {asked}")
    return min(asked or _DEFAULT_SIZE, _MOST)


def token(of: str, *place: Part) -> str:
    """The opaque token of the place in a list after which its next page starts.

    Args:
        of: the list and what was asked of it, such as `windows of fashion`; no other list reads the token.
    """
    parts = [of, *(part.isoformat() if isinstance(part, datetime) else str(part) for part in place)]
    return urlsafe_b64encode("\n".join(parts).encode()).decode()


@overload
def place(token: str, of: str, kind: type[A], /) -> A | None: ...
@overload
def place(token: str, of: str, first: type[A], second: type[B], /) -> tuple[A, B] | None: ...
@overload
def place(token: str, of: str, /, *kinds: type[Any]) -> tuple[Any, ...] | None: ...
def place(token: str, of: str, /, *kinds: type[Any]) -> Any:
    """The place in a token of the list `of`, one part alone and several as a tuple; None for the first page.

    Raises:
        InvalidInput: no token of this list.
    """
    if not token:
        return None
    try:
        named, *parts = urlsafe_b64decode(token.encode()).decode().split("\n")
        if named != of or len(parts) != len(kinds):
            raise ValueError("another list's")
        found = tuple(_READ[kind](part) for kind, part in zip(kinds, parts, strict=True))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidInput("page_token is no token of this list") from error
    return found[0] if len(found) == 1 else found


def _number(part: str) -> int:
    if not (part.isascii() and part.isdigit()) or len(part) > 19 or int(part) > _MOST_NUMBER:
        raise ValueError("no number")
    return int(part)


def _text(part: str) -> str:
    if not part or not part.isprintable():
        raise ValueError("no text")
    return part


def _time(part: str) -> datetime:
    time = datetime.fromisoformat(part)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time.astimezone(UTC)  # within its own zone a time may be one that UTC does not have


_READ = {int: _number, str: _text, datetime: _time}
