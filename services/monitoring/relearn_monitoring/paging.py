"""Pages of a list that is ordered newest first by a number."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from relearn_runtime.errors import InvalidInput

DEFAULT_SIZE, MAX_SIZE = 50, 500


def page_size(wanted: int) -> int:
    """0 means 50, more than 500 means 500.

    Raises:
        InvalidInput: negative.
    """
    if wanted < 0:
        raise InvalidInput(f"page_size must not be negative, got {wanted}")
    return min(wanted or DEFAULT_SIZE, MAX_SIZE)


def next_token(found: Sequence[tuple[int, object]], *, size: int) -> str:
    """The opaque place after a page of `size`, when one more was found than fits; else empty."""
    return urlsafe_b64encode(str(found[size - 1][0]).encode()).decode() if len(found) > size else ""


def place(token: str) -> int | None:
    """The number that a token stands after; None for the first page.

    Raises:
        InvalidInput: no token of ours.
    """
    if not token:
        return None
    try:
        return int(urlsafe_b64decode(token.encode()).decode())
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"page_token {token!r} is unreadable") from error
