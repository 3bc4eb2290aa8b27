"""Our errors as gRPC statuses, and back: one table for servers and clients."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from relearn_runtime import telemetry
from relearn_runtime.errors import (
    BudgetExhausted,
    DependencyUnavailable,
    InvalidInput,
    NotFound,
    NotYetKnown,
    PermissionDenied,
    RelearnError,
    StaleWrite,
    Unauthenticated,
    WrongState,
)
from relearn_runtime.faults import is_away, is_conflict, is_unstorable

DETAILS = "grpc-status-details-bin"
# Trailers over 8 KB are dropped, and the caller gets RESOURCE_EXHAUSTED instead of the error. The message travels
# twice, once percent-encoded; the details are base64.
_MESSAGE_BYTES = 2_000
_METADATA_BYTES = 2_000
log = logging.getLogger(__name__)

_CODES: tuple[tuple[type[RelearnError], grpc.StatusCode], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (NotYetKnown, grpc.StatusCode.FAILED_PRECONDITION),
    (WrongState, grpc.StatusCode.FAILED_PRECONDITION),
    (StaleWrite, grpc.StatusCode.ABORTED),
    (DependencyUnavailable, grpc.StatusCode.UNAVAILABLE),
    (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (BudgetExhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
)
_CLASSES: dict[grpc.StatusCode, type[RelearnError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: WrongState,
    grpc.StatusCode.ALREADY_EXISTS: WrongState,
    grpc.StatusCode.ABORTED: StaleWrite,
    grpc.StatusCode.UNAVAILABLE: DependencyUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DependencyUnavailable,
    grpc.StatusCode.CANCELLED: DependencyUnavailable,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: BudgetExhausted,
}


class TooLarge(InvalidInput):
    """A message is larger than one side of the call takes."""

    reason = "TOO_LARGE"


def code_of(error: RelearnError) -> grpc.StatusCode:
    """The gRPC code of one of our errors."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def as_ours(error: Exception) -> RelearnError | None:
    """The error of ours that this one amounts to; None for a bug."""
    if isinstance(error, RelearnError):
        return error
    if is_away(error):
        return DependencyUnavailable("a database or service that this call needs is away; try again")
    if is_conflict(error):
        return StaleWrite("another call changed the same thing at the same moment, or held it for too long; try again")
    if is_unstorable(error):
        return InvalidInput("a text has a NUL character, which cannot be stored")
    return None


def status_of(error: Exception, *, service: str) -> status_pb2.Status:
    """The status a caller gets; a bug shows its trace id and nothing else."""
    ours = as_ours(error)
    if ours is None:
        trace_id = telemetry.current_trace_id() or ""
        return _status(
            grpc.StatusCode.INTERNAL, f"internal error, trace {trace_id}", "INTERNAL", service, trace_id=trace_id
        )
    return _status(code_of(ours), ours.message, ours.reason, service, **ours.metadata)


@asynccontextmanager
async def translated(service: str) -> AsyncIterator[None]:
    """Turns the gRPC errors of calls to a service into our errors, by code and reason.

    Raises:
        RelearnError: with the reason and metadata of the other side; its codes UNAVAILABLE, DEADLINE_EXCEEDED and
            CANCELLED are DependencyUnavailable, INTERNAL and the like RelearnError itself.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise error_of(error, service=service) from error


def error_of(error: grpc.RpcError, *, service: str) -> RelearnError:
    """Our error for a gRPC error of a call to `service` (of grpc or grpc.aio)."""
    code, details = error.code(), error.details() or ""
    kind = _CLASSES.get(code, RelearnError)
    info = _info(error)
    if info is None and code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return TooLarge(f"{service}: {details}")  # gRPC's own: no service of ours sends it without a reason
    made = kind(f"{service}: {details}", **(dict(info.metadata) if info else {}))
    if info and info.reason:
        made.reason = info.reason  # type: ignore[misc]  # the reason of the other side, on this instance
    return made


def _info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo | None:
    trailing: Any = error.trailing_metadata() or ()
    for name, value in trailing:
        if name == DETAILS and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info
    return None


def _status(code: grpc.StatusCode, message: str, reason: str, service: str, /, **metadata: str) -> status_pb2.Status:
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=f"{service}.relearn", metadata=_that_fits(metadata)))
    return status_pb2.Status(code=code.value[0], message=_cut(message), details=[detail])


def _cut(text: str) -> str:
    """The text, or as much of its beginning as may travel."""
    if len(quote(text)) <= _MESSAGE_BYTES:
        return text
    kept = text[:_MESSAGE_BYTES]
    while len(quote(kept + "…")) > _MESSAGE_BYTES:
        kept = kept[: len(kept) * 9 // 10]
    return kept + "…"


def _that_fits(metadata: Mapping[str, str]) -> dict[str, str]:
    """The first entries; `left_out` says how many were too many."""
    kept: dict[str, str] = {}
    room = _METADATA_BYTES
    for key, value in metadata.items():
        room -= len(key.encode()) + len(value.encode())
        if room < 0:
            return kept | {"left_out": str(len(metadata) - len(kept))}
        kept[key] = value
    return kept
