"""Calling another service: token, deadline, trace and retries on every call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import grpc
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import SecretStr

from relearn_runtime import telemetry
from relearn_runtime.server import MAX_MESSAGE_BYTES

STREAM_DEADLINE_S = 600.0
_RETRIES = {
    # Every mutating RPC may be repeated: it carries a request_id, or repeating it does nothing more by itself (NextTask
    # gives the same lease again, ReportGateway numbers its reports, GetPack begins one pack a version). Nothing but
    # UNAVAILABLE is.
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS = (
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.enable_retries", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
)


def channel(address: str, *, token: str | SecretStr | None, deadline_s: float = 5.0) -> grpc.aio.Channel:
    """A channel to a Relearn service; it connects by itself, and again.

    Args:
        token: what all its calls carry; None where each call brings that of the person it is made for.
        deadline_s: for unary calls that set no timeout of their own; streaming calls get STREAM_DEADLINE_S.
    """
    secret = token.get_secret_value() if isinstance(token, SecretStr) else token
    kinds = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
    interceptors = [kind(secret, deadline_s) for kind in kinds]
    return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)


class _Dressed:
    """Adds what every call carries."""

    def __init__(self, token: str | None, deadline_s: float) -> None:
        self._token, self._deadline_s = token, deadline_s

    def dress(self, details: Any, deadline_s: float) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if self._token is not None:
            metadata["authorization"] = f"Bearer {self._token}"
        if traceparent := telemetry.current_traceparent():
            metadata["traceparent"] = traceparent
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=deadline_s if details.timeout is None else details.timeout,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )

    async def stream(self, go_on: Callable[..., Any], details: Any, request: Any) -> Any:
        return await go_on(self.dress(details, STREAM_DEADLINE_S), request)


class _UnaryUnary(_Dressed, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, go_on: Any, details: Any, request: Any) -> Any:
        method = details.method.decode() if isinstance(details.method, bytes) else details.method
        name = method.lstrip("/")
        with telemetry.span(name, kind=SpanKind.CLIENT, attributes=telemetry.rpc_attributes(name)) as span:
            call = await go_on(self.dress(details, self._deadline_s), request)
            code = await call.code()  # the span lasts as long as the call
            span.set_attribute("rpc.grpc.status_code", code.value[0])
            if code is not grpc.StatusCode.OK:
                span.set_status(StatusCode.ERROR)
            return call


class _UnaryStream(_Dressed, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, go_on: Any, details: Any, request: Any) -> Any:
        return await self.stream(go_on, details, request)


class _StreamUnary(_Dressed, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, go_on: Any, details: Any, requests: Any) -> Any:
        return await self.stream(go_on, details, requests)


class _StreamStream(_Dressed, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, go_on: Any, details: Any, requests: Any) -> Any:
        return await self.stream(go_on, details, requests)
