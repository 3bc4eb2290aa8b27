"""The errors of Relearn: what they mean to a caller, to Kafka, and whether trying again can help.

Services subclass these with a `reason`; nothing here knows gRPC or HTTP (`rpc_errors` maps them).
"""

from __future__ import annotations

from typing import ClassVar


class RelearnError(Exception):
    """Base of every error that one service tells another, or a person.

    Attributes:
        reason: what callers branch on, in capitals; messages may improve freely.
        retryable: True when the same call can succeed later without anybody changing it.
    """

    reason: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class InvalidInput(RelearnError):
    """The input can never be accepted."""

    reason = "INVALID_INPUT"


class NotFound(RelearnError):
    """The named thing does not exist, and it is ours."""

    reason = "NOT_FOUND"


class NotYetKnown(RelearnError):
    """An event names what another topic has not told us yet."""

    reason = "NOT_YET_KNOWN"
    retryable = True


class WrongState(RelearnError):
    """The move is not allowed from this state."""

    reason = "WRONG_STATE"


class StaleWrite(RelearnError):
    """The etag or row version has moved on."""

    reason = "STALE_WRITE"
    retryable = True


class DependencyUnavailable(RelearnError):
    """A database, broker, store or service is away."""

    reason = "DEPENDENCY_UNAVAILABLE"
    retryable = True


class PermissionDenied(RelearnError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"


class Unauthenticated(RelearnError):
    """The caller is not known."""

    reason = "UNAUTHENTICATED"


class BudgetExhausted(RelearnError):
    """A budget that somebody chose is used up."""

    reason = "BUDGET_EXHAUSTED"


def reason_of(error: BaseException) -> str:
    """The reason of one of our errors, the class name of any other."""
    # An error rebuilt from the wire carries its own reason on the instance.
    return error.reason if isinstance(error, RelearnError) else type(error).__name__
