"""Who calls: known to a servicer and to everything it awaits, from the token of the call."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from relearn_runtime.errors import Unauthenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The bearer of a token; `role` is one of relearn.auth.v1.Role, in lower case: `annotator`."""

    subject: str
    role: str


_caller: ContextVar[Caller | None] = ContextVar("relearn_caller", default=None)


def caller(context: Any) -> Caller:
    """Who makes this call.

    Args:
        context: the servicer's context; it shows where the answer comes from, the call's own task holds it.

    Raises:
        Unauthenticated: the method is open and the call came without a token.
    """
    found = _caller.get()
    if found is None:
        raise Unauthenticated("this call carries no token")
    return found


def current_caller() -> Caller | None:
    """Who makes the call that is being served, if any."""
    return _caller.get()


def bind_caller(found: Caller | None) -> None:
    """Sets the caller of the current task; the permission interceptor does."""
    _caller.set(found)
