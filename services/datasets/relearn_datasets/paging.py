"""Pages of lists: sizes as the contracts say, and tokens that mean something to nobody else."""

from __future__ import annotations

import base64
import binascii

from relearn_runtime.errors import InvalidInput

_DEFAULT, _MOST = 50, 500


def page_size(asked: int) -> int:
    """How many rows a page has.

    Raises:
        InvalidInput: negative.
    """
    if asked < 0:
        raise InvalidInput(f"page_size must not be negative, got {asked}")
    return min(asked or _DEFAULT, _MOST)


def token(*parts: str | int) -> str:
    """An opaque token that carries these parts."""
    return base64.urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode()


def parts_of(text: str, *, kind: str, numbers: int) -> list[int]:
    """The numbers in a token made by `token(kind, ...)`.

    Args:
        kind: what the token is for, the first part of it: a token of another list, or of another question, is refused.

    Raises:
        InvalidInput: no such token.
    """
    try:
        found, *rest = base64.urlsafe_b64decode(text.encode()).decode().split("\n")
        values = [int(part) for part in rest]
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("page_token is no token of this list") from error
    if found != kind or len(values) != numbers:
        raise InvalidInput("page_token is no token of this list")
    return values
