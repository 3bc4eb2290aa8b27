"""Pages of a list, by the place after which the next one starts."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from relearn_runtime.errors import InvalidInput

DEFAULT_SIZE, MAX_SIZE = 50, 500


def page_size(wanted: int) -> int:
    """0 means 50, more than 500 means 500.

    Raises:
        InvalidInput: negative.
    """
    if wanted < 0:
        raise InvalidInput(f"page_size must not be negative, got {wanted}", page_size=str(wanted))
    return min(wanted or DEFAULT_SIZE, MAX_SIZE)


def token(place: str) -> str:
    """The opaque form of a place."""
    return urlsafe_b64encode(f"after:{place}".encode()).decode()


def place(token: str) -> str | None:
    """The place that a token names; None for the first page.

    Raises:
        InvalidInput: no token of ours.
    """
    if not token:
        return None
    try:
        kind, _, found = urlsafe_b64decode(token.encode()).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"page_token {token!r} is unreadable", page_token=token) from error
    if kind != "after" or not found:
        raise InvalidInput(f"page_token {token!r} is unreadable", page_token=token)
    return found


def number_place(token: str) -> int | None:
    """The same, for lists by number.

    Raises:
        InvalidInput: no token of ours.
    """
    found = place(token)
    if found is None:
        return None
    if not found.isascii() or not found.isdigit() or len(found) > 9:
        raise InvalidInput(f"page_token {token!r} is unreadable", page_token=token)
    return int(found)
