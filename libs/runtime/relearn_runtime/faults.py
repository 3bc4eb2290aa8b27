"""What an error of a handler means for its event: whose fault it is, and whether trying again can help."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from enum import Enum, auto

import asyncpg
from sqlalchemy import exc

from relearn_runtime.errors import DependencyUnavailable, NotYetKnown, RelearnError


class Verdict(Enum):
    """What to do with an event whose handler raised."""

    PARK = auto()
    """Can never be handled: park it at once."""
    RETRY = auto()
    """May pass, may be a bug: try again in place, then park."""
    NOT_YET_KNOWN = auto()
    """Races another topic: it waits, and later events of its key behind it."""
    BUSY = auto()
    """Gave way to others, or ran out of time: try again in place, then let it wait like NOT_YET_KNOWN."""
    AWAY = auto()
    """A dependency is away, which is not the event's fault: the partition waits, in order, and nothing is parked."""


class HandlerTooSlow(RelearnError):
    """A handler ran longer than `handler_timeout_s`; long work belongs in a job."""

    reason = "HANDLER_TOO_SLOW"
    retryable = True


_AWAY = (
    DependencyUnavailable,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    exc.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,  # "cannot switch to state": the server died in mid-protocol
)
_CONFLICTS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
_NETWORK_ERRNO = {None, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENOTCONN}


def judge(error: BaseException) -> Verdict:
    """The verdict about an error that left a handler or its transaction."""
    if isinstance(error, NotYetKnown):
        return Verdict.NOT_YET_KNOWN
    if isinstance(error, HandlerTooSlow) or is_conflict(error):
        return Verdict.BUSY
    if isinstance(error, RelearnError) and not isinstance(error, DependencyUnavailable):
        return Verdict.RETRY if error.retryable else Verdict.PARK
    if is_unstorable(error):
        return Verdict.PARK
    return Verdict.AWAY if is_away(error) else Verdict.RETRY


def is_away(error: BaseException) -> bool:
    """Whether an error says that a dependency cannot be reached (rather than that it refused something)."""
    return any(_says_away(link) for link in _chain(error))


def is_conflict(error: BaseException) -> bool:
    """Whether PostgreSQL gave this transaction up in favour of another one, or for its time: a lock held for long, a
    slow disk."""
    return any(isinstance(link, _CONFLICTS) for link in _chain(error))


def is_unstorable(error: BaseException) -> bool:
    """Whether PostgreSQL refused a text for a character that it can't hold: NUL."""
    refusals = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
    return any(isinstance(link, refusals) for link in _chain(error))


def _says_away(error: BaseException) -> bool:
    if isinstance(error, asyncpg.QueryCanceledError):
        return False  # the server is well, the query was slow
    if isinstance(error, _AWAY):
        return True
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # connection is closed, pool is closing; others are mistakes in the code
    return type(error) is OSError and error.errno in _NETWORK_ERRNO  # several addresses tried in vain: no errno


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and what SQLAlchemy wrapped."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        todo += [link.__cause__, getattr(link, "orig", None)]
