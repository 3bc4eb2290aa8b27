"""Pages of a list that is ordered newest first by (time, id)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

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


def token(created_at: datetime, id: str) -> str:
    """The opaque place after a row."""
    return urlsafe_b64encode(f"{created_at.isoformat()} {id}".encode()).decode()


def place(token: str) -> tuple[datetime, str] | None:
    """The row that a token stands after; None for the first page.

    Raises:
        InvalidInput: no token of ours.
    """
    if not token:
        return None
    try:
        time, _, id = urlsafe_b64decode(token.encode()).decode().partition(" ")
        created_at = datetime.fromisoformat(time)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"page_token {token!r} is unreadable") from error
    if not id or created_at.tzinfo is None:
        raise InvalidInput(f"page_token {token!r} is unreadable")
    return created_at, id
