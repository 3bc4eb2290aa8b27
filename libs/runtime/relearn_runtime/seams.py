"""What services are given instead of reaching for it: identifiers and time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import uuid4

NewId: TypeAlias = Callable[[], str]
Now: TypeAlias = Callable[[], datetime]


def new_id() -> str:
    """A random UUID."""
    return str(uuid4())


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)
