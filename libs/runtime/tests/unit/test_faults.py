"""Whose fault is an error: the event's, the code's, or a dependency's."""

from __future__ import annotations

import errno
import socket

import asyncpg
import pytest
from sqlalchemy import exc

from relearn_runtime.errors import (
    DependencyUnavailable,
    InvalidInput,
    NotFound,
    NotYetKnown,
    StaleWrite,
    WrongState,
)
from relearn_runtime.faults import HandlerTooSlow, Verdict, judge


def wrapped(error: Exception, *, invalidated: bool = False) -> exc.DBAPIError:
    """As SQLAlchemy raises what asyncpg raised."""
    made = exc.DBAPIError("select 1", {}, error, connection_invalidated=invalidated)
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (NotYetKnown("x"), Verdict.NOT_YET_KNOWN),
        (InvalidInput("x"), Verdict.PARK),
        (NotFound("x"), Verdict.PARK),
        (WrongState("x"), Verdict.PARK),
        (StaleWrite("x"), Verdict.RETRY),
        (HandlerTooSlow("x"), Verdict.BUSY),
        (ZeroDivisionError(), Verdict.RETRY),
        (DependencyUnavailable("x"), Verdict.AWAY),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Verdict.AWAY),
        (ConnectionResetError(), Verdict.AWAY),
        (TimeoutError(), Verdict.AWAY),
        (socket.gaierror(), Verdict.AWAY),
        (OSError("Multiple exceptions: [Errno 111], [Errno 111]"), Verdict.AWAY),
        (FileNotFoundError(errno.ENOENT, "x"), Verdict.RETRY),
        (OSError(errno.ENOSPC, "x"), Verdict.RETRY),
        (exc.TimeoutError("the pool is exhausted"), Verdict.AWAY),
        (wrapped(asyncpg.CannotConnectNowError("starting up")), Verdict.AWAY),
        (wrapped(asyncpg.AdminShutdownError("x")), Verdict.AWAY),
        (wrapped(asyncpg.ConnectionDoesNotExistError("closed in the middle of operation")), Verdict.AWAY),
        (wrapped(asyncpg.TooManyConnectionsError("x")), Verdict.AWAY),
        (asyncpg.InternalClientError("cannot switch to state 12"), Verdict.AWAY),
        (asyncpg.InterfaceError("connection is closed"), Verdict.AWAY),
        (asyncpg.InterfaceError("cannot perform operation: another operation is in progress"), Verdict.RETRY),
        (wrapped(Exception("x"), invalidated=True), Verdict.AWAY),
        (wrapped(asyncpg.QueryCanceledError("statement timeout")), Verdict.BUSY),
        (wrapped(asyncpg.DeadlockDetectedError("x")), Verdict.BUSY),
        (wrapped(asyncpg.UniqueViolationError("x")), Verdict.RETRY),
    ],
    ids=repr,
)
def test_verdicts(error, verdict):
    assert judge(error) is verdict


def test_an_error_raised_from_a_lost_connection_is_judged_by_its_cause():
    error = RuntimeError("could not load")
    error.__cause__ = ConnectionResetError()

    assert judge(error) is Verdict.AWAY
