"""What holds for every request: for whom the console answers, that only its own pages change anything, and headers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relearn_console.bodies import Refused
from relearn_runtime.errors import InvalidInput, PermissionDenied

HEALTH = "/healthz"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_READING = frozenset({"GET", "HEAD"})
_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # what an answer does not say of itself
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class WrongHost(InvalidInput):
    """The request names a host that this console does not answer for."""

    reason = "WRONG_HOST"


class ForeignOrigin(PermissionDenied):
    """Another site's page tries to change something in the name of its visitor."""

    reason = "FOREIGN_ORIGIN"


class Guard:
    """Around the application, as ASGI."""

    def __init__(self, app: ASGIApp, *, public_origin: str | None) -> None:
        self._app = app
        self._origins = frozenset({public_origin} if public_origin else ())
        self._hosts = _LOOPBACK | {urlsplit(origin).hostname or "" for origin in self._origins}
        self._headers = dict(_HEADERS)
        if public_origin and public_origin.startswith("https:"):
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        answering: ASGIApp = self._app
        if not self._answers_for(headers) and scope["path"] != HEALTH:
            why = WrongHost(f"this console answers for {', '.join(sorted(self._hosts))} only")
            answering = Refused(421, why).answer()
        elif scope["method"] not in _READING and not self._is_own(scope, headers):
            answering = Refused(403, ForeignOrigin("only the console's own pages may do this")).answer()
        await answering(scope, receive, send_with_headers)

    def _answers_for(self, headers: Headers) -> bool:
        """A name that an attacker points to 127.0.0.1 is not one of ours (DNS rebinding)."""
        try:
            return urlsplit(f"//{headers.get('host', '')}").hostname in self._hosts
        except ValueError:
            return False

    def _is_own(self, scope: Scope, headers: Headers) -> bool:
        """Browsers say where a request comes from; programs that are no browsers say nothing."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get("origin")
        return origin is None or origin in self._origins or origin == f"{scope['scheme']}://{headers.get('host')}"
