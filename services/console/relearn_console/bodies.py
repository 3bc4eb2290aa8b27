"""Bodies of requests, within bounds, and requests that are refused before anybody is asked."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from relearn_console import faults
from relearn_console.faults import TooLarge
from relearn_runtime.errors import InvalidInput, RelearnError

_READ_DEADLINE_S = 30.0


class Refused(Exception):
    """A request that goes no further: the status of the answer, and what it says."""

    def __init__(self, http_status: int, error: RelearnError, *, retry_after_s: int | None = None) -> None:
        super().__init__(error.message)
        self.http_status, self.error, self._retry_after_s = http_status, error, retry_after_s

    @property
    def fault(self) -> faults.Fault:
        """What the caller is told."""
        return faults.of_error(self.error, http_status=self.http_status)

    def answer(self) -> Response:
        """The same, as an answer."""
        headers = {} if self._retry_after_s is None else {"retry-after": str(self._retry_after_s)}
        return Response(self.fault.encoded(), self.http_status, headers, "application/json")


async def body_of(request: Request, *, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        Refused: it is larger than that, or does not come.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(_READ_DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except (TimeoutError, ClientDisconnect) as error:
        raise Refused(408, InvalidInput("the body did not come in time")) from error
    return bytes(body)


def _too_large(max_bytes: int) -> Refused:
    return Refused(413, TooLarge(f"the body is larger than {max_bytes} bytes", max_bytes=str(max_bytes)))
