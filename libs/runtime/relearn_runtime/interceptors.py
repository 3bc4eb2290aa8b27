"""What happens around every call, in order: tracing, logging, errors, permissions."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc
from opentelemetry.trace import SpanKind, StatusCode

from relearn_runtime import logs, metrics, telemetry
from relearn_runtime.callers import bind_caller
from relearn_runtime.errors import DependencyUnavailable
from relearn_runtime.faults import is_conflict
from relearn_runtime.permissions import Permissions
from relearn_runtime.rpc_errors import DETAILS, as_ours, status_of
from relearn_runtime.tokens import Tokens

log = logging.getLogger(__name__)
seldom = logs.Seldom()
_OURS = {  # what OpenTelemetry calls an error of the server; the others are the caller's
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}
_QUIET = ("/grpc.health.", "/grpc.reflection.")


class CallTooLong(DependencyUnavailable):
    """A call took longer than this server allows."""

    reason = "CALL_TOO_LONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as interceptors see it."""

    method: str
    metadata: dict[str, str]
    unary: bool
    context: Any


Around: TypeAlias = Callable[[Call], AbstractAsyncContextManager[None]]


class Ready(Protocol):
    """Says why the service cannot answer yet, or None."""

    def __call__(self) -> str | None: ...


@asynccontextmanager
async def tracing(call: Call) -> AsyncIterator[None]:
    """The server span, child of the caller's; an error only where the fault is the server's."""
    name, parent = call.method.lstrip("/"), call.metadata.get("traceparent")
    attributes = telemetry.rpc_attributes(name)
    with telemetry.span(name, kind=SpanKind.SERVER, parent=parent, attributes=attributes, record_errors=False) as span:
        try:
            yield
        finally:
            code = grpc.StatusCode[_code_name(call.context)]
            span.set_attribute("rpc.grpc.status_code", code.value[0])
            if code in _OURS:
                span.set_status(StatusCode.ERROR)


@asynccontextmanager
async def logging_calls(call: Call) -> AsyncIterator[None]:
    """One line a call (at DEBUG), and its duration by method and code."""
    started = time.monotonic()
    with logs.bound(rpc=call.method):
        try:
            yield
        finally:
            code = _code_name(call.context)
            metrics.RPC_DURATION.labels(call.method, code).observe(time.monotonic() - started)
            if not call.method.startswith(_QUIET):
                log.debug("call answered", extra={"code": code, "duration_s": round(time.monotonic() - started, 6)})


def errors(service: str) -> Around:
    """Turns what a servicer raises into a status; a bug is logged here, once."""

    @asynccontextmanager
    async def around(call: Call) -> AsyncIterator[None]:
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except NotImplementedError:  # what generated servicers raise for a method nobody wrote
            await call.context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{call.method} is not implemented")
        except Exception as error:
            if as_ours(error) is None:
                log.exception("call failed")
            elif is_conflict(error) and seldom.allows(call.method):
                log.warning("call gave way", extra={"error": repr(error), "held_back": seldom.held(call.method)})
            status = status_of(error, service=service)
            code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
            details = ((DETAILS, status.SerializeToString()),)
            await call.context.abort(code, status.message, trailing_metadata=details)

    return around


def permissions(allowed: Permissions, tokens: Tokens, ready: Ready, *, most_s: float) -> Around:
    """Denies what the contracts do not allow; binds the caller; ends unary calls after `most_s`."""

    @asynccontextmanager
    async def around(call: Call) -> AsyncIterator[None]:
        scheme, _, token = call.metadata.get("authorization", "").partition(" ")
        bearer = tokens.bearer(token.strip()) if scheme.lower() == "bearer" and token else None
        allowed.check(call.method, bearer)
        bind_caller(bearer)
        if not call.method.startswith(_QUIET) and (reason := ready()):
            raise DependencyUnavailable(f"not ready: {reason}")
        if not call.unary:
            yield
            return
        try:
            async with asyncio.timeout(most_s) as limit:
                yield
        except TimeoutError as error:
            if limit.expired():
                raise CallTooLong(f"the call took more than {most_s:g} s") from error
            raise

    return around


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts all of them around every kind of method, the first outermost."""

    def __init__(self, arounds: Iterable[Around]) -> None:
        self._arounds = tuple(arounds)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wraps the handler of one method; an unknown method stays unknown."""
        handler = await continuation(details)
        if handler is None:
            return None
        metadata = {key: value for key, value in details.invocation_metadata or () if isinstance(value, str)}
        return _wrapped(handler, details.method, metadata, self._arounds)


def _wrapped(handler: Any, method: str, metadata: dict[str, str], arounds: tuple[Around, ...]) -> Any:
    unary = not (handler.request_streaming or handler.response_streaming)
    serving = {"request_deserializer": handler.request_deserializer, "response_serializer": handler.response_serializer}

    def call(context: Any) -> Call:
        return Call(method=method, metadata=metadata, unary=unary, context=context)

    if handler.response_streaming:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def answer_many(request: Any, context: Any) -> AsyncIterator[Any]:
            async with _all(arounds, call(context)):
                async for response in inner(request, context):
                    yield response

        many = (
            grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        )
        return many(answer_many, **serving)
    inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

    async def answer_one(request: Any, context: Any) -> Any:
        async with _all(arounds, call(context)):
            answer = inner(request, context)
            return await answer if asyncio.iscoroutine(answer) else answer

    one = grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
    return one(answer_one, **serving)


@asynccontextmanager
async def _all(arounds: tuple[Around, ...], call: Call) -> AsyncIterator[None]:
    if not arounds:
        yield
        return
    async with arounds[0](call), _all(arounds[1:], call):
        yield


def _code_name(context: Any) -> str:
    if isinstance(sys.exception(), asyncio.CancelledError):
        return "CANCELLED"  # by the caller, or by its deadline; the context does not know
    code = context.code()
    if isinstance(code, int):
        code = next((known for known in grpc.StatusCode if known.value[0] == code), None)
    return code.name if isinstance(code, grpc.StatusCode) else "OK"
