"""Errors as the Connect protocol tells them: a code, a message for people, and details for programs.

Source: Connect protocol reference, "Error codes" and "Error end-stream".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from relearn_runtime.errors import DependencyUnavailable, InvalidInput, RelearnError
from relearn_runtime.rpc_errors import DETAILS, status_of

_SERVICE = "console"
# gRPC code: its name in Connect, and the status of the HTTP answer
_CODES: Mapping[int, tuple[str, int]] = {
    grpc.StatusCode.CANCELLED.value[0]: ("canceled", 499),
    grpc.StatusCode.UNKNOWN.value[0]: ("unknown", 500),
    grpc.StatusCode.INVALID_ARGUMENT.value[0]: ("invalid_argument", 400),
    grpc.StatusCode.DEADLINE_EXCEEDED.value[0]: ("deadline_exceeded", 504),
    grpc.StatusCode.NOT_FOUND.value[0]: ("not_found", 404),
    grpc.StatusCode.ALREADY_EXISTS.value[0]: ("already_exists", 409),
    grpc.StatusCode.PERMISSION_DENIED.value[0]: ("permission_denied", 403),
    grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]: ("resource_exhausted", 429),
    grpc.StatusCode.FAILED_PRECONDITION.value[0]: ("failed_precondition", 400),
    grpc.StatusCode.ABORTED.value[0]: ("aborted", 409),
    grpc.StatusCode.OUT_OF_RANGE.value[0]: ("out_of_range", 400),
    grpc.StatusCode.UNIMPLEMENTED.value[0]: ("unimplemented", 501),
    grpc.StatusCode.INTERNAL.value[0]: ("internal", 500),
    grpc.StatusCode.UNAVAILABLE.value[0]: ("unavailable", 503),
    grpc.StatusCode.DATA_LOSS.value[0]: ("data_loss", 500),
    grpc.StatusCode.UNAUTHENTICATED.value[0]: ("unauthenticated", 401),
}
_UNKNOWN = _CODES[grpc.StatusCode.UNKNOWN.value[0]]


class ServiceAway(DependencyUnavailable):
    """The service that a call is meant for does not answer."""

    reason = "SERVICE_AWAY"


class CallTooLong(DependencyUnavailable):
    """A service took longer than the call's deadline."""

    reason = "CALL_TOO_LONG"


class TooLarge(InvalidInput):
    """A message is larger than one side takes."""

    reason = "TOO_LARGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One error, ready to be told."""

    code: str
    http_status: int
    message: str
    details: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The error object of the protocol."""
        told: dict[str, Any] = {"code": self.code, "message": self.message}
        return told | {"details": self.details} if self.details else told

    def encoded(self) -> bytes:
        """The same, as the body of an answer."""
        return json.dumps(self.as_json(), ensure_ascii=False).encode()


def of_error(error: Exception, *, http_status: int | None = None) -> Fault:
    """What became of a call in the console itself; a bug shows its trace id and nothing else."""
    return _of_status(status_of(error, service=_SERVICE), http_status)


def of_rpc(error: grpc.aio.AioRpcError, *, service: str) -> Fault:
    """What a service answered, or why it did not."""
    for name, value in error.trailing_metadata() or ():
        if name == DETAILS and isinstance(value, bytes):
            try:
                return _of_status(status_pb2.Status.FromString(value), None)
            except DecodeError:
                break
    return _untold(error.code(), error.details() or "", service)


def _untold(code: grpc.StatusCode, details: str, service: str) -> Fault:
    """An error without particulars: gRPC's own, not a service's."""
    ours: RelearnError | None = None
    if code is grpc.StatusCode.UNAVAILABLE:
        ours = ServiceAway(f"{service} does not answer; try again in a moment", service=service)
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        ours = CallTooLong(f"{service} took too long to answer; try again", service=service)
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        ours = TooLarge(f"the message is too large for {service}", service=service)
    if ours is not None:
        return of_error(ours)
    name, http_status = _CODES.get(code.value[0], _UNKNOWN)
    return Fault(code=name, http_status=http_status, message=f"{service}: {details}")


def _of_status(status: status_pb2.Status, http_status: int | None) -> Fault:
    name, usual = _CODES.get(status.code, _UNKNOWN)
    return Fault(
        code=name,
        http_status=http_status or usual,
        message=status.message,
        details=[_detail(one.type_url.rpartition("/")[2], one.value) for one in status.details],
    )


def _detail(kind: str, value: bytes) -> dict[str, Any]:
    """One detail: its bytes, as the protocol wants them, and in `debug` what a page can read."""
    told: dict[str, Any] = {"type": kind, "value": base64.b64encode(value).decode().rstrip("=")}
    if kind == error_details_pb2.ErrorInfo.DESCRIPTOR.full_name:
        told["debug"] = MessageToDict(error_details_pb2.ErrorInfo.FromString(value))
    return told
