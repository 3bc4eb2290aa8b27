"""What goes wrong, as exceptions: a code to branch on, a reason, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class RelearnError(Exception):
    """Anything that the client could not do.

    Attributes:
        code: the gRPC code's name, `NOT_FOUND`; for what never left this machine the one that fits best.
        reason: finer than the code: `LEASE_EXPIRED`. Branch on code and reason, never on the message.
        next_step: what a person can do about it; empty when there is nothing to say.
        metadata: what the service added, for programs.
    """

    default_code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        next_step: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.reason = reason or self.code
        self.next_step = next_step
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        return f"{self.message}\n{self.next_step}" if self.next_step else self.message


class InvalidInput(RelearnError):
    """The input can never be accepted as it is."""

    default_code = "INVALID_ARGUMENT"


class NotFound(RelearnError):
    """What was named does not exist."""

    default_code = "NOT_FOUND"


class WrongState(RelearnError):
    """Not allowed in the state that things are in."""

    default_code = "FAILED_PRECONDITION"


class Conflict(RelearnError):
    """Somebody else changed the same thing at the same moment; the same call again may do."""

    default_code = "ABORTED"


class Unavailable(RelearnError):
    """A service or broker did not answer, however often it was asked."""

    default_code = "UNAVAILABLE"


class NotAllowed(RelearnError):
    """The token is missing, unknown, or its role may not do this."""

    default_code = "PERMISSION_DENIED"


class BudgetExhausted(RelearnError):
    """A budget that somebody chose is used up."""

    default_code = "RESOURCE_EXHAUSTED"


class NotConfigured(RelearnError):
    """The client does not know where Relearn is, or with which token to ask."""

    default_code = "FAILED_PRECONDITION"
