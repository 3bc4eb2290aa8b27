"""Browser calls to gRPC services, from descriptors alone: the Connect protocol with JSON, unary and server streams.

POST /{package.Service}/{Method}. A unary call is a JSON object that is answered with one (`application/json`); a stream
is a JSON object that is answered with many, each behind a flag byte and four bytes of length
(`application/connect+json`). No method has code of its own here.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import Message
from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from relearn_console import faults
from relearn_console.bodies import Refused, body_of
from relearn_console.clients import Channels
from relearn_console.exposed import Exposed
from relearn_console.faults import Fault
from relearn_console.metrics import CALLS
from relearn_console.sessions import Sessions
from relearn_runtime import telemetry
from relearn_runtime.errors import InvalidInput, NotFound, Unauthenticated

JSON, STREAM = "application/json", "application/connect+json"
_ENVELOPE = struct.Struct(">BI")  # flags and length
_COMPRESSED, _END = 1, 2
_LONGEST_TIMEOUT_MS = re.compile(r"\d{1,10}")
_OFF_LOOP_BYTES = 64 << 10  # a larger message is translated in a thread, so that other calls go on
T = TypeVar("T")


class UnknownMethod(NotFound):
    """Not a method that browsers may call."""

    reason = "UNKNOWN_METHOD"


class WrongContentType(InvalidInput):
    """The body is not what the method takes."""

    reason = "WRONG_CONTENT_TYPE"


class NotAMessage(InvalidInput):
    """The body is no JSON form of the request."""

    reason = "NOT_A_MESSAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds a call may take when it asks for no less."""

    unary_s: float
    stream_s: float


class Bridge:
    """Answers calls to the exposed methods; permission stays with the services, which get the caller's token."""

    def __init__(
        self,
        methods: Mapping[str, Exposed],
        channels: Channels,
        *,
        sessions: Sessions,
        deadlines: Deadlines,
        max_bytes: int,
    ) -> None:
        self._methods, self._channels, self._sessions = methods, channels, sessions
        self._deadlines, self._max_bytes = deadlines, max_bytes
        self._callables: dict[str, Any] = {}

    async def answer(self, request: Request) -> Response:
        """One call, from its HTTP request to its answer; every error is told in the protocol's words."""
        started, method = time.monotonic(), self._methods.get(request.url.path)
        parent = request.headers.get("traceparent")
        name = method.path.lstrip("/") if method else "unknown method"
        with telemetry.span(name, kind=SpanKind.SERVER, parent=parent, attributes=telemetry.rpc_attributes(name)):
            try:
                response, code = await self._answer(request, method), "ok"
            except Refused as refused:
                response, code = refused.answer(), refused.fault.code
            except _Failed as failed:
                fault = failed.fault
                response, code = Response(fault.encoded(), fault.http_status, media_type=JSON), fault.code
        CALLS.labels(name, code).observe(time.monotonic() - started)
        return response

    async def _answer(self, request: Request, method: Exposed | None) -> Response:
        if method is None:
            raise Refused(404, UnknownMethod(f"{request.url.path} is no method that a browser may call"))
        _check_content_type(request, method)
        metadata = self._metadata(request)  # first: nobody's bodies are not worth reading
        message = await self._message(request, method)
        timeout_s = _timeout_s(request, self._deadlines.stream_s if method.streams else self._deadlines.unary_s)
        call = self._callable(method)(message, metadata=metadata, timeout=timeout_s)
        if method.streams:
            return StreamingResponse(_frames(call, method.service), media_type=STREAM)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            raise _Failed(faults.of_rpc(error, service=method.service)) from error
        return Response(await _off_loop(_json, answer, size=answer.ByteSize()), media_type=JSON)

    async def _message(self, request: Request, method: Exposed) -> Message:
        body = await body_of(request, max_bytes=self._max_bytes)
        if method.streams:
            body = _unpacked(body)
        return await _off_loop(_parsed(method), body, size=len(body))

    def _metadata(self, request: Request) -> tuple[tuple[str, str], ...]:
        token = self._sessions.token(request)
        if token is None:
            raise Refused(401, Unauthenticated("sign in first: this call came without a session or a token"))
        return (("authorization", f"Bearer {token}"),)

    def _callable(self, method: Exposed) -> Any:
        if (found := self._callables.get(method.path)) is None:
            channel = self._channels.of(method.service)
            make = channel.unary_stream if method.streams else channel.unary_unary
            found = self._callables[method.path] = make(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
        return found


class _Failed(Exception):
    """A call that a service did not answer well."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _check_content_type(request: Request, method: Exposed) -> None:
    wanted = STREAM if method.streams else JSON
    said, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    if said.strip() != wanted or parameters.strip() not in ("", "charset=utf-8"):
        raise Refused(415, WrongContentType(f"the content type of this method is {wanted}, not {said.strip()!r:.80}"))
    for name in ("content-encoding", "connect-content-encoding"):
        if request.headers.get(name, "identity") != "identity":
            raise Refused(415, WrongContentType("compressed requests are not taken"))


def _timeout_s(request: Request, most_s: float) -> float:
    said = request.headers.get("connect-timeout-ms")
    if said is None:
        return most_s
    if not _LONGEST_TIMEOUT_MS.fullmatch(said):
        raise Refused(400, InvalidInput("connect-timeout-ms must be a whole number of milliseconds"))
    return min(int(said) / 1000, most_s)


def _unpacked(body: bytes) -> bytes:
    """The one message of a server-streaming request."""
    if len(body) < _ENVELOPE.size:
        raise Refused(400, NotAMessage("a streaming call begins with a flag byte and four bytes of length"))
    flags, length = _ENVELOPE.unpack_from(body)
    if flags & _COMPRESSED:
        raise Refused(415, WrongContentType("compressed requests are not taken"))
    if flags or length != len(body) - _ENVELOPE.size:
        raise Refused(400, NotAMessage("a streaming call has one message, of the length it says"))
    return body[_ENVELOPE.size :]


def _parsed(method: Exposed) -> Callable[[bytes], Message]:
    def parse(body: bytes) -> Message:
        try:
            if not body.lstrip().startswith(b"{"):  # the parser would take an empty list, too
                raise ParseError("it has to be an object")
            return Parse(body, method.request())
        except (ParseError, ValueError, RecursionError) as error:
            name, why = method.request.DESCRIPTOR.name, str(error)[:300].encode(errors="replace").decode()
            raise Refused(400, NotAMessage(f"the body is no {name} in JSON: {why}")) from error

    return parse


def _json(message: Message) -> bytes:
    """Defaults are written out: a page reads fields, it does not know which are left away."""
    return MessageToJson(message, indent=None, always_print_fields_with_no_presence=True).encode()


async def _frames(call: Any, service: str) -> AsyncIterator[bytes]:
    """The messages of a stream, then how it ended; a caller that goes away ends the call."""
    end: dict[str, Any] = {}
    try:
        async for part in call:
            yield _frame(0, await _off_loop(_json, part, size=part.ByteSize()))
    except grpc.aio.AioRpcError as error:
        end = {"error": faults.of_rpc(error, service=service).as_json()}
    finally:
        call.cancel()
    yield _frame(_END, json.dumps(end, ensure_ascii=False).encode())


def _frame(flags: int, body: bytes) -> bytes:
    return _ENVELOPE.pack(flags, len(body)) + body


async def _off_loop(translate: Callable[[Any], T], what: Any, *, size: int) -> T:
    return translate(what) if size < _OFF_LOOP_BYTES else await asyncio.to_thread(translate, what)
